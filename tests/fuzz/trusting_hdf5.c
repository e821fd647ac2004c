/* HDF5's own checksums, taken out of the fuzzer's way: metadata of the newer format has one in
 * every piece, which a mutation never meets, and an attacker always does. Linked into the fuzz
 * targets of HDF5 files, this stands before the function of the library. */
#include <hdf5.h>

herr_t H5F_get_checksums(const uint8_t *data, size_t bytes, uint32_t *stored, uint32_t *computed);
herr_t H5F_get_checksums(const uint8_t *data, size_t bytes, uint32_t *stored, uint32_t *computed)
{
    (void)data;
    (void)bytes;
    if (stored) *stored = 0;
    if (computed) *computed = 0;
    return 0;
}
