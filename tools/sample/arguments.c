#include "arguments.h"

#include "ddpm/base/text.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTION_SAMPLER = 256,
    OPTION_STEPS,
    OPTION_ETA,
    OPTION_SPACING,
    OPTION_VARIANCE,
    OPTION_CLIP,
    OPTION_NO_CLIP,
    OPTION_WEIGHTS,
    OPTION_SEED,
    OPTION_FIRST,
    OPTION_INIT_NOISE,
    OPTION_BATCH,
    OPTION_THREADS,
    OPTION_UINT8
};

static const struct argp_option options[] = {
    { "count", 'n', "N", 0, "Images to draw; default 64, or as many as --init-noise has", 0 },
    { "output", 'o', "FILE", 0, "A grid.png, or the images as samples.h5", 0 },
    { "uint8", OPTION_UINT8, NULL, 0, "Write the HDF5 file in 8 bits (default: float32)", 0 },
    { "weights", OPTION_WEIGHTS, "WHICH", 0,
      "ema (default: the first of the run's averages), ema:RATE, or raw", 0 },
    { "seed", OPTION_SEED, "SEED", 0, "Image k of a seed is always the same; default 0", 0 },
    { "first", OPTION_FIRST, "K", 0,
      "Begin with image K (default 0): parts drawn apart are those of one drawing", 0 },
    { "init-noise", OPTION_INIT_NOISE, "FILE", 0,
      "Start from /x_T [N,H,W,C] of an HDF5 file instead of the seed's noise", 0 },

    { NULL, 0, NULL, 0, "Sampler:", 1 },
    { "sampler", OPTION_SAMPLER, "NAME", 0, "ddim (default) or ddpm", 1 },
    { "steps", OPTION_STEPS, "S", 0, "Steps an image; default 50 for ddim, all for ddpm", 1 },
    { "spacing", OPTION_SPACING, "NAME", 0,
      "Which of the schedule's steps: leading (default for ddim), sections (default for ddpm), "
      "spread or quadratic",
      1 },
    { "eta", OPTION_ETA, "ETA", 0, "ddim: from 0 (default), deterministic, to 1, noisy as ddpm",
      1 },
    { "variance", OPTION_VARIANCE, "NAME", 0, "ddpm: fixedlarge (default) or fixedsmall", 1 },
    { "clip", OPTION_CLIP, "HOW", 0,
      "ddim: after the predicted image is clipped to [-1,1], rederive the noise from it (default), "
      "or keep the network's own, eps",
      1 },
    { "no-clip", OPTION_NO_CLIP, NULL, 0, "Do not clip the predicted image", 1 },

    { NULL, 0, NULL, 0, "Work:", 2 },
    { "batch", OPTION_BATCH, "B", 0,
      "Images a call of the network; default 8. Like the seed, part of what an image is, to the "
      "last bit",
      2 },
    { "threads", OPTION_THREADS, "N", 0, "Threads a process; default: its share of cores", 2 },
    { "quiet", 'q', NULL, 0, "Say nothing but warnings and errors", 2 },
    { "json", 'j', NULL, 0, "Print what was done as JSON", 2 },
    { 0 },
};

static const char usage[] = "CKPT";
static const char help[] =
    "Draws images from a checkpoint.\v"
    "CKPT is a checkpoint, or a run directory or its checkpoints/: then it means the newest one "
    "that verifies. Under mpirun all ranks draw, and the images are the same.\n\n"
    "  ddpm-sample runs/fashion -n 64 -o grid.png\n"
    "  mpirun -np 4 ddpm-sample runs/fashion -n 5000 --sampler ddpm -o samples.h5";

static const char *const variance_names[] = { "fixedlarge", "fixedsmall", NULL };
static const char *const clip_names[] = { "none", "eps", "rederive", NULL };

const char *sample_variance_name(ddpm_variance variance)
{
    return variance_names[variance];
}

const char *sample_clip_name(ddpm_clip clip)
{
    return clip_names[clip];
}

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), tail = strlen(end);
    return length > tail && strcmp(text + length - tail, end) == 0;
}

bool sample_output_is_h5(const sample_arguments *arguments)
{
    return ends_with(arguments->output, ".h5");
}

/* Values whose meaning other options decide; they are looked at when all are known. */
typedef struct {
    sample_arguments *to;
    const char *sampler, *spacing, *eta, *variance, *clip;
    bool no_clip;
} parser;

static int64_t integer(struct argp_state *state, const char *option, const char *text, int64_t min,
                       int64_t max)
{
    int64_t value = 0;
    if (!ddpm_text_int64(&value, text, min, max))
        argp_error(state, "%s %s: a whole number from %lld to %lld is needed", option, text,
                   (long long)min, (long long)max);
    return value;
}

/* The place of `text` in names. */
static int choice(struct argp_state *state, const char *option, const char *text,
                  const char *const *names)
{
    int i = 0;
    for (; names[i]; i++)
        if (strcmp(names[i], text) == 0) return i;
    const char *nearest = ddpm_text_nearest(text, names, (size_t)i);
    if (nearest)
        argp_error(state, "%s %s: there is no such choice; did you mean %s?", option, text,
                   nearest);
    char list[128] = "";
    for (i = 0; names[i]; i++) {
        strncat(list, i ? ", " : "", sizeof list - strlen(list) - 1);
        strncat(list, names[i], sizeof list - strlen(list) - 1);
    }
    argp_error(state, "%s %s: there is no such choice; there are %s", option, text, list);
    return 0;
}

static void check_output(struct argp_state *state, const sample_arguments *to)
{
    if (!to->checkpoint)
        argp_error(state, "a checkpoint is missing");
    else if (!to->output)
        argp_error(state, "-o FILE.png or -o FILE.h5 is missing");
    else if (!ends_with(to->output, ".png") && !ends_with(to->output, ".h5"))
        argp_error(state, "-o %s: the name must end in .png (a grid) or .h5 (the images)",
                   to->output);
    else if (to->as_bytes && !sample_output_is_h5(to))
        argp_error(state, "--uint8 is for an HDF5 output, and -o is %s", to->output);
}

static void check_sampler(struct argp_state *state, const parser *given)
{
    sample_arguments *to = given->to;
    ddpm_sample_options *draw = &to->draw;
    const char *name = given->sampler ? given->sampler : "ddim";
    choice(state, "--sampler", name, ddpm_sampler_names);
    const ddpm_sampler_info *info = ddpm_sampler_find(name);
    const uint64_t seed = draw->seed;
    const size_t batch = draw->batch, first = draw->first;
    ddpm_sample_options_init(draw, name);
    draw->seed = seed;
    draw->first = first;
    draw->batch = batch ? batch : DDPM_SAMPLE_BATCH;

    if (given->spacing)
        draw->spacing =
            ddpm_spacing_names[choice(state, "--spacing", given->spacing, ddpm_spacing_names)];
    if (given->eta && !info->takes_eta) argp_error(state, "--eta is for --sampler ddim");
    if (given->eta && !ddpm_text_double(&draw->eta, given->eta, 0.0, 1.0))
        argp_error(state, "--eta %s: a number from 0 to 1 is needed", given->eta);
    if (given->variance && !info->takes_variance)
        argp_error(state, "--variance is for --sampler ddpm");
    if (given->variance)
        draw->variance = (ddpm_variance)choice(state, "--variance", given->variance,
                                               variance_names);
    if (given->clip && given->no_clip) argp_error(state, "--clip and --no-clip exclude each other");
    if (given->clip && !info->takes_eps) argp_error(state, "--clip is for --sampler ddim");
    if (given->clip) draw->clip = (ddpm_clip)choice(state, "--clip", given->clip, clip_names);
    if (given->no_clip) draw->clip = DDPM_CLIP_NONE;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    static const int64_t most_images = 100000000, most_steps = 1 << 24;
    static const int64_t most_seed = ((int64_t)1 << 53) - 1; /* JSON's numbers hold it */
    parser *given = state->input;
    sample_arguments *to = given->to;
    switch (key) {
    case 'n': to->count = (size_t)integer(state, "-n", text, 1, most_images); return 0;
    case 'o': to->output = text; return 0;
    case 'q': to->quiet = true; return 0;
    case 'j': to->json = true; return 0;
    case OPTION_SAMPLER: given->sampler = text; return 0;
    case OPTION_SPACING: given->spacing = text; return 0;
    case OPTION_ETA: given->eta = text; return 0;
    case OPTION_VARIANCE: given->variance = text; return 0;
    case OPTION_CLIP: given->clip = text; return 0;
    case OPTION_NO_CLIP: given->no_clip = true; return 0;
    case OPTION_WEIGHTS: to->weights = text; return 0;
    case OPTION_INIT_NOISE: to->init_noise = text; return 0;
    case OPTION_UINT8: to->as_bytes = true; return 0;
    case OPTION_STEPS: to->steps = (size_t)integer(state, "--steps", text, 1, most_steps); return 0;
    case OPTION_BATCH: to->draw.batch = (size_t)integer(state, "--batch", text, 1, 4096); return 0;
    case OPTION_THREADS: to->threads = (int)integer(state, "--threads", text, 0, 4096); return 0;
    case OPTION_FIRST:
        to->draw.first = (size_t)integer(state, "--first", text, 0, most_images);
        return 0;
    case OPTION_SEED:
        to->draw.seed = (uint64_t)integer(state, "--seed", text, 0, most_seed);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) argp_error(state, "one checkpoint at a time: %s", text);
        to->checkpoint = text;
        return 0;
    case ARGP_KEY_END:
        check_output(state, to);
        check_sampler(state, given);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

void sample_parse(sample_arguments *arguments, int argc, char **argv)
{
    static const struct argp argp = { options, parse, usage, help, NULL, NULL, NULL };
    argp_program_version = "ddpm-sample " DDPM_VERSION;
    *arguments = (sample_arguments){ 0 };
    parser given = { .to = arguments };
    argp_parse(&argp, argc, argv, 0, NULL, &given);
}
