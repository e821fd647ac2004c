/* Squares of Euclidean distances: exactly, and by products in float32 to within a bound, so that
 * only those are computed exactly on which something depends. */
#ifndef EVAL_SQUARES_H
#define EVAL_SQUARES_H
#include <stddef.h>

/* |a|^2 in double */
double squares_of(const float *a, size_t d);
/* |a - b|^2, its terms added in order in double: what distances are here, to the last bit. */
double squares_between(const float *a, const float *b, size_t d);

/* How far |a|^2 + |b|^2 - 2 a.b may be from squares_between where a.b was added up in float32 in
 * any order: relative (|a|^2 + |b|^2) + absolute. */
typedef struct {
    double relative, absolute;
} squares_error;
squares_error squares_error_of(size_t d);
#endif
