#include "training_results.h"

#include <stdbool.h>
#include <string.h>

static const char mark[] = "\"eval_loss\"";

/* Null stands for what a line does not have, or has no name for. */
static json_t *member(const json_t *line, const char *name)
{
    json_t *value = name ? json_object_get(line, name) : NULL;
    return value ? json_incref(value) : json_null();
}

static void add(json_t *array, const json_t *line, const char *metric, const char *error,
                json_t *settings)
{
    if (!json_is_number(json_object_get(line, metric))) {
        json_decref(settings);
        return;
    }
    json_array_append_new(
        array,
        json_pack("{s:s,s:o,s:o,s:o,s:{s:o,s:o},s:{s:o},s:o,s:o}", "metric", metric, "value",
                  member(line, metric), "standard_error", member(line, error), "images",
                  member(line, "eval_images"), "model", "step", member(line, "step"), "weights",
                  member(line, "eval_weights"), "data", "content_hash", member(line, "eval_data"),
                  "settings", settings, "created", member(line, "time")));
}

static void add_line(json_t *array, const char *text, size_t bytes)
{
    /* Most lines are of steps: these need not be parsed. */
    if (!memmem(text, bytes, mark, sizeof mark - 1)) return;
    json_t *line = json_loadb(text, bytes, 0, NULL);
    add(array, line, "eval_loss", NULL, json_object());
    add(array, line, "eval_bpd", "eval_bpd_standard_error",
        json_pack("{s:o}", "evaluations", member(line, "eval_draws")));
    json_decref(line);
}

void training_results(json_t *array, const char *text, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        const char *stop = memchr(text + at, '\n', bytes - at);
        const size_t length = stop ? (size_t)(stop - (text + at)) : bytes - at;
        add_line(array, text + at, length);
        at += length + 1;
    }
}
