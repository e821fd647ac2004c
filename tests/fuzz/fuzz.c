#include "fuzz.h"

#include "ddpm/base/log.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* HDF5 1.10 itself leaks where it finds a file damaged. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5\n";
}

static char folder[256];
unsigned long fuzz_inputs;

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *at)
{
    (void)about;
    (void)kind;
    (void)at;
    return remove(path);
}

static void remove_folder(void)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* What importers say on the way is no finding. */
__attribute__((constructor)) static void be_quiet(void)
{
    ddpm_log_init("fuzz", DDPM_LOG_ERROR);
}

const char *fuzz_scratch(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    if (!*folder) {
        const char *base = getenv("TMPDIR");
        snprintf(folder, sizeof folder, "%s/ddpm-fuzz-XXXXXX", base && *base ? base : "/dev/shm");
        FUZZ_REQUIRE(mkdtemp(folder));
        atexit(remove_folder);
    }
    snprintf(path, sizeof *paths, "%s/%s", folder, name);
    return path;
}

const char *fuzz_input(const void *data, size_t bytes)
{
    /* A new file each time: HDF5 takes two of one inode for one, and it may still hold the last
     * one. And a real one: HDF5 wants a path that can be resolved. */
    const char *path = fuzz_scratch("input");
    fuzz_inputs++;
    unlink(path);
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    FUZZ_REQUIRE(fd >= 0 && write(fd, data, bytes) == (ssize_t)bytes && close(fd) == 0);
    return path;
}

void fuzz_check(ddpm_status status)
{
    if (status == DDPM_OK) return;
    if (status == DDPM_EDATA && *ddpm_status_message()) return;
    fprintf(stderr, "status %d: %s\n", (int)status, ddpm_status_message());
    fuzz_fail("a hostile file is bad data", __FILE__, __LINE__);
}

void fuzz_fail(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: %s does not hold\n", file, line, what);
    abort();
}
