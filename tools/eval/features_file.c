/* features: those of images, into a file. */
#include "ddpm/io/h5.h"
#include "extract.h"

#include "ddpm/base/log.h"
#include "ddpm/base/path.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_THREADS = 256, OPTION_NETWORK };

typedef struct {
    eval_common common;
    const char *images, *network, *output;
    size_t most;
} arguments;

static const struct argp_option options[] = {
    { "network", OPTION_NETWORK, "FILE", 0,
      "Inception's weights, as safetensors or HDF5 (docs/features.md)", 0 },
    { "output", 'o', "FEATURES.h5", 0, "The file to write", 0 },
    { "count", 'n', "N", 0, "At most so many images, spread evenly over the set; default: all", 0 },
    { "quiet", 'q', NULL, 0, "Say nothing but warnings and errors", 0 },
    { "threads", OPTION_THREADS, "N", 0, "Threads a process; default: its share of cores", 0 },
    { 0 },
};
static const char help[] =
    "Features of images by Inception v3 as pytorch-fid defines it, as HDF5 with /features "
    "[N,2048], "
    "for fid, kid and prdc.\vIMAGES.h5 is a data set, or what ddpm-sample wrote. Under mpirun all "
    "ranks work, and the file is the same to the last bit. What is done is kept beside FEATURES.h5 "
    "until that is whole: the same command goes on with it.";

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *to = state->input;
    switch (key) {
    case OPTION_NETWORK: to->network = text; return 0;
    case 'o': to->output = text; return 0;
    case 'n': to->most = (size_t)eval_number(text, 1, 100000000, "-n", state); return 0;
    case 'q': to->common.quiet = true; return 0;
    case OPTION_THREADS:
        to->common.threads = (int)eval_number(text, 0, 4096, "--threads", state);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) argp_error(state, "%s is one too many", text);
        to->images = text;
        return 0;
    case ARGP_KEY_END:
        if (!to->images || !to->network || !to->output)
            argp_error(state, "images, --network and --output are needed");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static ddpm_status fill(ddpm_h5 *file, const ddpm_features *of, const eval_extractor *e,
                        const char *about)
{
    static const char set[] = "/features";
    const size_t size[] = { of->n, of->d };
    DDPM_TRY(ddpm_h5_write(file, set, DDPM_H5_F32, of->features, 2, size));
    DDPM_TRY(ddpm_h5_set_attribute_text(file, set, "protocol", of->protocol));
    DDPM_TRY(ddpm_h5_set_attribute_text(file, set, "weights_sha256", e->weights));
    DDPM_TRY(ddpm_h5_set_attribute_text(file, set, "images", about));
    return ddpm_h5_set_attribute_text(file, set, "program", "ddpm-eval " DDPM_VERSION);
}

static ddpm_status write_file(const char *path, const ddpm_features *of, const eval_extractor *e)
{
    ddpm_h5 *file = NULL;
    char *text = json_dumps(of->about, JSON_SORT_KEYS);
    if (!text) return ddpm_fail(DDPM_EOS, "out of memory");
    ddpm_status status = ddpm_h5_create(&file, path);
    if (status == DDPM_OK) {
        status = fill(file, of, e, text);
        if (status == DDPM_OK)
            status = ddpm_h5_publish(file);
        else
            ddpm_h5_close(file);
    }
    free(text);
    if (status == DDPM_OK) ddpm_log_info("%s: %zu features of %s", path, of->n, of->protocol);
    return status;
}

static ddpm_status perform(ddpm_comm *comm, const void *arguments_given)
{
    const arguments *given = arguments_given;
    eval_extractor extractor = { 0 };
    ddpm_features features = { 0 };
    DDPM_TRY(eval_prepare(comm, &given->common));
    char beside[EVAL_PATH];
    DDPM_TRY(ddpm_path_print(beside, sizeof beside, "%s", given->output));
    ddpm_status status = eval_extractor_open(&extractor, comm, given->network, dirname(beside));
    if (status == DDPM_OK) status = eval_extract(&features, &extractor, given->images, given->most);
    if (status == DDPM_OK && ddpm_comm_rank(comm) == 0)
        status = write_file(given->output, &features, &extractor);
    if (status == DDPM_OK) eval_extractor_forget(&extractor);
    status = ddpm_comm_agree(comm, status);
    ddpm_features_free(&features);
    eval_extractor_close(&extractor);
    return status;
}

int eval_features(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options, .parser = parse, .args_doc = "IMAGES.h5", .doc = help
    };
    arguments given = { 0 };
    ddpm_command_parse(&argp, NULL, argc, argv, &given);
    return eval_run(perform, &given, &given.common);
}
