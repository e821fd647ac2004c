/* faults_poke PID ADDRESS BYTES WHAT SEED: changes one float32 of another process's memory, as a
 * bad memory cell would: WHAT is nan, inf or flip (one of its bits). The place is drawn from SEED;
 * padding, which is 0 and no part of any tensor, is passed over. Prints the element and its values.
 * The process is stopped meanwhile, so that no instruction of its own is halfway. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

static int transfer(pid_t pid, uintptr_t address, float *value, int to_it)
{
    const struct iovec here = { .iov_base = value, .iov_len = sizeof *value };
    /* An address there is no pointer here. NOLINTNEXTLINE(performance-no-int-to-ptr) */
    const struct iovec there = { .iov_base = (void *)address, .iov_len = sizeof *value };
    const ssize_t done = to_it ? process_vm_writev(pid, &here, 1, &there, 1, 0)
                               : process_vm_readv(pid, &here, 1, &there, 1, 0);
    return done == (ssize_t)sizeof *value;
}

/* SIGSTOP takes a moment. */
static void stop(pid_t pid)
{
    char path[64], line[256];
    kill(pid, SIGSTOP);
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    for (int i = 0; i < 1000; i++) {
        FILE *file = fopen(path, "r");
        if (!file || !fgets(line, sizeof line, file)) line[0] = 0;
        if (file) fclose(file);
        const char *state = strrchr(line, ')');
        if (state && state[1] && state[2] == 'T') return;
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
}

static float changed(float value, const char *what, uint64_t seed)
{
    uint32_t bits;
    if (strcmp(what, "nan") == 0) return NAN;
    if (strcmp(what, "inf") == 0) return INFINITY;
    memcpy(&bits, &value, sizeof bits);
    bits ^= UINT32_C(1) << (seed >> 7) % 32;
    memcpy(&value, &bits, sizeof bits);
    return value;
}

int main(int argc, char **argv)
{
    if (argc != 6) return 64;
    const pid_t pid = (pid_t)strtol(argv[1], NULL, 10);
    const uintptr_t base = (uintptr_t)strtoull(argv[2], NULL, 16);
    const uint64_t floats = strtoull(argv[3], NULL, 10) / sizeof(float);
    uint64_t place = strtoull(argv[5], NULL, 10);
    if (pid <= 0 || base == 0 || floats == 0) return 64;
    float before = 0.0f, after = 0.0f;
    int code = 74;
    stop(pid);
    for (int i = 0; i < 1000; i++) {
        place = place * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const uintptr_t at = base + (place >> 20) % floats * sizeof(float);
        if (!transfer(pid, at, &before, 0)) {
            fprintf(stderr, "faults_poke: %s\n", strerror(errno));
            break;
        }
        if (before == 0.0f) continue;
        after = changed(before, argv[4], place);
        code = transfer(pid, at, &after, 1) ? 0 : 74;
        printf("element %llu: %.9g is now %.9g\n",
               (unsigned long long)((at - base) / sizeof(float)), (double)before, (double)after);
        break;
    }
    kill(pid, SIGCONT);
    return code;
}
