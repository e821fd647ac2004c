#include "ddpm/kernels/isa.h"

#include "gemm.h"
#include "table.h"

#include <omp.h>
#include <stdlib.h>

const char *ddpm_isa_name(void)
{
    return ddpm_kernels__table()->isa;
}

const char *ddpm_isa_of_results(bool bf16)
{
    return ddpm_kernels__table()->fast_bf16 && !bf16 ? "avx512" : ddpm_isa_name();
}

const char *ddpm_isa_best(void)
{
    return ddpm_kernels__table_best()->isa;
}

bool ddpm_isa_has_bf16(void)
{
    return ddpm_kernels__table()->fast_bf16;
}

ddpm_status ddpm_kernels_init(void)
{
    if (!ddpm_kernels__table_is_as_asked())
        return ddpm_fail(DDPM_ECONFIG,
                         "environment variable DDPM_ISA=%s: not an instruction set that this "
                         "processor runs (it has %s); unset it to use the best",
                         getenv("DDPM_ISA"), ddpm_kernels__table_names());
    ddpm_kernels__blas_init();
    return DDPM_OK;
}

int ddpm_kernels_set_threads(int threads)
{
    /* omp_get_num_procs() counts the cores of the affinity mask. */
    omp_set_num_threads(threads > 0 ? threads : omp_get_num_procs());
    return omp_get_max_threads();
}

int ddpm_kernels_threads(void)
{
    return omp_get_max_threads();
}
