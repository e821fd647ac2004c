/* What a plot says of its curves: in the legend what tells one from the others, below the title
 * what is known of all. */
#include "compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RUN_TAIL = 36 };

typedef struct {
    char *text;
    size_t used;
} name_text;

/* Adds `length` bytes of a word; what does not fit ends in "...". */
static void add(name_text *name, const char *word, size_t length)
{
    const size_t room = COMPARE_NAME - name->used;
    const int wanted = snprintf(name->text + name->used, room, "%s%.*s", name->used > 0 ? ", " : "",
                                (int)length, word);
    if (wanted < 0 || (size_t)wanted < room) {
        name->used += wanted > 0 ? (size_t)wanted : 0;
        return;
    }
    memcpy(name->text + COMPARE_NAME - 4, "...", 4);
    name->used = COMPARE_NAME - 1;
}

static void add_word(name_text *name, const char *word)
{
    add(name, word, strlen(word));
}

static void add_number(name_text *name, const char *word, double value)
{
    char text[64];
    snprintf(text, sizeof text, "%s %.0f", word, value);
    add_word(name, text);
}

/* The last parts of a path say more than the first. */
static void add_run(name_text *name, const char *run)
{
    const size_t length = strlen(run);
    char text[RUN_TAIL + 1];
    if (length <= RUN_TAIL)
        snprintf(text, sizeof text, "%s", run);
    else
        snprintf(text, sizeof text, "...%s", run + length - (RUN_TAIL - 3));
    add_word(name, text);
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

static bool all_have(const compare_curves *curves, const char *word, size_t length)
{
    for (size_t k = 0; k < curves->count; k++)
        if (!has_word(curves->first[k]->settings, word, length)) return false;
    return true;
}

/* What all curves have alike. */
typedef struct {
    bool run, sampler, weights, fixed, reference, images;
} alike;

static alike what_is_alike(const compare_curves *curves)
{
    alike same = { true, true, true, true, true, true };
    const compare_row *a = curves->first[0];
    for (size_t k = 1; k < curves->count; k++) {
        const compare_row *b = curves->first[k];
        same.run &= strcmp(a->run, b->run) == 0;
        same.sampler &= strcmp(a->sampler, b->sampler) == 0;
        same.weights &= strcmp(a->weights, b->weights) == 0;
        same.fixed &= compare_numbers(curves->constant(a), curves->constant(b)) == 0;
        same.reference &= strcmp(a->reference, b->reference) == 0;
        same.images &= compare_numbers(a->images, b->images) == 0;
    }
    return same;
}

/* What is wanted, where it is known. */
static void add_known(name_text *name, const compare_row *row, const compare_curves *curves,
                      const alike *wanted)
{
    char reference[48];
    const double constant = curves->constant(row);
    if (wanted->run) add_run(name, row->run);
    if (wanted->sampler && *row->sampler) add_word(name, row->sampler);
    if (wanted->weights && *row->weights) add_word(name, row->weights);
    if (wanted->fixed && isfinite(constant)) add_number(name, curves->fixed, constant);
    if (wanted->reference) add_word(name, compare_reference(reference, row));
    if (wanted->images && isfinite(row->images)) add_number(name, "images", row->images);
}

void compare_name(char text[COMPARE_NAME], size_t k, const compare_curves *curves)
{
    const compare_row *row = curves->first[k];
    const alike same = what_is_alike(curves);
    const alike differs = { !same.run,   !same.sampler,   !same.weights,
                            !same.fixed, !same.reference, !same.images };
    name_text name = { .text = text };
    *text = '\0';
    add_known(&name, row, curves, &differs);
    for (const char *at = row->settings; *at; at += strspn(at, " ")) {
        const size_t length = strcspn(at, " ");
        if (!all_have(curves, at, length)) add(&name, at, length);
        at += length;
    }
    if (curves->count > 1 && !*text) add_word(&name, "-");
}

void compare_subtitle(char text[COMPARE_NAME], const compare_curves *curves)
{
    const alike same = what_is_alike(curves);
    name_text name = { .text = text };
    *text = '\0';
    add_known(&name, curves->first[0], curves, &same);
}
