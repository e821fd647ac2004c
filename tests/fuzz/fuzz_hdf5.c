/* An array of any HDF5 file. */
#include "fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fuzz_import("hdf5", (ddpm_import_options){ .pad = 0 }, data, bytes);
    return 0;
}
