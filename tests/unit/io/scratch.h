/** @file scratch.h  A directory of this test program's own, removed at its end, and files in it. */
#ifndef SCRATCH_H
#define SCRATCH_H
#include <stdbool.h>
#include <stddef.h>

/** cmocka's group set-up and tear-down. */
int scratch_make(void **state);
int scratch_remove(void **state);
/** A path in the directory, valid until its end. printf-style. */
__attribute__((format(printf, 1, 2))) const char *scratch_path(const char *format, ...);
void scratch_write(const char *path, const void *data, size_t bytes);
/** malloc'ed; fails the test where there is no such file. */
unsigned char *scratch_read(const char *path, size_t *bytes);
bool scratch_exists(const char *path);
/** Files in the directory, hidden ones too. */
size_t scratch_count(void);
#endif
