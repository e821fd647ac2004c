#include "golden.h"

#include "check.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct golden {
    hid_t file;
    char path[1024];
};

golden *golden_open(const char *stem)
{
    golden *file = calloc(1, sizeof *file);
    assert_non_null(file);
    snprintf(file->path, sizeof file->path, "%s/%s.h5", DDPM_GOLDEN_DIR, stem);
    file->file = H5Fopen(file->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file->file < 0) fail_msg("cannot open %s", file->path);
    return file;
}

void golden_close(golden *file)
{
    if (!file) return;
    H5Fclose(file->file);
    free(file);
}

#define OBJECT(object, format)                                                                     \
    char object[512];                                                                              \
    do {                                                                                           \
        va_list arguments;                                                                         \
        va_start(arguments, format);                                                               \
        vsnprintf(object, sizeof object, format, arguments);                                       \
        va_end(arguments);                                                                         \
    } while (0)

static hid_t open_dataset(golden *file, const char *object, size_t *count)
{
    const hid_t set = H5Dopen2(file->file, object, H5P_DEFAULT);
    if (set < 0) fail_msg("%s has no %s", file->path, object);
    const hid_t space = H5Dget_space(set);
    *count = (size_t)H5Sget_simple_extent_npoints(space);
    H5Sclose(space);
    return set;
}

static void *read_as(golden *file, const char *object, hid_t type, size_t size, size_t *count)
{
    size_t n;
    const hid_t set = open_dataset(file, object, &n);
    void *data = malloc(n * size + 1);
    assert_non_null(data);
    if (H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        fail_msg("cannot read %s of %s", object, file->path);
    H5Dclose(set);
    if (count) *count = n;
    return data;
}

double *golden_f64(golden *file, size_t *count, const char *format, ...)
{
    OBJECT(object, format);
    return read_as(file, object, H5T_NATIVE_DOUBLE, sizeof(double), count);
}

float *golden_f32(golden *file, size_t *count, const char *format, ...)
{
    OBJECT(object, format);
    return read_as(file, object, H5T_NATIVE_FLOAT, sizeof(float), count);
}

int64_t *golden_i64(golden *file, size_t *count, const char *format, ...)
{
    OBJECT(object, format);
    return read_as(file, object, H5T_NATIVE_INT64, sizeof(int64_t), count);
}

char *golden_text(golden *file, size_t *count, size_t *width, const char *format, ...)
{
    OBJECT(object, format);
    size_t n;
    const hid_t set = open_dataset(file, object, &n), type = H5Dget_type(set);
    const size_t length = H5Tget_size(type) + 1;
    const hid_t memory = H5Tcopy(H5T_C_S1);
    H5Tset_size(memory, length);
    char *names = calloc(n, length);
    assert_non_null(names);
    if (H5Dread(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, names) < 0)
        fail_msg("cannot read %s of %s", object, file->path);
    H5Tclose(memory);
    H5Tclose(type);
    H5Dclose(set);
    if (count) *count = n;
    if (width) *width = length;
    return names;
}

size_t golden_shape(golden *file, size_t size[8], const char *format, ...)
{
    OBJECT(object, format);
    size_t n;
    const hid_t set = open_dataset(file, object, &n), space = H5Dget_space(set);
    hsize_t extent[8] = { 0 };
    const int rank = H5Sget_simple_extent_dims(space, extent, NULL);
    assert_in_range(rank, 0, 8);
    for (int i = 0; i < rank; i++) size[i] = (size_t)extent[i];
    H5Sclose(space);
    H5Dclose(set);
    return (size_t)rank;
}

bool golden_exists(golden *file, const char *format, ...)
{
    OBJECT(object, format);
    for (char *slash = strchr(object + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        const bool group = H5Lexists(file->file, object, H5P_DEFAULT) > 0;
        *slash = '/';
        if (!group) return false;
    }
    return H5Lexists(file->file, object, H5P_DEFAULT) > 0;
}

size_t golden_attribute(golden *file, double *values, size_t most, const char *name,
                        const char *format, ...)
{
    OBJECT(object, format);
    const hid_t attribute = H5Aopen_by_name(file->file, object, name, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute < 0) fail_msg("%s of %s has no attribute %s", object, file->path, name);
    const hid_t space = H5Aget_space(attribute);
    const size_t count = (size_t)H5Sget_simple_extent_npoints(space);
    assert_in_range(count, 0, most);
    if (count && H5Aread(attribute, H5T_NATIVE_DOUBLE, values) < 0)
        fail_msg("cannot read attribute %s of %s", name, object);
    H5Sclose(space);
    H5Aclose(attribute);
    return count;
}
