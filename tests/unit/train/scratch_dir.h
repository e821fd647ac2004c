/** @file scratch_dir.h
 *  A directory of the running test's own, as its state; in memory where there is such a place,
 * since what is published is also synchronised. */
#ifndef SCRATCH_DIR_H
#define SCRATCH_DIR_H
#include "check.h"

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int scratch_dir_make(void **state)
{
    const bool memory = access("/dev/shm", W_OK) == 0;
    char *path = strdup(memory ? "/dev/shm/ddpm-test-XXXXXX" : "/tmp/ddpm-test-XXXXXX");
    *state = path;
    return path && mkdtemp(path) ? 0 : -1;
}

static int scratch_dir_remove_entry(const char *path, const struct stat *info, int kind,
                                    struct FTW *at)
{
    (void)info, (void)kind, (void)at;
    return remove(path);
}

static int scratch_dir_remove(void **state)
{
    const int failed = nftw(*state, scratch_dir_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return failed;
}

/* A test with such a directory. */
#define scratch_dir_test(function)                                                                 \
    cmocka_unit_test_setup_teardown(function, scratch_dir_make, scratch_dir_remove)
#endif
