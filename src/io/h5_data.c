#include "h5_private.h"

#include "ddpm/base/hash.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* XXH3-64 of a whole dataset as it is in memory. */
static const char checksum_name[] = "xxh3_64";

static ddpm_status verify_checksum(ddpm_h5 *file, const char *object, const void *data,
                                   size_t bytes)
{
    if (!ddpm_h5_has_attribute(file, object, checksum_name)) return DDPM_OK;
    uint64_t expected;
    DDPM_TRY(ddpm_h5_attribute(file, object, checksum_name, DDPM_H5_U64, &expected, 1));
    if (ddpm_xxh64_of(data, bytes) == expected) return DDPM_OK;
    return ddpm_fail(DDPM_EDATA, "%s: %s is damaged: its content does not have its checksum",
                     file->name, object);
}

ddpm_status ddpm_h5_read(ddpm_h5 *file, const char *object, ddpm_h5_type type, void *data,
                         size_t count)
{
    H5_HELD(file);
    hid_t dataset = H5I_INVALID_HID;
    ddpm_h5_info info;
    DDPM_TRY(ddpm_h5__open_dataset(&dataset, &info, file, object));
    const hid_t in_file = H5Dget_type(dataset);
    ddpm_status status = ddpm_h5__convertible(file, object, in_file, type);
    H5Tclose(in_file);
    if (status != DDPM_OK) goto done;
    if (info.count != count) {
        status = ddpm_fail(DDPM_EDATA, "%s: %s has %zu elements, not %zu", file->name, object,
                           info.count, count);
        goto done;
    }
    if (H5Dread(dataset, ddpm_h5__memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        status = h5_fail(file, DDPM_EDATA, "cannot read %s", object);
    else if (info.type == type)
        status = verify_checksum(file, object, data, count * ddpm_h5__type_bytes(type));
done:
    H5Dclose(dataset);
    return status;
}

ddpm_status ddpm_h5_write(ddpm_h5 *file, const char *object, ddpm_h5_type type, const void *data,
                          size_t rank, const size_t *size)
{
    H5_HELD(file);
    assert(rank <= DDPM_H5_RANK);
    DDPM_TRY(ddpm_h5__make_parents(file, object));
    hsize_t extent[DDPM_H5_RANK];
    size_t bytes = ddpm_h5__type_bytes(type);
    for (size_t i = 0; i < rank; i++) {
        extent[i] = size[i];
        bytes *= size[i];
    }
    const hid_t space = rank ? H5Screate_simple((int)rank, extent, NULL) : H5Screate(H5S_SCALAR);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(creation, false);
    H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER);
    const hid_t dataset = H5Dcreate2(file->file, object, ddpm_h5__file_type(type), space,
                                     H5P_DEFAULT, creation, H5P_DEFAULT);
    ddpm_status status = DDPM_OK;
    if (dataset < 0 ||
        H5Dwrite(dataset, ddpm_h5__memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        status = h5_fail(file, DDPM_EIO, "cannot write %s", object);
    if (dataset >= 0) H5Dclose(dataset);
    H5Pclose(creation);
    H5Sclose(space);
    if (status != DDPM_OK) return status;
    const uint64_t checksum = ddpm_xxh64_of(data, bytes);
    return ddpm_h5_set_attribute(file, object, checksum_name, DDPM_H5_U64, &checksum, 1);
}

/* Opens a dataset for rows, or finds it open. */
static ddpm_status rows_of(ddpm_h5 *file, const char *object)
{
    if (file->rows >= 0 && strcmp(file->rows_object, object) == 0) return DDPM_OK;
    ddpm_h5__forget_rows(file);
    DDPM_TRY(ddpm_h5__open_dataset(&file->rows, &file->rows_info, file, object));
    snprintf(file->rows_object, sizeof file->rows_object, "%s", object);
    return DDPM_OK;
}

/* A selection of rows first .. first + count - 1, and a memory space of as many. */
static void select_rows(hid_t *in_file, hid_t *in_memory, hid_t dataset, const ddpm_h5_info *info,
                        size_t first, size_t count)
{
    hsize_t start[DDPM_H5_RANK] = { first }, extent[DDPM_H5_RANK] = { count };
    for (size_t i = 1; i < info->rank; i++) extent[i] = info->size[i];
    *in_file = H5Dget_space(dataset);
    H5Sselect_hyperslab(*in_file, H5S_SELECT_SET, start, NULL, extent, NULL);
    *in_memory = H5Screate_simple((int)info->rank, extent, NULL);
}

ddpm_status ddpm_h5_read_rows(ddpm_h5 *file, const char *object, ddpm_h5_type type, void *data,
                              size_t first, size_t count)
{
    H5_HELD(file);
    DDPM_TRY(rows_of(file, object));
    const ddpm_h5_info *info = &file->rows_info;
    if (info->rank == 0 || first > info->size[0] || count > info->size[0] - first)
        return ddpm_fail(DDPM_EDATA, "%s: %s has no rows %zu to %zu", file->name, object, first,
                         first + count);
    if (info->type != type) {
        const hid_t stored = H5Dget_type(file->rows);
        const ddpm_status status = ddpm_h5__convertible(file, object, stored, type);
        H5Tclose(stored);
        if (status != DDPM_OK) return status;
    }
    if (count == 0) return DDPM_OK;
    hid_t in_file, in_memory;
    select_rows(&in_file, &in_memory, file->rows, info, first, count);
    ddpm_status status = DDPM_OK;
    if (H5Dread(file->rows, ddpm_h5__memory_type(type), in_memory, in_file, H5P_DEFAULT, data) < 0)
        status = h5_fail(file, DDPM_EDATA, "cannot read rows %zu to %zu of %s", first,
                         first + count - 1, object);
    H5Sclose(in_memory);
    H5Sclose(in_file);
    return status;
}

ddpm_status ddpm_h5_create_rows(ddpm_h5 *file, const char *object, ddpm_h5_type type, size_t rank,
                                const size_t *row_size, size_t chunk_rows, int deflate)
{
    H5_HELD(file);
    assert(rank >= 1 && rank <= DDPM_H5_RANK && chunk_rows > 0);
    DDPM_TRY(ddpm_h5__make_parents(file, object));
    hsize_t extent[DDPM_H5_RANK] = { 0 }, most[DDPM_H5_RANK] = { H5S_UNLIMITED };
    hsize_t chunk[DDPM_H5_RANK] = { chunk_rows };
    for (size_t i = 1; i < rank; i++) extent[i] = most[i] = chunk[i] = row_size[i - 1];
    const hid_t space = H5Screate_simple((int)rank, extent, most);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(creation, false);
    H5Pset_chunk(creation, (int)rank, chunk);
    if (ddpm_h5__type_bytes(type) > 1) H5Pset_shuffle(creation);
    if (deflate > 0) H5Pset_deflate(creation, (unsigned)deflate);
    H5Pset_fletcher32(creation);
    const hid_t dataset = H5Dcreate2(file->file, object, ddpm_h5__file_type(type), space,
                                     H5P_DEFAULT, creation, H5P_DEFAULT);
    ddpm_status status = DDPM_OK;
    if (dataset < 0)
        status = h5_fail(file, DDPM_EIO, "cannot make the dataset %s", object);
    else
        H5Dclose(dataset);
    H5Pclose(creation);
    H5Sclose(space);
    return status;
}

ddpm_status ddpm_h5_append_rows(ddpm_h5 *file, const char *object, ddpm_h5_type type,
                                const void *data, size_t count)
{
    H5_HELD(file);
    if (count == 0) return DDPM_OK;
    DDPM_TRY(rows_of(file, object));
    ddpm_h5_info *info = &file->rows_info;
    hsize_t extent[DDPM_H5_RANK] = { 0 };
    for (size_t i = 0; i < info->rank; i++) extent[i] = info->size[i];
    const size_t first = info->size[0];
    extent[0] += count;
    if (H5Dset_extent(file->rows, extent) < 0)
        return h5_fail(file, DDPM_EIO, "cannot extend %s", object);
    hid_t in_file, in_memory;
    select_rows(&in_file, &in_memory, file->rows, info, first, count);
    ddpm_status status = DDPM_OK;
    if (H5Dwrite(file->rows, ddpm_h5__memory_type(type), in_memory, in_file, H5P_DEFAULT, data) < 0)
        status = h5_fail(file, DDPM_EIO, "cannot write %s", object);
    else
        info->size[0] = (size_t)extent[0];
    H5Sclose(in_memory);
    H5Sclose(in_file);
    return status;
}
