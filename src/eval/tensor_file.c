#include "tensor_file.h"

#include "ddpm/io/h5.h"
#include "ddpm/io/safetensors.h"
#include "ddpm/io/sealed_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t file_limit = (size_t)1 << 30;

struct tensor_file {
    char *image; /* read once, so that what is checked is what is used */
    const char *path;
    ddpm_safetensors *tensors; /* either */
    ddpm_h5 *h5;               /* or */
};

typedef struct {
    size_t rank, size[DDPM_SAFETENSORS_RANK];
    bool there;
} found;

/* The ninth byte of safetensors opens a JSON object; that of HDF5 is a small version, or of a user
 * block. */
static bool is_safetensors(const char *image, size_t bytes)
{
    return bytes > 8 && image[8] == '{' && memcmp(image, "\211HDF", 4) != 0;
}

static bool is_h5(const char *image, size_t bytes)
{
    for (size_t at = 0; at < bytes && bytes - at >= 8; at = at ? 2 * at : 512)
        if (memcmp(image + at, "\211HDF\r\n\032\n", 8) == 0) return true;
    return false;
}

ddpm_status tensor_file_open(tensor_file **out, const char *path)
{
    size_t bytes;
    tensor_file *file = calloc(1, sizeof *file);
    if (!file) return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    file->path = path;
    ddpm_status status = ddpm_read_file(&file->image, &bytes, path, file_limit);
    if (status == DDPM_OK && is_safetensors(file->image, bytes))
        status = ddpm_safetensors_open_image(&file->tensors, file->image, bytes, path);
    else if (status == DDPM_OK && is_h5(file->image, bytes))
        status = ddpm_h5_open_image(&file->h5, file->image, bytes, path);
    else if (status == DDPM_OK)
        status = ddpm_fail(DDPM_EDATA,
                           "%s is neither safetensors nor HDF5; how to write either from a .pth "
                           "file stands in docs/features.md",
                           path);
    if (status == DDPM_OK)
        *out = file;
    else
        tensor_file_close(file);
    return status;
}

void tensor_file_close(tensor_file *file)
{
    if (!file) return;
    ddpm_safetensors_close(file->tensors);
    ddpm_h5_close(file->h5);
    free(file->image);
    free(file);
}

static void object_of(char object[DDPM_SAFETENSORS_NAME_BYTES + 1], const char *name)
{
    snprintf(object, DDPM_SAFETENSORS_NAME_BYTES + 1, "/%s", name);
}

static ddpm_status find(found *f, const tensor_file *file, const char *name)
{
    *f = (found){ 0 };
    if (file->tensors) {
        const size_t index = ddpm_safetensors_find(file->tensors, name);
        f->there = index < ddpm_safetensors_count(file->tensors);
        if (!f->there) return DDPM_OK;
        const ddpm_safetensors_info info = ddpm_safetensors_get(file->tensors, index);
        f->rank = info.rank;
        memcpy(f->size, info.size, sizeof f->size);
        return DDPM_OK;
    }
    char object[DDPM_SAFETENSORS_NAME_BYTES + 1];
    ddpm_h5_info info;
    object_of(object, name);
    f->there = ddpm_h5_exists(file->h5, object);
    if (!f->there) return DDPM_OK;
    DDPM_TRY(ddpm_h5_info_of(&info, file->h5, object));
    f->rank = info.rank;
    memcpy(f->size, info.size, sizeof info.size);
    return DDPM_OK;
}

/* "[32, 3, 3, 3]" */
static void write_shape(char *text, size_t bytes, size_t rank, const size_t *size)
{
    size_t used = (size_t)snprintf(text, bytes, "[");
    for (size_t i = 0; i < rank && used < bytes; i++)
        used += (size_t)snprintf(text + used, bytes - used, "%s%zu", i ? ", " : "", size[i]);
    if (used < bytes) snprintf(text + used, bytes - used, "]");
}

ddpm_status tensor_file_check(const tensor_file *file, const char *name, size_t rank,
                              const size_t *size)
{
    found f;
    char is[200], should_be[200];
    DDPM_TRY(find(&f, file, name));
    if (!f.there) return ddpm_fail(DDPM_EDATA, "%s has no tensor '%s'", file->path, name);
    if (f.rank == rank && memcmp(f.size, size, rank * sizeof *size) == 0) return DDPM_OK;
    write_shape(is, sizeof is, f.rank, f.size);
    write_shape(should_be, sizeof should_be, rank, size);
    return ddpm_fail(DDPM_EDATA, "%s: tensor '%s' has the shape %s instead of %s", file->path, name,
                     is, should_be);
}

ddpm_status tensor_file_read(float *data, const tensor_file *file, const char *name, size_t count)
{
    if (file->tensors)
        DDPM_TRY(
            ddpm_safetensors_read(file->tensors, ddpm_safetensors_find(file->tensors, name), data));
    else {
        char object[DDPM_SAFETENSORS_NAME_BYTES + 1];
        object_of(object, name);
        DDPM_TRY(ddpm_h5_read(file->h5, object, DDPM_H5_F32, data, count));
    }
    for (size_t i = 0; i < count; i++)
        if (!isfinite(data[i]))
            return ddpm_fail(DDPM_EDATA, "%s: tensor '%s' has a value that is not finite",
                             file->path, name);
    return DDPM_OK;
}
