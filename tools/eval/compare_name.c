/* What a legend calls a curve: what is known of it, and of that what tells it from the others. */
#include "compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RUN_TAIL = 36, LEGEND_ROWS = 20 /* more are not named */ };

typedef struct {
    char *text;
    size_t used;
} name_text;

/* Adds `length` bytes of a word; what does not fit ends in "...". */
static void add(name_text *name, const char *separator, const char *word, size_t length)
{
    const size_t room = COMPARE_NAME - name->used;
    const int wanted = snprintf(name->text + name->used, room, "%s%.*s", separator, (int)length,
                                word);
    if (wanted < 0 || (size_t)wanted < room) {
        name->used += wanted > 0 ? (size_t)wanted : 0;
        return;
    }
    memcpy(name->text + COMPARE_NAME - 4, "...", 4);
    name->used = COMPARE_NAME - 1;
}

static void add_word(name_text *name, const char *separator, const char *word)
{
    add(name, separator, word, strlen(word));
}

static void add_number(name_text *name, const char *word, double value)
{
    char text[64];
    snprintf(text, sizeof text, "%s %.0f", word, value);
    add_word(name, ", ", text);
}

/* The last parts of a path say more than the first. */
static void add_run(name_text *name, const char *run)
{
    const size_t length = strlen(run);
    if (length <= RUN_TAIL) {
        add_word(name, "", run);
    } else {
        add_word(name, "", "...");
        add_word(name, "", run + length - (RUN_TAIL - 3));
    }
}

/* Whether a word stands among those of settings. */
static bool has_word(const char *settings, const char *word, size_t length)
{
    for (const char *at = settings; *at; at += strspn(at, " ")) {
        const size_t here = strcspn(at, " ");
        if (here == length && memcmp(at, word, length) == 0) return true;
        at += here;
    }
    return false;
}

static bool all_have(const compare_row *const *first, size_t curves, const char *word,
                     size_t length)
{
    for (size_t k = 0; k < curves; k++)
        if (!has_word(first[k]->settings, word, length)) return false;
    return true;
}

static void add_differences(name_text *name, size_t k, const compare_row *const *first,
                            size_t curves)
{
    bool same_reference = true, same_images = true;
    char reference[48];
    for (size_t i = 0; i < curves; i++) {
        same_reference &= strcmp(first[i]->reference, first[k]->reference) == 0;
        same_images &= compare_numbers(first[i]->images, first[k]->images) == 0;
    }
    if (!same_reference) add_word(name, ", ", compare_reference(reference, first[k]));
    if (!same_images && isfinite(first[k]->images)) add_number(name, "images", first[k]->images);
    for (const char *at = first[k]->settings; *at; at += strspn(at, " ")) {
        const size_t length = strcspn(at, " ");
        if (!all_have(first, curves, at, length)) add(name, ", ", at, length);
        at += length;
    }
}

void compare_name(char text[COMPARE_NAME], size_t k, const compare_row *const *first, size_t curves,
                  const char *fixed, double value)
{
    name_text name = { .text = text };
    *text = '\0';
    add_run(&name, first[k]->run);
    if (*first[k]->sampler) add_word(&name, " ", first[k]->sampler);
    if (*first[k]->weights) add_word(&name, " ", first[k]->weights);
    if (isfinite(value)) add_number(&name, fixed, value);
    if (k < LEGEND_ROWS) add_differences(&name, k, first, curves);
}
