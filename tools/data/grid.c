#include "data.h"

#include "ddpm/base/log.h"
#include "ddpm/base/memory.h"
#include "ddpm/data/dataset.h"
#include "ddpm/io/image.h"

#include <stdlib.h>

enum { OPTION_FIRST = 256, OPTION_COLUMNS };

static const struct argp_option options[] = {
    { "output", 'o', "GRID.png", 0, "The picture to make", 0 },
    { "count", 'n', "N", 0, "Images; default 64", 0 },
    { "first", OPTION_FIRST, "K", 0, "The first of them, counted from 0; default 0", 0 },
    { "columns", OPTION_COLUMNS, "C", 0, "Images in a row; default: near a square", 0 },
    { "force", 'f', NULL, 0, "Replace an output that is there already", 0 },
    { 0 },
};

typedef struct {
    const char *path, *output;
    uint64_t count, first;
    size_t columns;
    bool force;
} arguments;

static error_t parse(int key, char *argument, struct argp_state *state)
{
    arguments *given = state->input;
    switch (key) {
    case 'o': given->output = argument; return 0;
    case 'n': given->count = (uint64_t)data_number(argument, 1, 65536, "-n", state); return 0;
    case 'f': given->force = true; return 0;
    case OPTION_FIRST:
        given->first = (uint64_t)data_number(argument, 0, INT64_MAX, "--first", state);
        return 0;
    case OPTION_COLUMNS:
        given->columns = (size_t)data_number(argument, 1, 65536, "--columns", state);
        return 0;
    case ARGP_KEY_ARG:
        if (given->path) argp_error(state, "one dataset at a time");
        given->path = argument;
        return 0;
    case ARGP_KEY_END:
        if (!given->path) argp_error(state, "the dataset is missing");
        if (!given->output) argp_error(state, "the output is missing: -o GRID.png");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static ddpm_status write_grid(ddpm_dataset *set, const arguments *given)
{
    const ddpm_shape s = ddpm_dataset_get_info(set)->shape;
    if (given->first >= s.n)
        return ddpm_fail(DDPM_EUSAGE, "%s has images 0 to %zu: there is no image %llu", given->path,
                         s.n - 1, (unsigned long long)given->first);
    const size_t left = s.n - (size_t)given->first;
    const size_t n = given->count < left ? (size_t)given->count : left;
    float *x = NULL;
    uint64_t *index = calloc(n, sizeof *index);
    if (!index) return ddpm_fail(DDPM_EOS, "out of memory");
    for (size_t i = 0; i < n; i++) index[i] = given->first + i;
    ddpm_status status = ddpm_memory_alloc(&x, n, s.h * s.w * s.c * sizeof *x, DDPM_MEMORY_OTHER);
    ddpm_dataset_hold_below(set, 0);
    if (status == DDPM_OK) status = ddpm_dataset_read(set, x, NULL, index, NULL, n);
    if (status == DDPM_OK)
        status = ddpm_image_write_grid(given->output, x, n, s.h, s.w, s.c, given->columns);
    ddpm_memory_free(x);
    free(index);
    return status;
}

int data_grid(int argc, char **argv)
{
    static const struct argp argp = {
        options, parse, "SET.h5 -o GRID.png", "Shows images of a dataset as one picture.", NULL,
        NULL,    NULL
    };
    arguments given = { .count = 64 };
    ddpm_command_parse(&argp, NULL, argc, argv, &given);
    ddpm_dataset *set = NULL;
    ddpm_status status = data_check_output(given.output, given.force);
    if (status == DDPM_OK) status = ddpm_dataset_open(&set, given.path);
    if (status == DDPM_OK) status = write_grid(set, &given);
    ddpm_dataset_close(set);
    return ddpm_log_failure(status);
}
