/* ddpm-eval: how good a model is, and its samples. */
#include "eval/eval.h"

static const ddpm_subcommand subcommands[] = {
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

static const ddpm_program program = {
    .name = "ddpm-eval",
    .version = "ddpm-eval " DDPM_VERSION,
    .purpose = "Judges models and samples. Results are appended to results.jsonl.\n",
    .closing = "`ddpm-eval SUBCOMMAND --help` explains each; the manual: man ddpm-eval.\n",
    .subcommands = subcommands,
    .count = sizeof subcommands / sizeof *subcommands,
};

int main(int argc, char **argv)
{
    return ddpm_program_main(&program, argc, argv);
}
