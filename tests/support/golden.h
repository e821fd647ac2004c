/** @file golden.h
 *  Arrays of the golden files in tests/golden/ (made by PyTorch in float64). Every function fails
 *  the running test where the file, the object or the count is not what was asked for; arrays are
 *  malloc'ed. */
#ifndef GOLDEN_H
#define GOLDEN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct golden golden;

/** "ops" for tests/golden/ops.h5 */
golden *golden_open(const char *stem);
void golden_close(golden *file);

/** printf-style object paths: golden_f64(file, &count, "conv3x3_s1/case%d/x", k). count may be
 *  NULL. */
__attribute__((format(printf, 3, 4))) double *golden_f64(golden *file, size_t *count,
                                                         const char *format, ...);
__attribute__((format(printf, 3, 4))) float *golden_f32(golden *file, size_t *count,
                                                        const char *format, ...);
__attribute__((format(printf, 3, 4))) int64_t *golden_i64(golden *file, size_t *count,
                                                          const char *format, ...);
/** Fixed-length strings, `width` characters each with a 0 after them: names[count][width]. */
__attribute__((format(printf, 4, 5))) char *golden_text(golden *file, size_t *count, size_t *width,
                                                        const char *format, ...);
/** Sizes of an array; returns its rank. */
__attribute__((format(printf, 3, 4))) size_t golden_shape(golden *file, size_t size[8],
                                                          const char *format, ...);
__attribute__((format(printf, 2, 3))) bool golden_exists(golden *file, const char *format, ...);
/** Numbers of an attribute into values[most]; returns how many there are. */
__attribute__((format(printf, 5, 6))) size_t golden_attribute(golden *file, double *values,
                                                              size_t most, const char *name,
                                                              const char *format, ...);
#endif
