#include "arguments.h"

#include "ddpm/base/command.h"
#include "ddpm/base/text.h"

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
    OPTION_CLASS,
    OPTION_GUIDANCE,
    OPTION_BEST,
    OPTION_WEIGHTS,
    OPTION_SEED,
    OPTION_FIRST,
    OPTION_INIT_NOISE,
    OPTION_BATCH,
    OPTION_THREADS,
    OPTION_UINT8,
    OPTION_T,
    OPTION_MASK,
    OPTION_JUMP,
    OPTION_TIMES,
    OPTION_MODE /* and on: sample_modes */
};

static const struct argp_option common_options[] = {
    { "count", 'n', "N", 0, "Images to draw; default 64, or as many as --init-noise has", 0 },
    { "output", 'o', "FILE", 0, "A grid.png, or the images as samples.h5", 0 },
    { "uint8", OPTION_UINT8, NULL, 0, "Write the HDF5 file in 8 bits (default: float32)", 0 },
    { "best", OPTION_BEST, NULL, 0, "Not a run's newest checkpoint, but its best (eval.metric)",
      0 },
    { "weights", OPTION_WEIGHTS, "WHICH", 0,
      "ema (default: the first of the run's averages), ema:RATE, or raw", 0 },
    { "seed", OPTION_SEED, "SEED", 0, "Image k of a seed is always the same; default 0", 0 },
    { "first", OPTION_FIRST, "K", 0,
      "Begin with image K (default 0): parts drawn apart are those of one drawing", 0 },
    { "init-noise", OPTION_INIT_NOISE, "FILE", 0,
      "Start from /x_T [N,H,W,C] of an HDF5 file instead of the seed's noise", 0 },
    { "class", OPTION_CLASS, "K[,K...]", 0,
      "Of a model with classes: image k is of the k-th of these, and so on around; none: of no "
      "class. Default: each in turn, or the label of an IMAGE",
      0 },
    { "guidance", OPTION_GUIDANCE, "G", 0,
      "Further towards the class than the network says, G times (classifier-free guidance); "
      "default 1, not at all",
      0 },

    { NULL, 0, NULL, 0, "Sampler:", 1 },
    { "sampler", OPTION_SAMPLER, "NAME", 0,
      "ddim (default for a diffusion), ddpm, dpm++, heun or euler (default for a flow)", 1 },
    { "steps", OPTION_STEPS, "S", 0,
      "Steps an image; default 50 for ddim and euler, 20 for dpm++ and heun, all for ddpm", 1 },
    { "spacing", OPTION_SPACING, "NAME", 0,
      "Which of the schedule's steps: leading (default for ddim), sections (ddpm), uniform "
      "(dpm++), karras (heun), spread (euler) or quadratic",
      1 },
    { "eta", OPTION_ETA, "ETA", 0, "ddim: from 0 (default), deterministic, to 1, noisy as ddpm",
      1 },
    { "variance", OPTION_VARIANCE, "NAME", 0,
      "ddpm: the one the model was trained with (default), fixedlarge or fixedsmall", 1 },
    { "clip", OPTION_CLIP, "HOW", 0,
      "ddim, euler, heun: clip the predicted image to [-1,1] and rederive the noise from it "
      "(default), or keep the network's own noise, eps; none: as --no-clip",
      1 },
    { "no-clip", OPTION_NO_CLIP, NULL, 0, "Do not clip the predicted image (default for flows)",
      1 },

    { NULL, 0, NULL, 0,
      "Instead of plain images, one of these (IMAGE: a PNG or JPEG of the model's size, or "
      "FILE.h5:INDEX of a dataset):",
      2 },
    { "t", OPTION_T, "T[,T...]", 0,
      "Timesteps of the training, from 0; the nearest that are drawn along are taken", 3 },
    { "mask", OPTION_MASK, "MASK", 0, "--inpaint: a picture, white where to fill in", 3 },
    { "jump", OPTION_JUMP, "J", 0, "--inpaint: steps a jump goes back; default: a 25th of all", 3 },
    { "times", OPTION_TIMES, "R", 0, "--inpaint: how often each is taken; default 10; 1: no jumps",
      3 },

    { NULL, 0, NULL, 0, "Work:", 4 },
    { "batch", OPTION_BATCH, "B", 0,
      "Images a call of the network; default 8. Like the seed, part of what an image is, to the "
      "last bit",
      4 },
    { "threads", OPTION_THREADS, "N", 0, "Threads a process; default: its share of cores", 4 },
    { "quiet", 'q', NULL, 0, "Say nothing but warnings and errors", 4 },
    { "json", 'j', NULL, 0, "Print what was done as JSON", 4 },
};
enum { COMMON = sizeof common_options / sizeof *common_options };

static const char usage[] = "CKPT";
static const char help[] =
    "Draws images from a checkpoint.\v"
    "CKPT is a checkpoint, or a run directory or its checkpoints/: then it means the newest one "
    "that verifies. Under mpirun all ranks draw, and the images are the same.\n\n"
    "  ddpm-sample runs/fashion -n 64 -o grid.png\n"
    "  ddpm-sample runs/fashion --interpolate set.h5:3 set.h5:14 --t 500 -o strip.png\n"
    "  mpirun -np 4 ddpm-sample runs/fashion -n 5000 --sampler ddpm -o samples.h5";

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), tail = strlen(end);
    return length > tail && strcmp(text + length - tail, end) == 0;
}

bool sample_output_is_h5(const sample_arguments *arguments)
{
    return ends_with(arguments->output, ".h5");
}

static int64_t integer(struct argp_state *state, const char *option, const char *text, int64_t min,
                       int64_t max)
{
    int64_t value = 0;
    if (!ddpm_text_int64(&value, text, min, max))
        argp_error(state, "%s %s: a whole number from %lld to %lld is needed", option, text,
                   (long long)min, (long long)max);
    return value;
}

/* `text`, which must be one of names. */
static const char *choice(struct argp_state *state, const char *option, const char *text,
                          const char *const *names)
{
    size_t count = 0;
    for (; names[count]; count++)
        if (strcmp(names[count], text) == 0) return names[count];
    const char *nearest = ddpm_text_nearest(text, names, count);
    if (nearest)
        argp_error(state, "%s %s: there is no such choice; did you mean %s?", option, text,
                   nearest);
    char list[128] = "";
    for (size_t i = 0; i < count; i++) {
        strncat(list, i ? ", " : "", sizeof list - strlen(list) - 1);
        strncat(list, names[i], sizeof list - strlen(list) - 1);
    }
    argp_error(state, "%s %s: there is no such choice; there are %s", option, text, list);
    return NULL;
}

/* Calls `take` for each part of a list with commas. */
static void split(struct argp_state *state, const char *option, const char *text, size_t most,
                  void (*take)(struct argp_state *, const char *option, const char *part,
                               sample_arguments *to),
                  sample_arguments *to)
{
    size_t count = 0;
    for (const char *part = text;; part++) {
        char one[64];
        const size_t length = strcspn(part, ",");
        if (length >= sizeof one || ++count > most) {
            argp_error(state, "%s %s: a list of at most %zu numbers is needed", option, text, most);
            return;
        }
        memcpy(one, part, length);
        one[length] = '\0';
        take(state, option, one, to);
        part += length;
        if (*part == '\0') return;
    }
}

static void take_t(struct argp_state *state, const char *option, const char *part,
                   sample_arguments *to)
{
    double t = 0.0;
    if (!ddpm_text_double(&t, part, 0.0, 1e9))
        argp_error(state, "%s %s: a timestep is needed, a number from 0", option, part);
    to->t[to->t_count++] = t;
}

static void take_class(struct argp_state *state, const char *option, const char *part,
                       sample_arguments *to)
{
    int64_t class = SAMPLE_NO_CLASS;
    if (strcmp(part, "none") != 0 && !ddpm_text_int64(&class, part, 0, 1000000))
        argp_error(state, "%s %s: a class is needed, from 0, or none", option, part);
    to->classes[to->class_count++] = class;
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

/* "--x is for --a, --b" */
static void need_mode(struct argp_state *state, const sample_arguments *to, bool given,
                      const char *option, unsigned takes)
{
    char list[256] = "";
    if (!given || to->mode->takes & takes) return;
    for (size_t i = 0; sample_modes[i]; i++)
        if (sample_modes[i]->takes & takes) {
            strncat(list, list[0] ? ", --" : "--", sizeof list - strlen(list) - 1);
            strncat(list, sample_modes[i]->name, sizeof list - strlen(list) - 1);
        }
    argp_error(state, "%s is for %s%s", option,
               sample_plain.takes & takes ? "plain images and " : "", list);
}

static void check_mode(struct argp_state *state, const sample_arguments *to)
{
    need_mode(state, to, to->t_count > 0, "--t", SAMPLE_TAKES_T);
    need_mode(state, to, to->mask, "--mask", SAMPLE_TAKES_MASK);
    need_mode(state, to, to->jump > 0, "--jump", SAMPLE_TAKES_MASK);
    need_mode(state, to, to->times > 0, "--times", SAMPLE_TAKES_MASK);
    need_mode(state, to, to->init_noise, "--init-noise", SAMPLE_TAKES_INIT_NOISE);
    if (to->mode->takes & SAMPLE_TAKES_MASK && !to->mask)
        argp_error(state, "--%s IMAGE: --mask MASK is missing", to->mode->name);
    const char *idle = to->sampler    ? "--sampler"
                       : to->steps    ? "--steps"
                       : to->class    ? "--class"
                       : to->guidance ? "--guidance"
                       : to->weights  ? "--weights"
                       : to->spacing  ? "--spacing"
                       : to->variance ? "--variance"
                       : to->eta      ? "--eta"
                       : to->no_clip  ? "--no-clip"
                       : to->clip     ? "--clip"
                                      : NULL;
    if (to->mode->draw && idle)
        argp_error(state, "%s is for drawing by the network, and --%s needs none", idle,
                   to->mode->name);
}

/* --no-clip is --clip none. */
static void join_clips(struct argp_state *state, sample_arguments *to)
{
    const char *none = ddpm_clip_names[DDPM_CLIP_NONE];
    if (!to->no_clip) return;
    if (to->clip && strcmp(to->clip, none) != 0)
        argp_error(state, "--clip %s and --no-clip exclude each other", to->clip);
    to->clip = none;
}

static void take_mode(struct argp_state *state, const sample_mode *mode, char *text,
                      sample_arguments *to)
{
    if (to->mode != &sample_plain && to->mode != mode)
        argp_error(state, "--%s and --%s exclude each other", to->mode->name, mode->name);
    else if (to->mode == mode && !mode->repeats)
        argp_error(state, "--%s comes twice", mode->name);
    else if (to->image_count + mode->images > SAMPLE_ROWS)
        argp_error(state, "--%s: at most %d images", mode->name, SAMPLE_ROWS);
    to->mode = mode;
    if (mode->images == 0) {
        if (text) to->frames = (size_t)integer(state, "--progressive", text, 1, 1000);
        return;
    }
    to->images[to->image_count++] = text;
    for (size_t i = 1; i < mode->images; i++) { /* argp knows options of one word only */
        if (state->next >= state->argc || state->argv[state->next][0] == '-')
            argp_error(state, "--%s %s: %zu images are needed", mode->name, mode->argument,
                       mode->images);
        to->images[to->image_count++] = state->argv[state->next++];
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    static const int64_t most_images = 100000000, most_steps = 1 << 24;
    static const int64_t most_seed = ((int64_t)1 << 53) - 1; /* JSON's numbers hold it */
    sample_arguments *to = state->input;
    if (key >= OPTION_MODE && key < OPTION_MODE + SAMPLE_MODES) {
        take_mode(state, sample_modes[key - OPTION_MODE], text, to);
        return 0;
    }
    switch (key) {
    case 'n': to->count = (size_t)integer(state, "-n", text, 1, most_images); return 0;
    case 'o': to->output = text; return 0;
    case 'q': to->quiet = true; return 0;
    case 'j': to->json = true; return 0;
    case OPTION_SAMPLER:
        to->sampler = choice(state, "--sampler", text, ddpm_sampler_names);
        return 0;
    case OPTION_SPACING:
        to->spacing = choice(state, "--spacing", text, ddpm_spacing_names);
        return 0;
    case OPTION_VARIANCE:
        to->variance = choice(state, "--variance", text, ddpm_variance_names);
        return 0;
    case OPTION_CLIP: to->clip = choice(state, "--clip", text, ddpm_clip_names); return 0;
    case OPTION_ETA: to->eta = text; return 0;
    case OPTION_NO_CLIP: to->no_clip = true; return 0;
    case OPTION_GUIDANCE: to->guidance = text; return 0;
    case OPTION_BEST: to->best = true; return 0;
    case OPTION_WEIGHTS: to->weights = text; return 0;
    case OPTION_INIT_NOISE: to->init_noise = text; return 0;
    case OPTION_UINT8: to->as_bytes = true; return 0;
    case OPTION_MASK: to->mask = text; return 0;
    case OPTION_CLASS:
        to->class = text;
        to->class_count = 0;
        split(state, "--class", text, SAMPLE_CLASSES, take_class, to);
        return 0;
    case OPTION_T:
        to->t_count = 0;
        split(state, "--t", text, SAMPLE_ROWS, take_t, to);
        return 0;
    case OPTION_JUMP: to->jump = (size_t)integer(state, "--jump", text, 1, most_steps); return 0;
    case OPTION_TIMES: to->times = (size_t)integer(state, "--times", text, 1, 10000); return 0;
    case OPTION_STEPS: to->steps = (size_t)integer(state, "--steps", text, 1, most_steps); return 0;
    case OPTION_BATCH: to->batch = (size_t)integer(state, "--batch", text, 1, 4096); return 0;
    case OPTION_THREADS: to->threads = (int)integer(state, "--threads", text, 0, 4096); return 0;
    case OPTION_FIRST:
        to->first = (size_t)integer(state, "--first", text, 0, most_images);
        return 0;
    case OPTION_SEED: to->seed = (uint64_t)integer(state, "--seed", text, 0, most_seed); return 0;
    case ARGP_KEY_ARG:
        if (to->checkpoint) argp_error(state, "one checkpoint at a time: %s", text);
        to->checkpoint = text;
        return 0;
    case ARGP_KEY_END:
        join_clips(state, to);
        check_output(state, to);
        check_mode(state, to);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

void sample_parse(sample_arguments *arguments, int argc, char **argv)
{
    struct argp_option options[COMMON + SAMPLE_MODES + 1] = { 0 };
    memcpy(options, common_options, sizeof common_options);
    for (int i = 0; i < SAMPLE_MODES; i++)
        options[COMMON + i] = (struct argp_option){
            sample_modes[i]->name,
            OPTION_MODE + i,
            sample_modes[i]->argument,
            sample_modes[i]->argument_is_optional ? OPTION_ARG_OPTIONAL : 0,
            sample_modes[i]->help,
            2,
        };
    const struct argp argp = { options, parse, usage, help, NULL, NULL, NULL };
    argp_program_version = "ddpm-sample " DDPM_VERSION;
    *arguments = (sample_arguments){ .mode = &sample_plain };
    ddpm_command_parse(&argp, NULL, argc, argv, arguments);
}
