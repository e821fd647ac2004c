/* e2e_inception_weights FILE: a network of no use but as a test's, as safetensors. */
#include "inception_case.h"

int main(int argc, char **argv)
{
    if (argc != 2) return 64;
    case_write_safetensors(argv[1]);
    return 0;
}
