/* One command line, many processes: who says what is wrong with it.
 *
 * Whether all processes come to the same is not known before MPI connects them, and a command line
 * that makes no sense ends them before that. mpirun and srun give all of them the same, so the
 * first speaks and the others hold back, but for two cases:
 * - A rank alone is wrong: mpirun with several commands, or a wrapper that adds arguments by rank.
 *   What it has to say must not be lost.
 * - A rank is faster than the first, and its exit code makes mpirun end the first before that has
 *   said a word.
 * So the others wait before they end. Where the first failed too, mpirun ends them meanwhile.
 * Where nobody did, the first did not fail (or is slow to start), and they speak up themselves.
 * srun as a rule lets tasks live when another fails: there, waiting tells nothing, and they stay
 * silent; srun names each task that failed, and its exit code. */
#include "ddpm/base/command.h"
#include "ddpm/base/launch.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Ranks of a job start within a second or two of each other. */
enum { PATIENCE_SECONDS = 5 };

typedef struct {
    FILE *real; /* NULL: nothing is held */
    char *text;
    size_t bytes;
} held_stream;

static held_stream held_out, held_err;

/* glibc's standard streams are variables: so getopt, argp and all others are held alike. */
static bool hold(held_stream *held, FILE **stream)
{
    FILE *kept = open_memstream(&held->text, &held->bytes);
    if (!kept) return false;
    held->real = *stream;
    *stream = kept;
    return true;
}

static void release(held_stream *held, FILE **stream, bool is_heard)
{
    if (!held->real) return;
    fclose(*stream);
    *stream = held->real;
    if (is_heard && held->text) fwrite(held->text, 1, held->bytes, *stream);
    free(held->text);
    *held = (held_stream){ 0 };
}

static volatile sig_atomic_t exit_code;

static void end_silently(int number)
{
    (void)number;
    _exit(exit_code);
}

static bool is_alone_in_this(int code)
{
    exit_code = code;
    signal(SIGTERM, end_silently);
    sleep(PATIENCE_SECONDS);
    return ddpm_launch_find().ends_all;
}

static void at_exit(int code, void *context)
{
    (void)context;
    if (!held_err.real) return;
    const bool is_heard = code != 0 && is_alone_in_this(code);
    release(&held_out, &stdout, is_heard);
    release(&held_err, &stderr, is_heard);
}

void ddpm_command_hold(void)
{
    static bool is_registered;
    if (held_err.real || ddpm_launch_find().rank == 0) return;
    if (!is_registered && on_exit(at_exit, NULL) != 0) return;
    is_registered = true;
    /* Where memory is short, better heard twice than not at all. */
    if (hold(&held_err, &stderr)) (void)hold(&held_out, &stdout);
}

void ddpm_command_release(void)
{
    release(&held_out, &stdout, true);
    release(&held_err, &stderr, true);
}
