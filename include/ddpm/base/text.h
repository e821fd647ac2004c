/** @file base/text.h  Numbers to and from text, strictly: the whole string or an error. */
#ifndef DDPM_BASE_TEXT_H
#define DDPM_BASE_TEXT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The whole of `text` as a number within [min, max]; false otherwise. Accepts 1e6 and 1_000 as
 *  integers where they are whole. */
bool ddpm_text_int64(int64_t *out, const char *text, int64_t min, int64_t max);
/** Finite numbers only. */
bool ddpm_text_double(double *out, const char *text, double min, double max);
/** true/false, yes/no, on/off, 1/0. */
bool ddpm_text_bool(bool *out, const char *text);
/** Seconds from "90", "90s", "5m", "2h", "1d12h", "1:30:00" (h:m:s). */
bool ddpm_text_duration(double *out_seconds, const char *text);

/** "1.50 GiB"; returns `text`, which must hold 32 characters. */
const char *ddpm_text_bytes(char *text, uint64_t bytes);
/** "2 d 03 h", "1 h 02 min", "4 min 05 s", "7 s"; text holds 32 characters. */
const char *ddpm_text_seconds(char *text, double seconds);
/** 35746307 as "35,746,307"; text holds 32 characters. */
const char *ddpm_text_count(char *text, uint64_t count);

/** Levenshtein distance, for "did you mean". */
size_t ddpm_text_distance(const char *a, const char *b);
/** The member of names[count] nearest to `wanted`, or NULL where none is near enough to be meant.
 */
const char *ddpm_text_nearest(const char *wanted, const char *const *names, size_t count);

/** `from` as valid UTF-8, as JSON and HDF5 want it: a byte that is none becomes the four characters
 *  \xHH. What does not fit into size bytes is left out, never a part of a character. Returns `to`.
 */
const char *ddpm_text_utf8(char *to, size_t size, const char *from);

/** The shortest decimal text that reads back as the same double; text holds 32 characters. */
const char *ddpm_text_real(char *text, double value);
#endif
