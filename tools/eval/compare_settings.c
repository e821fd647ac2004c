/* What was fixed when a result was made: what it has no other column for, and what must be alike
 * for two results to lie on one curve. */
#include "compare.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Members of a result, or of one of its objects, and what they are called. */
static const struct {
    const char *object, *member, *name;
} fixed[] = {
    { NULL, "protocol", "protocol" },
    { NULL, "subsets", "subsets" },
    { NULL, "subset_size", "subset_size" },
    { NULL, "seed", "seed" },
    { NULL, "neighbours", "neighbours" },
    { "classifier", "hash", "classifier" },
    { "held_out", "content_hash", "held_out" },
    { "held_out", "compared", "held_out_images" },
    { "reference", "compared", "reference_images" },
    { "samples", "mode", "mode" },
    { "samples", "spacing", "spacing" },
    { "samples", "eta", "eta" },
    { "samples", "variance", "variance" },
    { "samples", "clip", "clip" },
    { "samples", "prediction", "prediction" },
    { "samples", "guidance", "guidance" },
    { "samples", "class", "class" },
    { "samples", "init_noise", "init_noise" },
    { "samples", "seed", "sample_seed" },
    { "samples", "first", "first" },
    { "samples", "batch", "sample_batch" },
};
enum { HASH_DIGITS = 12, VALUE = 64 };

/* A word: what would not be one, and what would end the line of a table, is replaced. */
static void word_of(char word[VALUE], const json_t *value)
{
    const char *text = json_string_value(value);
    if (text && strncmp(text, "sha256:", 7) == 0) text += 7;
    if (text)
        snprintf(word, VALUE, "%s", text);
    else if (json_is_boolean(value))
        snprintf(word, VALUE, "%s", json_is_true(value) ? "yes" : "no");
    else
        snprintf(word, VALUE, "%.12g", json_number_value(value));
    for (char *c = word; *c; c++)
        if (isspace((unsigned char)*c) || iscntrl((unsigned char)*c)) *c = '_';
}

static void add(json_t *words, const char *name, const json_t *value)
{
    char word[VALUE];
    if (!value || json_is_null(value) || json_is_object(value) || json_is_array(value)) return;
    word_of(word, value);
    const bool is_hash = strcmp(name, "classifier") == 0 || strcmp(name, "held_out") == 0;
    if (is_hash && strlen(word) > HASH_DIGITS) word[HASH_DIGITS] = '\0';
    json_array_append_new(words, json_sprintf("%s=%s", name, word));
}

/* Of the bound as many evaluations as steps are all there are, whatever their number. */
static void add_settings(json_t *words, json_t *settings)
{
    const char *name;
    json_t *value;
    const json_t *steps = json_object_get(settings, "steps");
    json_object_foreach(settings, name, value)
    {
        if (strcmp(name, "steps") == 0) continue;
        if (strcmp(name, "evaluations") != 0)
            add(words, name, value);
        else if (steps && json_equal(steps, value))
            json_array_append_new(words, json_string("draws=all"));
        else
            add(words, "draws", value);
    }
}

static bool has_part(const char *path, const char *part, size_t length)
{
    for (const char *at = path; *at; at += strspn(at, "/")) {
        const size_t here = strcspn(at, "/");
        if (here == length && memcmp(at, part, length) == 0) return true;
        at += here;
    }
    return false;
}

/* The directory of the run whose checkpoint it was, where `run` is not that: in a directory of
 * results those of several runs may be together. */
static void add_model(json_t *words, const char *checkpoint, const char *run)
{
    static const char inside[] = "/checkpoints/";
    const char *end = checkpoint ? strstr(checkpoint, inside) : NULL;
    if (checkpoint && !end) end = strrchr(checkpoint, '/');
    if (!end || end == checkpoint) return;
    const char *begin = end;
    while (begin > checkpoint && begin[-1] != '/') begin--;
    const size_t length = (size_t)(end - begin);
    if (length == 0 || has_part(run, begin, length)) return;
    json_t *name = json_stringn(begin, length);
    add(words, "model", name);
    json_decref(name);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static char *joined(const json_t *words)
{
    const size_t count = json_array_size(words);
    const char **word = malloc((count + 1) * sizeof *word);
    size_t bytes = 1;
    for (size_t i = 0; word && i < count; i++) {
        word[i] = json_string_value(json_array_get(words, i));
        bytes += strlen(word[i]) + 1;
    }
    char *text = word ? calloc(1, bytes) : NULL;
    if (text) {
        char *end = text;
        qsort(word, count, sizeof *word, by_text);
        for (size_t i = 0; i < count; i++) {
            end = stpcpy(end, i > 0 ? " " : "");
            end = stpcpy(end, word[i]);
        }
    }
    free(word);
    return text;
}

char *compare_settings(const json_t *result, const char *run)
{
    json_t *words = json_array();
    if (!words) return NULL;
    const json_t *samples = json_object_get(result, "samples");
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        const json_t *object = fixed[i].object ? json_object_get(result, fixed[i].object) : result;
        add(words, fixed[i].name, json_object_get(object, fixed[i].member));
    }
    add_settings(words, json_object_get(result, "settings"));
    const json_t *model = json_object_get(result, "model");
    add_model(words, json_string_value(json_object_get(model ? model : samples, "checkpoint")),
              run);
    char *text = joined(words);
    json_decref(words);
    return text;
}
