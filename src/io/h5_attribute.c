#include "h5_private.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES_MOST = 1 << 24 };

static ddpm_status open_attribute(hid_t *attribute, const ddpm_h5 *file, const char *object,
                                  const char *name)
{
    DDPM_TRY(ddpm_h5__require(file, object));
    const htri_t there = H5Aexists_by_name(file->file, object, name, H5P_DEFAULT);
    if (there == 0)
        return ddpm_fail(DDPM_EDATA, "%s: %s has no attribute %s", file->name, object, name);
    *attribute = there < 0 ? H5I_INVALID_HID
                           : H5Aopen_by_name(file->file, object, name, H5P_DEFAULT, H5P_DEFAULT);
    if (*attribute >= 0) return DDPM_OK;
    return h5_fail(file, DDPM_EDATA, "cannot open attribute %s of %s", name, object);
}

bool ddpm_h5_has_attribute(ddpm_h5 *file, const char *object, const char *name)
{
    H5_HELD(file);
    return ddpm_h5_exists(file, object) &&
           H5Aexists_by_name(file->file, object, name, H5P_DEFAULT) > 0;
}

static size_t count_of(hid_t attribute)
{
    const hid_t space = H5Aget_space(attribute);
    const hssize_t count = H5Sget_simple_extent_npoints(space);
    H5Sclose(space);
    return count > 0 ? (size_t)count : 0;
}

/* Variable-length text: HDF5 allocates it, bounded by the file, and it is copied. */
static ddpm_status read_variable_text(char **text, const ddpm_h5 *file, hid_t attribute, hid_t type)
{
    char *found = NULL;
    const hid_t memory = H5Tcopy(H5T_C_S1);
    H5Tset_size(memory, H5T_VARIABLE);
    H5Tset_cset(memory, H5Tget_cset(type));
    ddpm_status status = DDPM_OK;
    if (H5Aread(attribute, memory, &found) < 0)
        status = h5_fail(file, DDPM_EDATA, "cannot read a text");
    else if (!(*text = strdup(found ? found : "")))
        status = ddpm_fail(DDPM_EOS, "%s: out of memory", file->name);
    H5free_memory(found);
    H5Tclose(memory);
    return status;
}

/* Fixed-length text of any padding: its bytes up to the first 0, spaces at the end left off where
   they are the padding. */
static ddpm_status read_fixed_text(char **text, const ddpm_h5 *file, hid_t attribute, hid_t type)
{
    const size_t bytes = H5Tget_size(type);
    if (bytes > TEXT_BYTES_MOST)
        return ddpm_fail(DDPM_EDATA, "%s: a text of %zu bytes is longer than the limit of %d",
                         file->name, bytes, TEXT_BYTES_MOST);
    char *found = calloc(1, bytes + 1);
    if (!found) return ddpm_fail(DDPM_EOS, "%s: out of memory", file->name);
    if (H5Aread(attribute, type, found) < 0) {
        free(found);
        return h5_fail(file, DDPM_EDATA, "cannot read a text");
    }
    if (H5Tget_strpad(type) == H5T_STR_SPACEPAD)
        for (size_t n = strlen(found); n > 0 && found[n - 1] == ' '; n--) found[n - 1] = '\0';
    *text = found;
    return DDPM_OK;
}

ddpm_status ddpm_h5_attribute_text(ddpm_h5 *file, const char *object, const char *name, char **text)
{
    H5_HELD(file);
    hid_t attribute = H5I_INVALID_HID;
    DDPM_TRY(open_attribute(&attribute, file, object, name));
    const hid_t type = H5Aget_type(attribute);
    ddpm_status status;
    if (H5Tget_class(type) != H5T_STRING || count_of(attribute) != 1)
        status = ddpm_fail(DDPM_EDATA, "%s: attribute %s of %s is not one text", file->name, name,
                           object);
    else if (H5Tis_variable_str(type) > 0)
        status = read_variable_text(text, file, attribute, type);
    else
        status = read_fixed_text(text, file, attribute, type);
    H5Tclose(type);
    H5Aclose(attribute);
    return status;
}

ddpm_status ddpm_h5_attribute(ddpm_h5 *file, const char *object, const char *name,
                              ddpm_h5_type type, void *data, size_t count)
{
    H5_HELD(file);
    hid_t attribute = H5I_INVALID_HID;
    DDPM_TRY(open_attribute(&attribute, file, object, name));
    const hid_t stored = H5Aget_type(attribute);
    const size_t found = count_of(attribute);
    ddpm_status status = ddpm_h5__convertible(file, object, stored, type);
    H5Tclose(stored);
    if (status != DDPM_OK)
        status = ddpm_fail_within(status, "attribute %s", name);
    else if (found != count)
        status = ddpm_fail(DDPM_EDATA, "%s: attribute %s of %s has %zu values, not %zu", file->name,
                           name, object, found, count);
    else if (H5Aread(attribute, ddpm_h5__memory_type(type), data) < 0)
        status = h5_fail(file, DDPM_EDATA, "cannot read attribute %s of %s", name, object);
    H5Aclose(attribute);
    return status;
}

static ddpm_status set_attribute(ddpm_h5 *file, const char *object, const char *name, hid_t in_file,
                                 hid_t in_memory, hid_t space, const void *data)
{
    if (H5Aexists_by_name(file->file, object, name, H5P_DEFAULT) > 0)
        H5Adelete_by_name(file->file, object, name, H5P_DEFAULT);
    const hid_t attribute = H5Acreate_by_name(file->file, object, name, in_file, space, H5P_DEFAULT,
                                              H5P_DEFAULT, H5P_DEFAULT);
    ddpm_status status = DDPM_OK;
    if (attribute < 0 || H5Awrite(attribute, in_memory, data) < 0)
        status = h5_fail(file, DDPM_EIO, "cannot write attribute %s of %s", name, object);
    if (attribute >= 0) H5Aclose(attribute);
    return status;
}

ddpm_status ddpm_h5_set_attribute_text(ddpm_h5 *file, const char *object, const char *name,
                                       const char *text)
{
    H5_HELD(file);
    bool ascii = true;
    for (const char *c = text; *c; c++) ascii = ascii && (unsigned char)*c < 128;
    const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, strlen(text) + 1);
    H5Tset_cset(type, ascii ? H5T_CSET_ASCII : H5T_CSET_UTF8);
    const ddpm_status status = set_attribute(file, object, name, type, type, space, text);
    H5Sclose(space);
    H5Tclose(type);
    return status;
}

ddpm_status ddpm_h5_set_attribute(ddpm_h5 *file, const char *object, const char *name,
                                  ddpm_h5_type type, const void *data, size_t count)
{
    H5_HELD(file);
    const hsize_t extent = count;
    const hid_t space = count == 1 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &extent, NULL);
    const ddpm_status status = set_attribute(file, object, name, ddpm_h5__file_type(type),
                                             ddpm_h5__memory_type(type), space, data);
    H5Sclose(space);
    return status;
}
