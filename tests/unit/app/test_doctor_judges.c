/* Every trap on its own, in a world in which all else is well. */
#include "doctor_case.h"

#include <errno.h>
#include <stdlib.h>

static doctor_case c;
#define W DDPM_DOCTOR_WARNING
#define E DDPM_DOCTOR_ERROR

static void set(size_t rank, const char *name, const char *value)
{
    assert_int_equal(setenv(name, value, 1), 0);
    ddpm_app__collect_environment(c.facts[rank].variable);
    unsetenv(name);
}

static void ranks_are_held_against_slurm(void **state)
{
    (void)state;
    case_init(&c);
    c.facts[0].launch.slurm_tasks = 16;
    expect(&c, "ranks", W, "16 tasks", 8);
    c.facts[0].launch.launcher = NULL;
    expect(&c, "ranks", E, "one rank by itself", 8);
    case_init(&c);
    snprintf(c.facts[7].host, sizeof c.facts[7].host, "node0");
    expect(&c, "ranks", W, "from 3 to 5 ranks", 8);
}

static void different_programs_are_named_with_their_rank(void **state)
{
    (void)state;
    case_init(&c);
    snprintf(c.facts[5].program.program, sizeof c.facts[5].program.program, "def");
    expect(&c, "program", E, "of rank 5 (node1) is 'def'", 8);
    case_init(&c);
    snprintf(c.facts[3].program.results_isa, sizeof c.facts[3].program.results_isa, "avx512");
    expect(&c, "program", E, "instruction set of rank 3", 8);
    case_init(&c);
    snprintf(c.facts[3].program.blas, sizeof c.facts[3].program.blas, "OpenBLAS 0.3.21 Zen");
    expect(&c, "program", E, "BLAS kernels of rank 3", 8);
    case_init(&c);
    snprintf(c.facts[1].config_hash, sizeof c.facts[1].config_hash, "1");
    expect(&c, "program", E, "configuration (its hash) of rank 1", 8);
}

static void a_rank_with_fewer_cores_than_threads_is_told_to_bind(void **state)
{
    (void)state;
    case_init(&c);
    cpu_range(&c.facts[2].cores.mask, 4, 1);
    c.facts[2].cores.cores = c.facts[2].cores.mask;
    expect(&c, "binding", W, "2 threads take turns on 1 core", 1);
    expect(&c, "cores", W, "1 of the 8 cores", 4) /* and the node has fewer */;
}

static void hardware_threads_are_no_cores(void **state)
{
    (void)state;
    case_init(&c);
    cpu_range(&c.facts[0].cores.cores, 0, 1);
    expect(&c, "binding", W, "2 threads on 1 core with 2 hardware threads", 1);
}

static void cores_without_threads_are_told(void **state)
{
    (void)state;
    case_init(&c);
    c.facts[4].cores.threads = 1;
    expect(&c, "binding", W, "1 of the rank's 2 cores", 1);
    expect(&c, "cores", W, "there are only 7 threads", 4);
    case_init(&c);
    c.facts[1].cores.slurm_cpus = 4;
    expect(&c, "binding", W, "SLURM_CPUS_PER_TASK", 1);
}

static void an_unbound_rank_shares_without_a_warning(void **state)
{
    (void)state;
    case_init(&c);
    for (size_t r = 0; r < CASE_RANKS; r++) {
        cpu_range(&c.facts[r].cores.mask, 0, 8);
        c.facts[r].cores.cores = c.facts[r].cores.mask;
    }
    expect(&c, "binding", DDPM_DOCTOR_OK, "shared with other ranks", 8);
    expect(&c, "cores", DDPM_DOCTOR_OK, "4 ranks x threads = 8 on 8 cores", 8);
    set(0, "OMP_PROC_BIND", "true");
    expect(&c, "environment", W, "OMP_PROC_BIND=true pins", 1);
}

static void masks_that_overlap_in_part_are_a_mistake(void **state)
{
    (void)state;
    case_init(&c);
    cpu_range(&c.facts[1].cores.cores, 1, 3);
    expect(&c, "cores", W, "ranks 0 and 1 are bound to some of the same cores", 4);
}

static void an_oversubscribed_node_should_wait_passively(void **state)
{
    (void)state;
    case_init(&c);
    for (size_t r = 4; r < 8; r++) c.facts[r].cores.threads = 4;
    expect(&c, "cores", W, "16 threads of 4 ranks share 8 cores", 4);
    expect(&c, "environment", W, "OMP_WAIT_POLICY is not set", 4);
    for (size_t r = 4; r < 8; r++) set(r, "OMP_WAIT_POLICY", "PASSIVE");
    expect(&c, "environment", DDPM_DOCTOR_OK, "", 8);
    for (size_t r = 4; r < 8; r++) set(r, "OMP_WAIT_POLICY", "active");
    expect(&c, "environment", W, "OMP_WAIT_POLICY=active does not suit", 4);
    case_init(&c);
    set(0, "OMP_WAIT_POLICY", "passive");
    expect(&c, "environment", W, "OMP_WAIT_POLICY=passive does not suit", 1);
}

static void a_quota_below_the_threads_holds_them_up(void **state)
{
    (void)state;
    case_init(&c);
    c.facts[0].cores.quota = 8.0;
    expect(&c, "cores", DDPM_DOCTOR_OK, "", 8);
    c.facts[0].cores.quota = 7.5;
    expect(&c, "cores", W, "cpu.max) is 7.5", 4);
}

static void several_numa_domains_are_told_of_a_rank_with_threads(void **state)
{
    (void)state;
    case_init(&c);
    c.facts[6].cores.numa_domains = 2;
    expect(&c, "numa", W, "2 NUMA domains", 1);
    c.facts[6].cores.threads = 1;
    expect(&c, "numa", DDPM_DOCTOR_OK, "", 8);
}

static void variables_that_hurt_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bad, *good;
    } variables[] = { { "OMP_NUM_THREADS", "8", "2" },      { "OMP_NUM_THREADS", "many", "2" },
                      { "OMP_THREAD_LIMIT", "1", "2" },     { "OMP_DYNAMIC", "TRUE", "false" },
                      { "OPENBLAS_NUM_THREADS", "4", "1" }, { "OPENBLAS_CORETYPE", "Haswell", "" },
                      { "OPENBLAS_L2_SIZE", "512", "" },    { "GOMP_CPU_AFFINITY", "0-3", "" },
                      { "OMP_PROC_BIND", "", "true" },      { "MALLOC_PERTURB_", "165", "" } };
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        case_init(&c);
        set(3, variables[i].name, variables[i].good);
        expect(&c, "environment", DDPM_DOCTOR_OK, "", 8);
        if (!*variables[i].bad) continue;
        set(3, variables[i].name, variables[i].bad);
        expect(&c, "environment", W, variables[i].name, 1);
    }
}

static void poorer_kernels_than_the_processor_has_are_told(void **state)
{
    (void)state;
    case_init(&c);
    for (size_t r = 0; r < CASE_RANKS; r++)
        snprintf(c.facts[r].program.best_isa, sizeof c.facts[r].program.best_isa, "avx512");
    expect(&c, "instructions", W, "run avx2, and this processor has avx512", 8);
    case_init(&c);
    snprintf(c.facts[1].program.blas, sizeof c.facts[1].program.blas, "OpenBLAS 0.3.21 Prescott");
    expect(&c, "blas", W, "without AVX2", 1);
    case_init(&c);
    c.facts[1].program.kernels = (ddpm_doctor_outcome){ DDPM_ECONFIG, "DDPM_ISA=mmx" };
    expect(&c, "instructions", E, "DDPM_ISA=mmx", 1);
}

static void a_straggler_is_named_with_its_host(void **state)
{
    (void)state;
    case_init(&c);
    c.facts[6].program.flops = 40e9;
    expect(&c, "speed", DDPM_DOCTOR_OK, "slowest at 40", 8);
    c.facts[6].program.flops = 30e9;
    expect(&c, "speed", W, "rank 6 on node1 is a straggler: 30 GFLOP/s where the median is 50", 8);
}

static void infiniband_that_is_not_used_is_told(void **state)
{
    (void)state;
    case_init(&c);
    snprintf(c.facts[4].network.infiniband, sizeof c.facts[4].network.infiniband, "mlx5_0");
    expect(&c, "transport", W, "node1 has InfiniBand or RoCE (mlx5_0)", 8);
    for (size_t r = 0; r < CASE_RANKS; r++)
        snprintf(c.facts[r].program.library, sizeof c.facts[r].program.library,
                 "Open MPI v4.1.4, transport ucx");
    expect(&c, "transport", DDPM_DOCTOR_OK, "ucx", 8);
    c.facts[7].program.library[0] = 'o';
    expect(&c, "transport", W, "rank 7 (node1) communicates by", 8);
    case_init(&c);
    snprintf(c.facts[7].program.library, sizeof c.facts[7].program.library,
             "Open MPI v4.1.4, transport ob1/tcp"); /* alone on its node */
    expect(&c, "transport", DDPM_DOCTOR_OK, "", 8);
}

static void communication_without_threads_is_told(void **state)
{
    (void)state;
    case_init(&c);
    c.facts[2].program.threads = false;
    expect(&c, "overlap", W, "MPI_THREAD_MULTIPLE is not granted", 8);
    case_init(&c);
    c.all.config = &c.config;
    expect(&c, "overlap", DDPM_DOCTOR_OK, "", 8);
    c.config.dist.overlap = false;
    expect(&c, "overlap", W, "dist.overlap = no", 8);
}

/* 64 MiB in 0.064 s; 6 x 1e9 operations an image, 8 images, at 2.5 x 50 GFLOP/s: 0.384 s. */
static void sums_are_held_against_the_time_of_computing(void **state)
{
    (void)state;
    case_init(&c);
    expect(&c, "sums", DDPM_DOCTOR_OK,
           "64.0 MiB in 0.064 s (1.05 GB/s), a small one in 100 us; "
           "within a node 2.10 GB/s",
           8);
    c.all.config = &c.config;
    c.all.plan = &c.plan;
    c.config.train.micro_batch = 8;
    c.plan.rank_micro_batches = 1;
    c.plan.needs.forward_macs_per_image = 1e9;
    c.plan.needs.param_floats = 16 << 20;
    expect(&c, "sums", DDPM_DOCTOR_OK, "gradient takes 0.064 s a step, computing it about 0.38 s",
           8);
    c.plan.needs.forward_macs_per_image = 1e8;
    expect(&c, "sums", W, "longer than computing it", 8);
}

static void memory_is_held_against_the_plan(void **state)
{
    (void)state;
    case_init(&c);
    for (size_t r = 0; r < CASE_RANKS; r++) c.facts[r].memory.plan_bytes = (uint64_t)10 << 30;
    expect(&c, "memory", DDPM_DOCTOR_OK, "4 ranks need 40.0 GiB", 8);
    c.facts[4].memory.available = (uint64_t)39 << 30;
    expect(&c, "memory", W, "only 39.0 GiB of its memory is free", 4);
    c.facts[4].memory.address_space = (uint64_t)9 << 30;
    expect(&c, "memory", E, "ulimit leaves a process 9.00 GiB", 4);
    c.facts[4].memory.plan = (ddpm_doctor_outcome){ DDPM_EOS, "too large" };
    expect(&c, "memory", E, "too large", 4);
    case_init(&c);
    c.facts[0].memory.swap_used = (uint64_t)1 << 30;
    expect(&c, "memory", W, "1.00 GiB of swap", 4);
    case_init(&c);
    c.facts[0].memory.overcommit = 2;
    expect(&c, "memory", W, "overcommit_memory is 2", 4);
}

static void limits_that_are_too_low_are_told(void **state)
{
    (void)state;
    case_init(&c);
    c.facts[0].memory.shared_free = 64 << 20;
    expect(&c, "shared-memory", W, "/dev/shm has 64.0 MiB free", 4);
    snprintf(c.facts[0].memory.huge_pages, sizeof c.facts[0].memory.huge_pages, "never");
    expect(&c, "huge-pages", W, "are off", 4);
    c.facts[0].memory.files = 159;
    expect(&c, "limits", W, "may open 159 files", 1);
    c.facts[0].memory.files = 160;
    c.facts[0].memory.locked = 64 << 10;
    expect(&c, "limits", DDPM_DOCTOR_OK, "", 8);
    snprintf(c.facts[0].network.infiniband, sizeof c.facts[0].network.infiniband, "mlx5_0");
    expect(&c, "limits", W, "may lock 64.0 KiB", 1);
    case_init(&c);
    c.facts[0].memory.stack = 64 << 10;
    expect(&c, "limits", W, "stack", 1);
    c.facts[3].network.ptrace_scope = 1;
    expect(&c, "single-copy", DDPM_DOCTOR_OK, "", 8);
}

static void clocks_that_differ_are_told(void **state)
{
    (void)state;
    case_init(&c);
    c.facts[6].clock.offset_seconds = 4.0;
    expect(&c, "clock", DDPM_DOCTOR_OK, "within 4.0 s", 8);
    c.facts[6].clock.offset_seconds = -7.0;
    expect(&c, "clock", W, "rank 6 (node1) is -7 s off", 8);
    case_init(&c);
    c.facts[0].clock.seconds_left = 7200;
    expect(&c, "clock", DDPM_DOCTOR_OK, "SLURM ends the job in 2 h", 8);
    c.facts[0].clock.seconds_left = 60;
    expect(&c, "clock", W, "SLURM ends the job in 1 min", 8);
    c.facts[0].clock.seconds_left = -60;
    expect(&c, "clock", W, "is past", 8);
}

static void a_run_directory_must_last(void **state)
{
    (void)state;
    case_init(&c);
    ddpm_doctor_storage *d = &c.facts[0].storage;
    d->checkpoint_bytes = (uint64_t)1 << 38;
    d->checkpoints = 4;
    expect(&c, "run", DDPM_DOCTOR_OK, "", 8);
    d->checkpoints = 5;
    expect(&c, "run", E, "5 checkpoints of this configuration take 1.25 TiB", 8);
    d->checkpoints = 0;
    snprintf(d->type, sizeof d->type, "tmpfs");
    expect(&c, "run", W, "gone after a reboot", 8);
    snprintf(d->type, sizeof d->type, "overlay");
    expect(&c, "run", W, "container", 8);
    d->directory = (ddpm_doctor_outcome){ DDPM_ECREATE, "read-only" };
    expect(&c, "run", E, "read-only", 8);
    expect(&c, "lock", DDPM_DOCTOR_OK, "not tried", 8);
    expect(&c, "durability", DDPM_DOCTOR_OK, "not tried", 8);
}

static void locks_and_syncs_that_fail_are_told(void **state)
{
    (void)state;
    ddpm_doctor_storage *d = &c.facts[0].storage;
    case_init(&c);
    d->lock = ENOLCK;
    expect(&c, "lock", W, "heartbeat", 8);
    d->lock = 0;
    d->lock_excludes = false;
    expect(&c, "lock", W, "two have the same lock", 8);
    d->lock_excludes = true;
    d->exclusive = EEXIST;
    expect(&c, "lock", W, "O_EXCL", 8);
    d->sync = ENOSPC;
    expect(&c, "durability", E, "syncing a file fails: No space", 8);
    d->sync = 0;
    d->rename = EXDEV;
    expect(&c, "durability", E, "renaming", 8);
    d->rename = 0;
    d->sync_directory = EINVAL;
    expect(&c, "durability", W, "directory cannot be synced", 8);
    d->sync_directory = 0;
    d->large_seconds = 11.0;
    expect(&c, "durability", W, "64 MiB takes 11 s", 8);
}

static void configuration_and_data_that_cannot_be_read_are_told(void **state)
{
    (void)state;
    case_init(&c);
    c.facts[0].config = (ddpm_doctor_outcome){ DDPM_ECONFIG, "x.ini:3: unknown key" };
    expect(&c, "configuration", E, "x.ini:3", 8);
    for (size_t r = 4; r < CASE_RANKS; r++)
        c.facts[r].data = (ddpm_doctor_outcome){ DDPM_ENOINPUT, "set.h5: no such file" };
    expect(&c, "data", E, "set.h5", 4);
}

int main(void)
{
    unsetenv("OMP_WAIT_POLICY"); /* the tests' own */
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_are_held_against_slurm),
        cmocka_unit_test(different_programs_are_named_with_their_rank),
        cmocka_unit_test(a_rank_with_fewer_cores_than_threads_is_told_to_bind),
        cmocka_unit_test(hardware_threads_are_no_cores),
        cmocka_unit_test(cores_without_threads_are_told),
        cmocka_unit_test(an_unbound_rank_shares_without_a_warning),
        cmocka_unit_test(masks_that_overlap_in_part_are_a_mistake),
        cmocka_unit_test(an_oversubscribed_node_should_wait_passively),
        cmocka_unit_test(a_quota_below_the_threads_holds_them_up),
        cmocka_unit_test(several_numa_domains_are_told_of_a_rank_with_threads),
        cmocka_unit_test(variables_that_hurt_are_named),
        cmocka_unit_test(poorer_kernels_than_the_processor_has_are_told),
        cmocka_unit_test(a_straggler_is_named_with_its_host),
        cmocka_unit_test(infiniband_that_is_not_used_is_told),
        cmocka_unit_test(communication_without_threads_is_told),
        cmocka_unit_test(sums_are_held_against_the_time_of_computing),
        cmocka_unit_test(memory_is_held_against_the_plan),
        cmocka_unit_test(limits_that_are_too_low_are_told),
        cmocka_unit_test(clocks_that_differ_are_told),
        cmocka_unit_test(a_run_directory_must_last),
        cmocka_unit_test(locks_and_syncs_that_fail_are_told),
        cmocka_unit_test(configuration_and_data_that_cannot_be_read_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
