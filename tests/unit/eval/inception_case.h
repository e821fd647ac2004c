/** @file inception_case.h  Weights and images by formulas that tests/golden/inception.py has too.
 */
#ifndef INCEPTION_CASE_H
#define INCEPTION_CASE_H
#include <stddef.h>

/** Numbers of [0,1), keyed by a name. */
void case_uniform(double *values, size_t count, const char *name);
/** Pixels [count] in [-1,1], of whole bytes. */
void case_image(float *pixels, size_t count, const char *name);

/** A tensor of the network, with values by its name. */
typedef struct {
    char name[80];
    size_t rank, size[4], count;
} case_tensor;
enum { CASE_TENSORS = 470, CASE_LARGEST = 448 * 384 * 9 };
/** All of them; fails the test unless they are CASE_TENSORS. */
void case_tensors(case_tensor tensor[CASE_TENSORS]);
void case_values(float *values, const case_tensor *tensor);
/** The network as a file. As pytorch-fid's is exported, there are tensors that nobody reads. */
void case_write_safetensors(const char *path);
void case_write_h5(const char *path);
#endif
