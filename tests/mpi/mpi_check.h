/** @file mpi_check.h
 *  cmocka with several ranks: every rank runs every test, and a failed assertion leaves its test at
 *  once. So that the ranks stay together, a test first makes all its collective calls and then its
 *  assertions. */
#ifndef MPI_CHECK_H
#define MPI_CHECK_H
#include "check.h"
#include "ddpm/dist/comm.h"

static ddpm_comm *world;

/** Starts MPI, runs the group; one rank's failure is the whole job's. */
#define MPI_CHECK_MAIN(tests)                                                                      \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        if (ddpm_comm_start(&world, &argc, &argv) != DDPM_OK) return 1;                            \
        const int failed = cmocka_run_group_tests(tests, NULL, NULL);                              \
        if (failed) ddpm_comm_abort(world, 1);                                                     \
        ddpm_comm_stop(world);                                                                     \
        return 0;                                                                                  \
    }
#endif
