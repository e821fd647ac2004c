/* ddpm-eval: how good a model is, and its samples. */
#include "eval/eval.h"

#include "ddpm/base/log.h"
#include "ddpm/base/text.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *help;
    ddpm_status (*run)(ddpm_comm **comm, int argc, char **argv);
} subcommands[] = {
    { "bpd", "bits a dimension by the bound, and the rate-distortion curve", eval_bpd },
    { "features", "features of images by an Inception network, into a file", eval_features },
    { "fid", "Frechet distance between features of samples and of real images", eval_fid },
    { "kid", "kernel distance between them", eval_kid },
    { "prdc", "precision, recall, density, coverage by them", eval_prdc },
    { "swd", "sliced Wasserstein distance between samples and data", eval_swd },
    { "classifier-distance", "Frechet distance in features of a classifier of our own",
      eval_classifier_distance },
    { "memorization", "how near samples come to the training images", eval_memorization },
    { "compare", "the results of runs in one table, and as plots", eval_compare },
};
enum { SUBCOMMANDS = sizeof subcommands / sizeof *subcommands };

static void print_help(FILE *out)
{
    fputs("Usage: ddpm-eval SUBCOMMAND [OPTION...]\n"
          "Judges models and samples. Results are appended to results.jsonl.\n\n",
          out);
    for (size_t i = 0; i < SUBCOMMANDS; i++)
        fprintf(out, "  %-19s %s\n", subcommands[i].name, subcommands[i].help);
    fputs("\n`ddpm-eval SUBCOMMAND --help` explains each; the manual: man ddpm-eval.\n", out);
}

static int unknown(const char *name)
{
    const char *names[SUBCOMMANDS];
    for (size_t i = 0; i < SUBCOMMANDS; i++) names[i] = subcommands[i].name;
    const char *nearest = ddpm_text_nearest(name, names, SUBCOMMANDS);
    if (nearest)
        ddpm_log_error("there is no subcommand '%s'; did you mean '%s'?", name, nearest);
    else
        ddpm_log_error("there is no subcommand '%s'; ddpm-eval --help lists them", name);
    return DDPM_EUSAGE;
}

static int run(size_t which, int argc, char **argv)
{
    ddpm_comm *comm = NULL;
    char name[32];
    snprintf(name, sizeof name, "ddpm-eval %s", subcommands[which].name);
    argv[1] = name;
    ddpm_status status = subcommands[which].run(&comm, argc - 1, argv + 1);
    if (status == DDPM_OK && (fflush(stdout) != 0 || ferror(stdout)))
        status = ddpm_fail(DDPM_EIO, "cannot write to standard output: %s", strerror(errno));
    /* Every rank has the same failure; one tells. */
    int code = (int)status;
    if (status != DDPM_OK && (!comm || ddpm_comm_rank(comm) == 0)) code = ddpm_log_failure(status);
    ddpm_comm_stop(comm);
    return code;
}

int main(int argc, char **argv)
{
    ddpm_log_init("ddpm-eval", DDPM_LOG_INFO);
    argp_err_exit_status = DDPM_EUSAGE;
    argp_program_version = "ddpm-eval " DDPM_VERSION;
    if (argc < 2) {
        print_help(stderr);
        return DDPM_EUSAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        puts(argp_program_version);
        return 0;
    }
    for (size_t i = 0; i < SUBCOMMANDS; i++)
        if (strcmp(argv[1], subcommands[i].name) == 0) return run(i, argc, argv);
    return unknown(argv[1]);
}
