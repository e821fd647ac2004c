/* e2e_inception_weights FILE: a network of no use but as a test's, as HDF5 where the name ends in
 * .h5, else as safetensors. */
#include "inception_case.h"

#include <string.h>

int main(int argc, char **argv)
{
    if (argc != 2) return 64;
    const char *suffix = strrchr(argv[1], '.');
    if (suffix && strcmp(suffix, ".h5") == 0)
        case_write_h5(argv[1]);
    else
        case_write_safetensors(argv[1]);
    return 0;
}
