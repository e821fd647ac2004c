#include "ddpm/base/command.h"

#include "ddpm/base/log.h"
#include "ddpm/base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_help(FILE *out, const ddpm_program *program)
{
    int longest = 0;
    for (size_t i = 0; i < program->count; i++) {
        const int length = (int)strlen(program->subcommands[i].name);
        if (length > longest) longest = length;
    }
    fprintf(out, "Usage: %s SUBCOMMAND [OPTION...]\n%s\n", program->name, program->purpose);
    for (size_t i = 0; i < program->count; i++)
        fprintf(out, "  %-*s  %s\n", longest, program->subcommands[i].name,
                program->subcommands[i].help);
    fprintf(out, "\n%s", program->closing);
}

static int unknown(const ddpm_program *program, const char *name)
{
    const char *names[DDPM_SUBCOMMANDS_MOST];
    for (size_t i = 0; i < program->count; i++) names[i] = program->subcommands[i].name;
    const char *nearest = ddpm_text_nearest(name, names, program->count);
    if (nearest)
        ddpm_log_error("there is no subcommand '%s'; did you mean '%s'?", name, nearest);
    else
        ddpm_log_error("there is no subcommand '%s'; %s --help lists them", name, program->name);
    return DDPM_EUSAGE;
}

static const ddpm_subcommand *find(const ddpm_program *program, const char *name)
{
    for (size_t i = 0; i < program->count; i++)
        if (strcmp(name, program->subcommands[i].name) == 0) return &program->subcommands[i];
    return NULL;
}

static int answer(const ddpm_program *program, const char *word)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0)
        print_help(stdout, program);
    else if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        puts(program->version);
    else
        return unknown(program, word);
    return ddpm_program_finish(0);
}

int ddpm_program_main(const ddpm_program *program, int argc, char **argv)
{
    assert(program->count <= DDPM_SUBCOMMANDS_MOST);
    ddpm_log_init(program->name, DDPM_LOG_INFO);
    argp_program_version = program->version;
    ddpm_command_hold();
    if (argc < 2) {
        print_help(stderr, program);
        return DDPM_EUSAGE;
    }
    const ddpm_subcommand *subcommand = find(program, argv[1]);
    if (!subcommand) return answer(program, argv[1]);
    ddpm_command_release();
    char name[64];
    snprintf(name, sizeof name, "%s %s", program->name, subcommand->name);
    argv[1] = name; /* so that usage messages show what was typed */
    return ddpm_program_finish(subcommand->run(argc - 1, argv + 1));
}

int ddpm_program_finish(int code)
{
    if ((fflush(stdout) == 0 && !ferror(stdout)) || code != 0) return code;
    return ddpm_log_failure(
        ddpm_fail(DDPM_EIO, "cannot write to standard output: %s", strerror(errno)));
}

static error_t pass_input(int key, char *text, struct argp_state *state)
{
    (void)text;
    if (key != ARGP_KEY_INIT) return ARGP_ERR_UNKNOWN;
    state->child_inputs[0] = state->child_inputs[1] = state->input;
    return 0;
}

void ddpm_command_parse(const struct argp *own, const struct argp *shared, int argc, char **argv,
                        void *input)
{
    const struct argp_child both[] = { { own, 0, NULL, 0 }, { shared, 0, NULL, 0 }, { 0 } };
    const struct argp all = { .parser = pass_input, .children = both };
    argp_err_exit_status = DDPM_EUSAGE;
    ddpm_command_hold();
    const error_t error = argp_parse(shared ? &all : own, argc, argv, 0, NULL, input);
    if (error != 0)
        exit(ddpm_log_failure(ddpm_fail(DDPM_EOS, "command line: %s", strerror(error))));
    ddpm_command_release();
}
