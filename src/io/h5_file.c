#include "h5_private.h"
#include "input.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { USER_BLOCK_BYTES = 512, IMAGE_STEP_BYTES = 1 << 24 };

/* NULL when out of memory. */
static ddpm_h5 *make_handle(const char *name, ddpm_h5_kind kind)
{
    ddpm_h5 *file = calloc(1, sizeof *file);
    char *copy = strdup(name);
    if (!file || !copy) {
        free(file);
        free(copy);
        return NULL;
    }
    *file = (ddpm_h5){ .file = H5I_INVALID_HID,
                       .name = copy,
                       .kind = kind,
                       .publish.fd = -1,
                       .rows = H5I_INVALID_HID };
    return file;
}

/* Without locks: some parallel file systems refuse them, and a published file never changes. */
static hid_t reading_list(void)
{
    const hid_t list = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fclose_degree(list, H5F_CLOSE_STRONG);
    H5Pset_file_locking(list, false, true);
    return list;
}

/* The format of HDF5 1.10 has a checksum in every piece of metadata. */
static hid_t writing_list(void)
{
    const hid_t list = reading_list();
    H5Pset_libver_bounds(list, H5F_LIBVER_V110, H5F_LIBVER_V110);
    return list;
}

/* Times are left out, so that the same content makes the same bytes. */
static hid_t creation_list(hsize_t user_block)
{
    const hid_t list = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_userblock(list, user_block);
    H5Pset_obj_track_times(list, false);
    return list;
}

ddpm_status ddpm_h5_open(ddpm_h5 **out, const char *path)
{
    int fd;
    uint64_t bytes;
    DDPM_TRY(ddpm_io__input_open(&fd, &bytes, path));
    close(fd);
    ddpm_h5 *file = make_handle(path, DDPM_H5_READS);
    if (!file) return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    H5_HELD(file);
    const hid_t access = reading_list();
    file->file = H5Fopen(path, H5F_ACC_RDONLY, access);
    ddpm_status status = DDPM_OK;
    if (file->file < 0) status = h5_fail(file, DDPM_EDATA, "is not an HDF5 file, or a damaged one");
    H5Pclose(access);
    if (status == DDPM_OK)
        *out = file;
    else
        ddpm_h5_close(file);
    return status;
}

/* HDF5 takes open files of one name for one file, and refuses an image with the name of a file on
   disk. So every image has a name of its own, that no file can have. Called with HDF5 held. */
static const char *image_name(char name[40])
{
    static unsigned long count;
    snprintf(name, 40, "/dev/null/image-%lu", count++);
    return name;
}

static void *share_file(void *file)
{
    return file;
}

static herr_t leave_file(void *file)
{
    (void)file;
    return 0;
}

/* HDF5 would copy an image that it reads, twice. Through these all of its copies are the caller's
   memory. */
static void *lend_image(size_t bytes, H5FD_file_image_op_t operation, void *file)
{
    (void)bytes;
    (void)operation;
    return ((ddpm_h5 *)file)->borrowed;
}

static void *keep_image(void *to, const void *from, size_t bytes, H5FD_file_image_op_t operation,
                        void *file)
{
    (void)bytes;
    (void)operation;
    (void)file;
    assert(to == from);
    return to;
}

static herr_t leave_image(void *image, H5FD_file_image_op_t operation, void *file)
{
    (void)image;
    (void)operation;
    (void)file;
    return 0;
}

ddpm_status ddpm_h5_open_image(ddpm_h5 **out, const void *image, size_t bytes, const char *name)
{
    char unique[40];
    ddpm_h5 *file = make_handle(name, DDPM_H5_READS);
    if (!file) return ddpm_fail(DDPM_EOS, "%s: out of memory", name);
    H5_HELD(file);
    const hid_t access = reading_list();
    H5FD_file_image_callbacks_t callbacks = {
        .image_malloc = lend_image,
        .image_memcpy = keep_image,
        .image_free = leave_image,
        .udata_copy = share_file,
        .udata_free = leave_file,
        .udata = file,
    };
    /* HDF5 asks for memory that may be written, and does not write in a file that is read. */
    memcpy(&file->borrowed, &image, sizeof image);
    ddpm_status status = DDPM_OK;
    if (H5Pset_fapl_core(access, IMAGE_STEP_BYTES, false) < 0 ||
        H5Pset_file_image_callbacks(access, &callbacks) < 0 ||
        H5Pset_file_image(access, file->borrowed, bytes) < 0)
        status = h5_fail(file, DDPM_EINTERNAL, "cannot begin to read a file in memory");
    else if ((file->file = H5Fopen(image_name(unique), H5F_ACC_RDONLY, access)) < 0)
        status = h5_fail(file, DDPM_EDATA, "is not an HDF5 file, or a damaged one");
    H5Pclose(access);
    if (status == DDPM_OK)
        *out = file;
    else
        ddpm_h5_close(file);
    return status;
}

/* HDF5 keeps a file in memory through these, and hands over its memory when it closes the file, so
   that a checkpoint is never twice in memory. */
static void *image_malloc(size_t bytes, H5FD_file_image_op_t operation, void *file)
{
    (void)operation;
    (void)file;
    return malloc(bytes);
}

static void *image_memcpy(void *to, const void *from, size_t bytes, H5FD_file_image_op_t operation,
                          void *file)
{
    (void)operation;
    (void)file;
    return memcpy(to, from, bytes);
}

static void *image_realloc(void *image, size_t bytes, H5FD_file_image_op_t operation, void *file)
{
    (void)operation;
    (void)file;
    return realloc(image, bytes);
}

static herr_t image_free(void *image, H5FD_file_image_op_t operation, void *file)
{
    if (operation == H5FD_FILE_IMAGE_OP_FILE_CLOSE)
        ((ddpm_h5 *)file)->image = image;
    else
        free(image);
    return 0;
}

ddpm_status ddpm_h5_create_image(ddpm_h5 **out, const char *name)
{
    char unique[40];
    ddpm_h5 *file = make_handle(name, DDPM_H5_WRITES_IMAGE);
    if (!file) return ddpm_fail(DDPM_EOS, "%s: out of memory", name);
    H5_HELD(file);
    const hid_t access = writing_list(), creation = creation_list(USER_BLOCK_BYTES);
    H5FD_file_image_callbacks_t callbacks = {
        .image_malloc = image_malloc,
        .image_memcpy = image_memcpy,
        .image_realloc = image_realloc,
        .image_free = image_free,
        .udata_copy = share_file,
        .udata_free = leave_file,
        .udata = file,
    };
    ddpm_status status = DDPM_OK;
    if (H5Pset_fapl_core(access, IMAGE_STEP_BYTES, false) < 0 ||
        H5Pset_file_image_callbacks(access, &callbacks) < 0 ||
        (file->file = H5Fcreate(image_name(unique), H5F_ACC_TRUNC, creation, access)) < 0)
        status = h5_fail(file, DDPM_EINTERNAL, "cannot begin a file in memory");
    H5Pclose(creation);
    H5Pclose(access);
    if (status == DDPM_OK)
        *out = file;
    else
        ddpm_h5_close(file);
    return status;
}

ddpm_status ddpm_h5_create(ddpm_h5 **out, const char *path)
{
    ddpm_h5 *file = make_handle(path, DDPM_H5_WRITES_DISK);
    if (!file) return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    H5_HELD(file);
    const hid_t access = writing_list(), creation = creation_list(0);
    ddpm_status status = ddpm_io__publish_begin(&file->publish, path);
    if (status == DDPM_OK) {
        file->file = H5Fcreate(file->publish.temporary, H5F_ACC_TRUNC, creation, access);
        if (file->file < 0) status = h5_fail(file, DDPM_ECREATE, "cannot create the file");
    }
    H5Pclose(creation);
    H5Pclose(access);
    if (status == DDPM_OK)
        *out = file;
    else
        ddpm_h5_close(file);
    return status;
}

void ddpm_h5__forget_rows(ddpm_h5 *file)
{
    if (file->rows >= 0) H5Dclose(file->rows);
    file->rows = H5I_INVALID_HID;
}

/* Flush and close; a full disk often shows only here. */
static ddpm_status finish(ddpm_h5 *file)
{
    ddpm_h5__forget_rows(file);
    ddpm_status status = DDPM_OK;
    if (H5Fflush(file->file, H5F_SCOPE_GLOBAL) < 0)
        status = h5_fail(file, DDPM_EIO, "cannot write the file");
    if (H5Fclose(file->file) < 0 && status == DDPM_OK)
        status = h5_fail(file, DDPM_EIO, "cannot close the file");
    file->file = H5I_INVALID_HID;
    return status;
}

ddpm_status ddpm_h5_publish(ddpm_h5 *file)
{
    H5_HELD(file);
    assert(file->kind == DDPM_H5_WRITES_DISK);
    ddpm_status status = finish(file);
    if (status == DDPM_OK) status = ddpm_io__publish_commit(&file->publish);
    ddpm_h5_close(file);
    return status;
}

/* The core driver rounds its memory up; the true end is in the superblock of versions 2 and 3:
   after 8 bytes of signature, 4 of versions and sizes, the base and the extension's address. */
static size_t image_end(const unsigned char *image)
{
    const unsigned char *superblock = image + USER_BLOCK_BYTES;
    assert(superblock[8] >= 2 && superblock[9] == 8);
    uint64_t end = 0;
    for (size_t i = 0; i < 8; i++) end |= (uint64_t)superblock[28 + i] << (8 * i);
    return (size_t)end;
}

ddpm_status ddpm_h5_image(ddpm_h5 *file, void **image, size_t *bytes)
{
    H5_HELD(file);
    assert(file->kind == DDPM_H5_WRITES_IMAGE && file->file >= 0);
    DDPM_TRY(finish(file));
    assert(file->image);
    *bytes = image_end(file->image);
    *image = file->image;
    file->image = NULL;
    return DDPM_OK;
}

void ddpm_h5_close(ddpm_h5 *file)
{
    if (!file) return;
    H5_HELD(file);
    ddpm_h5__forget_rows(file);
    if (file->file >= 0) H5Fclose(file->file);
    ddpm_io__publish_abandon(&file->publish);
    free(file->image);
    free(file->name);
    free(file);
}

const char *ddpm_h5_name(const ddpm_h5 *file)
{
    return file->name;
}
