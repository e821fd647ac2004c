/* Sorting many floats: a radix sort of their bits. */
#ifndef EVAL_SORT_H
#define EVAL_SORT_H
#include <stddef.h>

/* x [n] ascending; finite. scratch [n]. */
void eval_sort(float *x, float *scratch, size_t n);
#endif
