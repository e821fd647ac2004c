/* HDF5 1.10 crashes by itself on many hostile files (docs/decisions/005-hostile-hdf5.md), and a
 * fuzzer would meet nothing else. Linked into a fuzz target, this ends the process quietly where
 * the crash is within libhdf5; libFuzzer's fork mode goes on with the next. They are counted: a
 * line each in the file $DDPM_FUZZ_SCREENED, with the number of inputs that the process had tried.
 * A crash anywhere else stays a finding. */
#include "fuzz.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FRAMES = 64 };

/* Loads what it needs while there is nothing wrong yet. */
__attribute__((constructor)) static void start(void)
{
    void *frame[2];
    backtrace(frame, 2);
}

/* Whether an address is of our sources: this program also holds the sanitizers' runtime. */
static bool is_ours(void *address)
{
    char source[512] = "";
    __sanitizer_symbolize_pc((char *)address - 1, "%s", source, sizeof source);
    return (strstr(source, "/src/") || strstr(source, "/tests/fuzz/")) &&
           !strstr(source, "/screen.c") && !strstr(source, "compiler-rt");
}

/* The innermost frame that is HDF5's or ours decides. */
static bool is_in_hdf5(void)
{
    void *frame[FRAMES];
    const int count = backtrace(frame, FRAMES);
    for (int i = 0; i < count; i++) {
        Dl_info module;
        if (!dladdr(frame[i], &module) || !module.dli_fname) continue;
        if (strstr(module.dli_fname, "libhdf5")) return true;
        if (!strstr(module.dli_fname, ".so") && is_ours(frame[i])) return false;
    }
    return false;
}

void __asan_on_error(void)
{
    if (!is_in_hdf5()) return;
    const char *path = getenv("DDPM_FUZZ_SCREENED");
    char line[32];
    const int bytes = snprintf(line, sizeof line, "%lu\n", fuzz_inputs);
    const int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0666) : -1;
    if (fd >= 0 && write(fd, line, (size_t)bytes) == bytes) close(fd);
    _exit(0);
}
