/* ddpm-data: datasets out of other formats or out of nothing, and a look into them. */
#include "data/data.h"

#include "ddpm/base/log.h"
#include "ddpm/base/text.h"
#include "ddpm/data/dataset.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

ddpm_status data_check_output(const char *path, bool force)
{
    struct stat about;
    if (force || lstat(path, &about) != 0) return DDPM_OK;
    return ddpm_fail(DDPM_ECREATE, "%s is there already; --force replaces it", path);
}

ddpm_status data_announce(const char *path)
{
    ddpm_dataset *set;
    char images[32], bytes[32], labels[48] = "no labels";
    DDPM_TRY(ddpm_dataset_open(&set, path));
    const ddpm_dataset_info *info = ddpm_dataset_get_info(set);
    if (info->has_labels) snprintf(labels, sizeof labels, "%zu classes", info->classes);
    ddpm_log_info("%s: %s images of %zu x %zu x %zu %s, %s, %s, %.19s", path,
                  ddpm_text_count(images, info->shape.n), info->shape.h, info->shape.w,
                  info->shape.c, info->is_float ? "float32" : "uint8", labels,
                  ddpm_text_bytes(bytes, info->file_bytes), info->content_hash);
    ddpm_dataset_close(set);
    return DDPM_OK;
}

int64_t data_number(const char *text, int64_t min, int64_t max, const char *what,
                    struct argp_state *state)
{
    int64_t value = 0;
    if (!ddpm_text_int64(&value, text, min, max))
        argp_error(state, "%s: '%s' is not a whole number from %" PRId64 " to %" PRId64, what, text,
                   min, max);
    return value;
}

double data_real(const char *text, double min, double max, const char *what,
                 struct argp_state *state)
{
    double value = 0.0;
    if (!ddpm_text_double(&value, text, min, max))
        argp_error(state, "%s: '%s' is not a number from %g to %g", what, text, min, max);
    return value;
}

static const ddpm_subcommand subcommands[] = {
    { "import", "make a dataset of IDX, CIFAR-10, image or HDF5 files", data_import },
    { "generate", "make a dataset of coloured shapes or of Gaussian images", data_generate },
    { "info", "describe a dataset; --verify reads all of it", data_info },
    { "grid", "show some of its images as a PNG", data_grid },
};

static const ddpm_program program = {
    .name = "ddpm-data",
    .version = "ddpm-data " DDPM_VERSION,
    .purpose = "Makes datasets to train on, and shows what is in them.\n",
    .closing = "`ddpm-data SUBCOMMAND --help` explains each; the manual: man ddpm-data.\n",
    .subcommands = subcommands,
    .count = sizeof subcommands / sizeof *subcommands,
};

int main(int argc, char **argv)
{
    return ddpm_program_main(&program, argc, argv);
}
