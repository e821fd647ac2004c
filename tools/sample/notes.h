/** @file notes.h
 *  What is noted about a drawing: an object of texts and numbers, for an HDF5 file and --json. */
#ifndef SAMPLE_NOTES_H
#define SAMPLE_NOTES_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    json_t *json;
    bool failed; /**< memory ran out; later notes are none */
} sample_notes;

/** Bytes of `text` that are no UTF-8 (a path may hold any) are escaped: ddpm_text_utf8. */
void sample_note_text(sample_notes *notes, const char *name, const char *text);
void sample_note_count(sample_notes *notes, const char *name, uint64_t value);
void sample_note_real(sample_notes *notes, const char *name, double value);
#endif
