#include "compare.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS = 16, FOR_PEOPLE = 11, NUMBERS = 5, CELL = 48 };
/* The first FOR_PEOPLE are for people, all for programs. */
static const struct {
    const char *head;
    bool right; /* numbers stand there */
} columns[COLUMNS] = {
    { "metric", false },  { "value", true },           { "error", true },     { "step", true },
    { "steps", true },    { "sampler", false },        { "weights", false },  { "images", true },
    { "run", false },     { "reference", false },      { "settings", false }, { "model", false },
    { "samples", false }, { "reference_hash", false }, { "key", false },      { "created", false },
};

static const char *print(char cell[CELL], const char *format, double value)
{
    if (!isfinite(value)) return "-";
    snprintf(cell, CELL, format, value);
    return cell;
}

static const char *or_dash(const char *text)
{
    return *text ? text : "-";
}

const char *compare_reference(char buffer[48], const compare_row *row)
{
    const char *colon = strchr(row->reference, ':');
    const char *digits = colon ? colon + 1 : row->reference;
    const bool named = *row->reference_name != '\0';
    if (!named && !*digits) return "-";
    snprintf(buffer, 48, "%.32s%s%.8s", row->reference_name, named && *digits ? ":" : "", digits);
    return buffer;
}

typedef struct {
    const char *text[COLUMNS];
    char made[NUMBERS + 1][CELL]; /* into which some of them point */
} line;

static void line_of(line *to, const compare_row *r)
{
    const char *const text[COLUMNS] = {
        r->metric,
        print(to->made[0], "%.6g", r->value),
        print(to->made[1], "%.3g", r->error),
        print(to->made[2], "%.0f", r->step),
        print(to->made[3], "%.0f", r->steps),
        or_dash(r->sampler),
        or_dash(r->weights),
        print(to->made[4], "%.0f", r->images),
        r->run,
        compare_reference(to->made[5], r),
        or_dash(r->settings),
        or_dash(r->model),
        or_dash(r->samples),
        or_dash(r->reference),
        or_dash(r->key),
        or_dash(r->created),
    };
    memcpy(to->text, text, sizeof text);
}

/* Without what would end a cell or a line. */
static void put(FILE *out, const char *text, size_t width, bool right)
{
    const size_t length = strlen(text);
    for (size_t i = length; right && i < width; i++) putc(' ', out);
    for (; *text; text++) putc(iscntrl((unsigned char)*text) ? ' ' : *text, out);
    for (size_t i = length; !right && i < width; i++) putc(' ', out);
}

/* width: NULL: as wide as they are, with tabs between them. */
static void put_line(FILE *out, const char *const *text, const size_t *width)
{
    const size_t count = width ? FOR_PEOPLE : COLUMNS;
    for (size_t c = 0; c < count; c++) {
        if (c > 0) fputs(width ? "  " : "\t", out);
        put(out, text[c], width && c + 1 < count ? width[c] : 0, columns[c].right);
    }
    putc('\n', out);
}

static void widen(size_t *width, const char *const *text)
{
    for (size_t c = 0; c < COLUMNS; c++) {
        const size_t length = strlen(text[c]);
        if (length > width[c]) width[c] = length;
    }
}

void compare_table(FILE *out, const compare_rows *rows, bool all)
{
    const char *head[COLUMNS];
    size_t width[COLUMNS] = { 0 };
    line l;
    for (size_t c = 0; c < COLUMNS; c++) head[c] = columns[c].head;
    widen(width, head);
    for (size_t i = 0; i < rows->count; i++) {
        line_of(&l, &rows->row[i]);
        widen(width, l.text);
    }
    put_line(out, head, all ? NULL : width);
    for (size_t i = 0; i < rows->count; i++) {
        line_of(&l, &rows->row[i]);
        put_line(out, l.text, all ? NULL : width);
    }
}
