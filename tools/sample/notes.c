#include "notes.h"

#include "ddpm/base/text.h"

#include <stdlib.h>
#include <string.h>

static void note(sample_notes *notes, const char *name, json_t *value)
{
    if (json_object_set_new(notes->json, name, value) != 0) notes->failed = true;
}

void sample_note_text(sample_notes *notes, const char *name, const char *text)
{
    const size_t size = 4 * strlen(text) + 1; /* if all of it is escaped */
    char *valid = malloc(size);
    note(notes, name, valid ? json_string(ddpm_text_utf8(valid, size, text)) : NULL);
    free(valid);
}

void sample_note_count(sample_notes *notes, const char *name, uint64_t value)
{
    note(notes, name, json_integer((json_int_t)value));
}

void sample_note_real(sample_notes *notes, const char *name, double value)
{
    note(notes, name, json_real(value));
}
