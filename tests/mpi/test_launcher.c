/* What the environment says about who started how many, against the ranks that there are. */
#include "comm_internal.h"
#include "ddpm/base/launch.h"
#include "mpi_check.h"

#include <stdlib.h>

static const char *const variables[] = {
    "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "PMI_SIZE",
    "SLURM_STEP_NUM_TASKS", "SLURM_PROCID",         "SLURM_NTASKS"
};

static int forget(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) unsetenv(variables[i]);
    return 0;
}

static void a_program_by_itself_is_one_rank(void **state)
{
    (void)state;
    assert_null(ddpm_launch_find().launcher);
    assert_int_equal(ddpm_launch_find().rank, 0);
    assert_int_equal(ddpm_launch_find().slurm_tasks, 0);
    CHECK_OK(ddpm_dist__check_launcher(1));
    setenv("SLURM_PROCID", "1", 1);
    setenv("SLURM_NTASKS", "4", 1); /* a batch script: known, and for the caller to judge */
    assert_null(ddpm_launch_find().launcher);
    assert_int_equal(ddpm_launch_find().rank, 0);
    assert_int_equal(ddpm_launch_find().slurm_tasks, 4);
    CHECK_OK(ddpm_dist__check_launcher(1));
}

static void tasks_that_do_not_know_each_other_are_refused(void **state)
{
    (void)state;
    setenv("SLURM_STEP_NUM_TASKS", "4", 1);
    setenv("SLURM_NTASKS", "4", 1);
    setenv("SLURM_PROCID", "3", 1);
    assert_string_equal(ddpm_launch_find().launcher, "srun");
    assert_int_equal(ddpm_launch_find().rank, 3);
    assert_false(ddpm_launch_find().ends_all);
    CHECK_STATUS(ddpm_dist__check_launcher(1), DDPM_ECONFIG);
    CHECK_MESSAGE("srun started 4 processes (SLURM_STEP_NUM_TASKS), but MPI sees 1");
    CHECK_MESSAGE("--mpi=pmix");
    CHECK_OK(ddpm_dist__check_launcher(4));
    assert_int_equal(ddpm_launch_find().slurm_tasks, 4);
}

static void another_mpi_is_refused(void **state)
{
    (void)state;
    setenv("PMI_SIZE", "2", 1);
    CHECK_STATUS(ddpm_dist__check_launcher(1), DDPM_ECONFIG);
    CHECK_MESSAGE("PMI_SIZE");
    CHECK_OK(ddpm_dist__check_launcher(2));
    forget(NULL);
    setenv("OMPI_COMM_WORLD_SIZE", "3", 1);
    CHECK_STATUS(ddpm_dist__check_launcher(1), DDPM_ECONFIG);
    CHECK_MESSAGE("mpirun started 3 processes");
}

static void beneath_mpirun_the_step_is_of_its_daemons(void **state)
{
    (void)state;
    setenv("OMPI_COMM_WORLD_SIZE", "8", 1);
    setenv("SLURM_STEP_NUM_TASKS", "2", 1);
    setenv("SLURM_NTASKS", "2", 1);
    setenv("OMPI_COMM_WORLD_RANK", "5", 1);
    setenv("SLURM_PROCID", "1", 1);
    assert_string_equal(ddpm_launch_find().launcher, "mpirun");
    assert_int_equal(ddpm_launch_find().processes, 8);
    assert_int_equal(ddpm_launch_find().rank, 5);
    assert_true(ddpm_launch_find().ends_all);
    assert_int_equal(ddpm_launch_find().slurm_tasks, 0);
    CHECK_OK(ddpm_dist__check_launcher(8));
    unsetenv("SLURM_STEP_NUM_TASKS"); /* on the batch script's own node */
    assert_int_equal(ddpm_launch_find().slurm_tasks, 2);
}

static void numbers_that_are_none_say_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = { "", "-1", "0", "x", "99999999999999999999" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        setenv("SLURM_STEP_NUM_TASKS", bad[i], 1);
        setenv("SLURM_NTASKS", bad[i], 1);
        assert_null(ddpm_launch_find().launcher);
        assert_int_equal(ddpm_launch_find().slurm_tasks, 0);
        CHECK_OK(ddpm_dist__check_launcher(1));
    }
}

static void the_ranks_of_a_node_split_off(void **state)
{
    (void)state;
    ddpm_comm *node = NULL;
    double mine = ddpm_comm_rank(world), all[16] = { 0 };
    const ddpm_status status = ddpm_comm_split_node(&node, world);
    ddpm_status gathered = DDPM_EINTERNAL;
    int size = 0, rank = -1, nodes = 0;
    if (status == DDPM_OK) {
        gathered = ddpm_comm_allgather_f64(node, all, &mine, 1);
        size = ddpm_comm_size(node);
        rank = ddpm_comm_rank(node);
        nodes = ddpm_comm_node_count(node);
    }
    ddpm_comm_free(node);
    CHECK_OK(status);
    CHECK_OK(gathered);
    assert_int_equal(size, ddpm_comm_node_size(world));
    assert_int_equal(rank, ddpm_comm_node_rank(world));
    assert_int_equal(nodes, 1);
    for (int r = 0; r < size; r++) assert_true(all[r] == (double)r);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(a_program_by_itself_is_one_rank, forget),
    cmocka_unit_test_setup(tasks_that_do_not_know_each_other_are_refused, forget),
    cmocka_unit_test_setup(another_mpi_is_refused, forget),
    cmocka_unit_test_setup(beneath_mpirun_the_step_is_of_its_daemons, forget),
    cmocka_unit_test_setup(numbers_that_are_none_say_nothing, forget),
    cmocka_unit_test(the_ranks_of_a_node_split_off),
};
MPI_CHECK_MAIN(tests)
