#include "h5_private.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES_MOST = 1 << 24 };

ddpm_status ddpm_h5_write_text(ddpm_h5 *file, const char *object, const char *text)
{
    H5_HELD(file);
    DDPM_TRY(ddpm_h5__make_parents(file, object));
    const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, strlen(text) + 1);
    H5Tset_cset(type, H5T_CSET_UTF8);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(creation, false);
    const hid_t dataset = H5Dcreate2(file->file, object, type, space, H5P_DEFAULT, creation,
                                     H5P_DEFAULT);
    ddpm_status status = DDPM_OK;
    if (dataset < 0 || H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) < 0)
        status = h5_fail(file, DDPM_EIO, "cannot write the text %s", object);
    if (dataset >= 0) H5Dclose(dataset);
    H5Pclose(creation);
    H5Sclose(space);
    H5Tclose(type);
    return status;
}

ddpm_status ddpm_h5_read_text(ddpm_h5 *file, const char *object, char **text)
{
    H5_HELD(file);
    hid_t dataset = H5I_INVALID_HID;
    ddpm_h5_info info;
    DDPM_TRY(ddpm_h5__open_dataset(&dataset, &info, file, object));
    const hid_t type = H5Dget_type(dataset);
    const size_t bytes = H5Tget_size(type);
    char *found = NULL;
    ddpm_status status = DDPM_OK;
    if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0 || info.count != 1)
        status = ddpm_fail(DDPM_EDATA, "%s: %s is not one text of fixed length", file->name,
                           object);
    else if (bytes > TEXT_BYTES_MOST)
        status = ddpm_fail(DDPM_EDATA, "%s: %s has %zu bytes, more than the limit of %d",
                           file->name, object, bytes, TEXT_BYTES_MOST);
    else if (!(found = calloc(1, bytes + 1)))
        status = ddpm_fail(DDPM_EOS, "%s: out of memory", file->name);
    else if (H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, found) < 0)
        status = h5_fail(file, DDPM_EDATA, "cannot read the text %s", object);
    H5Tclose(type);
    H5Dclose(dataset);
    if (status == DDPM_OK)
        *text = found;
    else
        free(found);
    return status;
}
