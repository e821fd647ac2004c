/* A binary batch of CIFAR-10, plain or compressed. */
#include "fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fuzz_import("cifar10", (ddpm_import_options){ .pad = 0 }, data, bytes);
    return 0;
}
