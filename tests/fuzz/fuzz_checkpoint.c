/* A checkpoint as it is: the seal stands before everything else. */
#include "fuzz_checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fuzz_checkpoint(fuzz_input(data, bytes));
    return 0;
}
