#include "data.h"

#include "ddpm/base/log.h"
#include "ddpm/base/stop.h"
#include "ddpm/base/text.h"
#include "ddpm/data/import.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTION_PAD = 256,
    OPTION_LABELS,
    OPTION_CHANNELS,
    OPTION_FOLDER_LABELS,
    OPTION_SKIP_BROKEN,
    OPTION_OBJECT,
    OPTION_LAYOUT,
    OPTION_RANGE
};

static const struct argp_option options[] = {
    { "output", 'o', "SET.h5", 0, "The dataset to make", 0 },
    { "name", 'n', "NAME", 0, "A name for the set; default: the format's", 0 },
    { "force", 'f', NULL, 0, "Replace an output that is there already", 0 },
    { "quiet", 'q', NULL, 0, "Say nothing but warnings and errors", 0 },

    { NULL, 0, NULL, 0, "idx, cifar10, hdf5:", 1 },
    { "pad", OPTION_PAD, "SIDE", 0, "Put images in the middle of SIDE x SIDE of background", 1 },
    { "labels", OPTION_LABELS, "FILE|OBJECT", 0,
      "idx: a file of labels for each file of images, in the same order; hdf5: path of the labels",
      1 },

    { NULL, 0, NULL, 0, "images:", 2 },
    { "size", 's', "SIDE", 0, "Crop to the central square, resize to SIDE x SIDE; needed", 2 },
    { "channels", OPTION_CHANNELS, "C", 0, "3 for colour (default), 1 for grey", 2 },
    { "folder-labels", OPTION_FOLDER_LABELS, NULL, 0,
      "The folders in the folder are the classes, sorted by name", 2 },
    { "skip-broken", OPTION_SKIP_BROKEN, NULL, 0,
      "Leave out files that cannot be read, with a warning", 2 },

    { NULL, 0, NULL, 0, "hdf5:", 3 },
    { "object", OPTION_OBJECT, "PATH", 0, "The array; needed where there are several", 3 },
    { "layout", OPTION_LAYOUT, "nhw|nhwc|nchw", 0,
      "Order of its dimensions; needed where the sizes do not tell", 3 },
    { "range", OPTION_RANGE, "MIN,MAX", 0,
      "Values that become -1 and 1; default: the least and the greatest; 0 and 255 for bytes", 3 },
    { 0 },
};

/* Options that only some formats have, and what they are called in a message. */
static const struct {
    ddpm_import_option option;
    const char *name;
} special[] = {
    { DDPM_IMPORT_LABELS, "--labels" },
    { DDPM_IMPORT_PAD, "--pad" },
    { DDPM_IMPORT_SIZE, "--size" },
    { DDPM_IMPORT_CHANNELS, "--channels" },
    { DDPM_IMPORT_FOLDER_LABELS, "--folder-labels" },
    { DDPM_IMPORT_SKIP_BROKEN, "--skip-broken" },
    { DDPM_IMPORT_OBJECT, "--object" },
    { DDPM_IMPORT_LAYOUT, "--layout" },
    { DDPM_IMPORT_RANGE, "--range" },
};

typedef struct {
    const ddpm_importer *importer;
    ddpm_import_options import;
    const char **inputs, **labels;
    unsigned given; /* ddpm_import_option */
    bool force;
} arguments;

static const ddpm_importer *importer_of(const char *name, struct argp_state *state)
{
    const ddpm_importer *importer = ddpm_importer_find(name);
    if (importer) return importer;
    char all[256] = "";
    for (size_t i = 0; i < ddpm_importer_count; i++)
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? ", " : "",
                 ddpm_importers[i].name);
    argp_error(state, "there is no format '%s'; formats are %s", name, all);
    return NULL;
}

static void parse_range(ddpm_import_options *to, char *text, struct argp_state *state)
{
    char *comma = strchr(text, ',');
    if (!comma) {
        argp_error(state, "--range: '%s' is not MIN,MAX", text);
        return;
    }
    *comma = '\0';
    to->range_min = data_real(text, -(double)FLT_MAX, (double)FLT_MAX, "--range", state);
    to->range_max = data_real(comma + 1, -(double)FLT_MAX, (double)FLT_MAX, "--range", state);
    if (!(to->range_min < to->range_max))
        argp_error(state, "--range: %g is not below %g", to->range_min, to->range_max);
    to->has_range = true;
}

static const char *layout_of(const char *text, struct argp_state *state)
{
    if (strcmp(text, "nhw") != 0 && strcmp(text, "nhwc") != 0 && strcmp(text, "nchw") != 0)
        argp_error(state, "--layout: '%s' is none of nhw, nhwc, nchw", text);
    return text;
}

static void check(const arguments *given, struct argp_state *state)
{
    if (!given->importer) {
        argp_error(state, "a format and what to import are missing");
        return;
    }
    if (given->import.input_count == 0) argp_error(state, "what to import is missing");
    if (!given->import.output) argp_error(state, "the output is missing: -o SET.h5");
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        if (given->given & special[i].option & ~given->importer->options)
            argp_error(state, "%s means nothing to the format %s", special[i].name,
                       given->importer->name);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    arguments *given = state->input;
    ddpm_import_options *to = &given->import;
    switch (key) {
    case 'o': to->output = argument; return 0;
    case 'n': to->name = argument; return 0;
    case 'f': given->force = true; return 0;
    case 'q': ddpm_log_init("ddpm-data", DDPM_LOG_WARNING); return 0;
    case OPTION_PAD:
        to->pad = (size_t)data_number(argument, 1, 65536, "--pad", state);
        given->given |= DDPM_IMPORT_PAD;
        return 0;
    case OPTION_LABELS:
        given->labels[to->label_count++] = argument;
        given->given |= DDPM_IMPORT_LABELS;
        return 0;
    case 's':
        to->size = (size_t)data_number(argument, 1, 16384, "--size", state);
        given->given |= DDPM_IMPORT_SIZE;
        return 0;
    case OPTION_CHANNELS:
        to->channels = (size_t)data_number(argument, 1, 3, "--channels", state);
        if (to->channels == 2) argp_error(state, "--channels: 1 or 3");
        given->given |= DDPM_IMPORT_CHANNELS;
        return 0;
    case OPTION_FOLDER_LABELS:
        to->folder_labels = true;
        given->given |= DDPM_IMPORT_FOLDER_LABELS;
        return 0;
    case OPTION_SKIP_BROKEN:
        to->skip_broken = true;
        given->given |= DDPM_IMPORT_SKIP_BROKEN;
        return 0;
    case OPTION_OBJECT:
        to->object = argument;
        given->given |= DDPM_IMPORT_OBJECT;
        return 0;
    case OPTION_LAYOUT:
        to->layout = layout_of(argument, state);
        given->given |= DDPM_IMPORT_LAYOUT;
        return 0;
    case OPTION_RANGE:
        parse_range(to, argument, state);
        given->given |= DDPM_IMPORT_RANGE;
        return 0;
    case ARGP_KEY_ARG:
        if (!given->importer)
            given->importer = importer_of(argument, state);
        else
            given->inputs[to->input_count++] = argument;
        return 0;
    case ARGP_KEY_END: check(given, state); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* The formats, from their table, after the options. */
static char *help_filter(int key, const char *text, void *input)
{
    (void)input;
    char *all = NULL;
    if (key != ARGP_KEY_HELP_POST_DOC) {
        memcpy(&all, &text, sizeof all); /* argp wants its own text back, as if it were not const */
        return all;
    }
    size_t size = 0;
    FILE *out = open_memstream(&all, &size);
    if (!out) return NULL;
    fputs("Formats:\n", out);
    for (size_t i = 0; i < ddpm_importer_count; i++)
        fprintf(out, "  %s %s\n      %s\n", ddpm_importers[i].name, ddpm_importers[i].inputs,
                ddpm_importers[i].help);
    fputs("\nExamples:\n"
          "  ddpm-data import idx train-images-idx3-ubyte.gz --pad 32 \\\n"
          "      --labels train-labels-idx1-ubyte.gz -o fashion.h5\n"
          "  ddpm-data import images photos/ --size 64 --folder-labels -o photos.h5",
          out);
    fclose(out);
    return all;
}

int data_import(int argc, char **argv)
{
    static const struct argp argp = { options,
                                      parse,
                                      "FORMAT INPUT... -o SET.h5",
                                      "Makes a dataset of what other programs wrote.\v",
                                      NULL,
                                      help_filter,
                                      NULL };
    arguments given = { .import = { .channels = 3, .stop = &ddpm_stop_asked } };
    given.inputs = calloc(2 * (size_t)argc, sizeof *given.inputs);
    if (!given.inputs) return ddpm_log_failure(ddpm_fail(DDPM_EOS, "out of memory"));
    given.labels = given.inputs + argc;
    given.import.inputs = given.inputs;
    given.import.labels = given.labels;
    ddpm_command_parse(&argp, NULL, argc, argv, &given);

    ddpm_stop_catch();
    ddpm_status status = data_check_output(given.import.output, given.force);
    if (status == DDPM_OK) status = given.importer->run(&given.import);
    ddpm_log_live_end();
    if (status == DDPM_OK) status = data_announce(given.import.output);
    free(given.inputs);
    return ddpm_log_failure(status);
}
