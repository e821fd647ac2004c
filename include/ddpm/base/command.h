/** @file base/command.h
 *  Command lines: programs that are a table of subcommands, parsers by argp, and who of several
 *  processes says what is wrong with a command line. */
#ifndef DDPM_BASE_COMMAND_H
#define DDPM_BASE_COMMAND_H
#include <argp.h>
#include <stddef.h>

typedef struct {
    const char *name, *help; /**< help: a line of the program's --help */
    /** Gets its own arguments (argv[0] is "ddpm-dist train") and returns an exit code. */
    int (*run)(int argc, char **argv);
} ddpm_subcommand;

enum { DDPM_SUBCOMMANDS_MOST = 16 };
typedef struct {
    const char *name, *version;    /**< "ddpm-dist", "ddpm-dist 0.1.0" */
    const char *purpose, *closing; /**< what --help says before and after the list; whole lines */
    const ddpm_subcommand *subcommands;
    size_t count; /**< at most DDPM_SUBCOMMANDS_MOST */
} ddpm_program;

/** main() of a program with subcommands: runs the one that argv[1] names, or says what there is
 *  (--help, --version, nothing, or a name that is none). Returns the exit code. */
int ddpm_program_main(const ddpm_program *program, int argc, char **argv);
/** The end of any program: `code`, or the failure's where it is 0 and what was printed cannot be
 *  written to standard output. */
int ddpm_program_finish(int code);

/** Parses, or ends the program: --help and --version with 0, a bad command line with DDPM_EUSAGE.
 *  `shared`: NULL, or what other subcommands take too; what `own` does not know goes there. Both
 *  get `input`, which begins with the structure that `shared` is made for. */
void ddpm_command_parse(const struct argp *own, const struct argp *shared, int argc, char **argv,
                        void *input);

/** Of the processes that a launcher started with one command line, from here on only the first
 *  prints. The others keep what they would say until ddpm_command_release passes it on, or the
 *  process ends: with 0 it is dropped (--help), else heard where the first did not fail as well
 *  (command_hold.c). For what comes before MPI and any second thread. */
void ddpm_command_hold(void);
void ddpm_command_release(void);
#endif
