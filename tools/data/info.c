#include "data.h"

#include "ddpm/base/log.h"
#include "ddpm/base/text.h"
#include "ddpm/data/dataset.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES_SHOWN = 64, NAME_WIDTH = 14 };

static const struct argp_option options[] = {
    { "json", 'j', NULL, 0, "Print JSON", 0 },
    { "verify", 'v', NULL, 0, "Read everything, and hold it against the content hash", 0 },
    { 0 },
};

typedef struct {
    const char *path;
    bool json, verify;
} arguments;

/* What info prints: of the file, and what has to be counted. */
typedef struct {
    ddpm_dataset *set;
    const ddpm_dataset_info *info;
    double *mean, *std;  /* [C] */
    size_t *class_count; /* [classes] */
    char *class_names;   /* one a line; NULL: none */
    bool verified;
} description;

/* Numbers that generators note: the attribute, and what it is called in the text. */
static const struct {
    const char *name, *label;
} notes[] = { { "seed", "seed" },
              { "gaussian_mean", "mean" },
              { "gaussian_std", "std" },
              { "gaussian_correlation", "correlation" } };
enum { NOTES = sizeof notes / sizeof *notes };

static error_t parse(int key, char *argument, struct argp_state *state)
{
    arguments *given = state->input;
    switch (key) {
    case 'j': given->json = true; return 0;
    case 'v': given->verify = true; return 0;
    case ARGP_KEY_ARG:
        if (given->path) argp_error(state, "one dataset at a time");
        given->path = argument;
        return 0;
    case ARGP_KEY_END:
        if (!given->path) argp_error(state, "the dataset is missing");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static ddpm_status describe(description *d, const arguments *given)
{
    DDPM_TRY(ddpm_dataset_open(&d->set, given->path));
    d->info = ddpm_dataset_get_info(d->set);
    const size_t channels = d->info->shape.c, classes = d->info->classes;
    d->mean = calloc(2 * channels, sizeof *d->mean);
    d->class_count = calloc(classes + 1, sizeof *d->class_count);
    if (!d->mean || !d->class_count) return ddpm_fail(DDPM_EOS, "%s: out of memory", given->path);
    d->std = d->mean + channels;
    DDPM_TRY(ddpm_dataset_moments(d->set, d->mean, d->std));
    const int64_t *labels = ddpm_dataset_labels(d->set);
    for (size_t i = 0; labels && i < d->info->shape.n; i++) d->class_count[labels[i]]++;
    d->class_names = ddpm_dataset_text(d->set, "class_names");
    if (given->verify) DDPM_TRY(ddpm_dataset_verify(d->set));
    d->verified = given->verify;
    return DDPM_OK;
}

/* The name of a class into text, "" where there is none. */
static const char *class_name(char text[64], const description *d, size_t class)
{
    *text = '\0';
    const char *line = d->class_names;
    for (size_t i = 0; line && i < class; i++) {
        line = strchr(line, '\n');
        if (line) line++;
    }
    if (line) snprintf(text, 64, "%.*s", (int)strcspn(line, "\n"), line);
    return text;
}

static void print_row(const char *what)
{
    printf("%-*s", NAME_WIDTH, what);
}

static void print_numbers(const char *what, const double *value, size_t count)
{
    print_row(what);
    for (size_t i = 0; i < count && i < 8; i++) printf("%s%.6g", i ? "  " : "", value[i]);
    puts(count > 8 ? "  ..." : "");
}

static void print_notes(const description *d)
{
    bool any = false;
    for (size_t i = 0; i < NOTES; i++) {
        double value;
        char text[32];
        if (!ddpm_dataset_number(&value, d->set, notes[i].name)) continue;
        if (!any) print_row("generated");
        printf("%s%s %s", any ? ", " : "by ", notes[i].label, ddpm_text_real(text, value));
        any = true;
    }
    if (any) putchar('\n');
}

static void print_classes(const description *d)
{
    const size_t classes = d->info->classes;
    char count[32], name[64];
    print_row("labels");
    if (!d->info->has_labels) {
        puts("none");
        return;
    }
    printf("%zu classes\n", classes);
    for (size_t i = 0; i < classes && i < CLASSES_SHOWN; i++)
        printf("%*zu  %10s  %s\n", NAME_WIDTH + 4, i, ddpm_text_count(count, d->class_count[i]),
               class_name(name, d, i));
    if (classes > CLASSES_SHOWN) printf("%*s\n", NAME_WIDTH + 4, "...");
}

static void print_text(const description *d, const char *path)
{
    const ddpm_dataset_info *info = d->info;
    char text[32], memory[32];
    print_row("file");
    printf("%s (%s)\n", path, ddpm_text_bytes(text, info->file_bytes));
    print_row("name");
    puts(info->name);
    print_row("source");
    puts(info->source);
    print_row("created");
    puts(info->created);
    print_row("images");
    puts(ddpm_text_count(text, info->shape.n));
    print_row("size");
    printf("%zu x %zu, %zu channel%s\n", info->shape.h, info->shape.w, info->shape.c,
           info->shape.c == 1 ? "" : "s");
    print_row("type");
    puts(info->is_float ? "float32" : "uint8");
    print_row("range");
    printf("%g to %g, scaled to -1 to 1\n", (double)info->range_min, (double)info->range_max);
    print_numbers("mean", d->mean, info->shape.c);
    print_numbers("std", d->std, info->shape.c);
    print_notes(d);
    print_classes(d);
    print_row("chunks");
    printf("%zu image%s each\n", info->chunk_images, info->chunk_images == 1 ? "" : "s");
    print_row("memory");
    printf("%s when it is trained on\n",
           ddpm_text_bytes(memory, ddpm_dataset_memory_bytes(d->set)));
    print_row("content");
    printf("%s%s\n", info->content_hash, d->verified ? " (verified)" : "");
}

static json_t *json_numbers(const double *value, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) json_array_append_new(list, json_real(value[i]));
    return list;
}

static json_t *json_classes(const description *d)
{
    json_t *list = json_array();
    for (size_t i = 0; i < d->info->classes; i++) {
        char name[64];
        json_t *class = json_pack("{s:I,s:I}", "label", (json_int_t)i, "images",
                                  (json_int_t)d->class_count[i]);
        if (*class_name(name, d, i)) json_object_set_new(class, "name", json_string(name));
        json_array_append_new(list, class);
    }
    return list;
}

static ddpm_status print_json(const description *d, const char *path)
{
    const ddpm_dataset_info *info = d->info;
    json_t *root = json_pack(
        "{s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:s,s:[f,f],s:o,s:o,s:b,s:o,s:I,s:I,s:I,s:s}", "file",
        path, "name", info->name, "source", info->source, "created", info->created, "images",
        (json_int_t)info->shape.n, "height", (json_int_t)info->shape.h, "width",
        (json_int_t)info->shape.w, "channels", (json_int_t)info->shape.c, "type",
        info->is_float ? "float32" : "uint8", "range", (double)info->range_min,
        (double)info->range_max, "mean", json_numbers(d->mean, info->shape.c), "std",
        json_numbers(d->std, info->shape.c), "has_labels", info->has_labels, "classes",
        json_classes(d), "chunk_images", (json_int_t)info->chunk_images, "file_bytes",
        (json_int_t)info->file_bytes, "memory_bytes", (json_int_t)ddpm_dataset_memory_bytes(d->set),
        "content_hash", info->content_hash);
    if (!root)
        return ddpm_fail(DDPM_EDATA,
                         "%s: its attributes are not UTF-8, so there is no JSON of them", path);
    if (d->verified) json_object_set_new(root, "verified", json_true());
    for (size_t i = 0; i < NOTES; i++) {
        double value;
        if (ddpm_dataset_number(&value, d->set, notes[i].name))
            json_object_set_new(root, notes[i].name, json_real(value));
    }
    json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(root);
    return DDPM_OK;
}

int data_info(int argc, char **argv)
{
    static const struct argp argp = { options, parse, "SET.h5", "Describes a dataset.",
                                      NULL,    NULL,  NULL };
    arguments given = { 0 };
    ddpm_command_parse(&argp, NULL, argc, argv, &given);
    description d = { 0 };
    ddpm_status status = describe(&d, &given);
    if (status == DDPM_OK && given.json)
        status = print_json(&d, given.path);
    else if (status == DDPM_OK)
        print_text(&d, given.path);
    ddpm_dataset_close(d.set);
    free(d.mean);
    free(d.class_count);
    free(d.class_names);
    return ddpm_log_failure(status);
}
