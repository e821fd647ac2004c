/* A checkpoint with a true seal over whatever it holds: what a hostile file can bring to HDF5, and
 * to all that reads behind it. */
#include "fuzz_checkpoint.h"

#include "ddpm/io/sealed_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes <= DDPM_SEAL_BYTES) return 0;
    const char *path = fuzz_scratch("sealed.h5");
    fuzz_inputs++;
    FUZZ_REQUIRE(ddpm_sealed_write(path, data, bytes) == DDPM_OK);
    fuzz_checkpoint(path);
    return 0;
}
