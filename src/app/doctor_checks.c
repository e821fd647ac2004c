/* What the doctor looks at, in the order in which it tells. */
#include "doctor.h"

const ddpm_doctor_check ddpm_app__doctor_checks[] = {
    { "ranks", DDPM_SCOPE_WORLD, ddpm_app__judge_ranks },
    { "program", DDPM_SCOPE_WORLD, ddpm_app__judge_program },
    { "configuration", DDPM_SCOPE_WORLD, ddpm_app__judge_config },
    { "binding", DDPM_SCOPE_RANK, ddpm_app__judge_binding },
    { "cores", DDPM_SCOPE_NODE, ddpm_app__judge_node_cores },
    { "numa", DDPM_SCOPE_RANK, ddpm_app__judge_numa },
    { "environment", DDPM_SCOPE_RANK, ddpm_app__judge_environment },
    { "instructions", DDPM_SCOPE_RANK, ddpm_app__judge_isa },
    { "blas", DDPM_SCOPE_RANK, ddpm_app__judge_blas },
    { "speed", DDPM_SCOPE_WORLD, ddpm_app__judge_speed },
    { "transport", DDPM_SCOPE_WORLD, ddpm_app__judge_transport },
    { "overlap", DDPM_SCOPE_WORLD, ddpm_app__judge_overlap },
    { "sums", DDPM_SCOPE_WORLD, ddpm_app__judge_sums },
    { "single-copy", DDPM_SCOPE_RANK, ddpm_app__judge_single_copy },
    { "memory", DDPM_SCOPE_NODE, ddpm_app__judge_memory },
    { "shared-memory", DDPM_SCOPE_NODE, ddpm_app__judge_shared_memory },
    { "huge-pages", DDPM_SCOPE_NODE, ddpm_app__judge_pages },
    { "limits", DDPM_SCOPE_RANK, ddpm_app__judge_limits },
    { "clock", DDPM_SCOPE_WORLD, ddpm_app__judge_clock },
    { "data", DDPM_SCOPE_RANK, ddpm_app__judge_data },
    { "run", DDPM_SCOPE_WORLD, ddpm_app__judge_directory },
    { "lock", DDPM_SCOPE_WORLD, ddpm_app__judge_lock },
    { "durability", DDPM_SCOPE_WORLD, ddpm_app__judge_durability },
};
const size_t ddpm_app__doctor_check_count = sizeof ddpm_app__doctor_checks /
                                            sizeof *ddpm_app__doctor_checks;
