/* What the network consists of. */
#ifndef INCEPTION_H
#define INCEPTION_H
#include "ddpm/eval/inception.h"
#include "ddpm/kernels/conv2d.h"
#include "ddpm/kernels/pool.h"

enum {
    INCEPTION_SIDE = 299, /* images are resized to */
    INCEPTION_STEPS = 128,
    INCEPTION_NAME = 48,
    INCEPTION_BUFFERS = 4
};

typedef enum { INCEPTION_CONV, INCEPTION_MEAN, INCEPTION_MAX } inception_kind;

/* A convolution with all that follows it, or a pool. Shapes are of a full batch. */
typedef struct {
    inception_kind kind;
    char name[INCEPTION_NAME]; /* "Mixed_5b.branch1x1"; of a convolution */
    size_t from, to;           /* buffers */
    size_t channel;            /* of `to`, where the output begins */
    ddpm_conv2d conv;
    ddpm_pool3x3 pool;
    size_t w, bias; /* into the flat weights */
} inception_step;

typedef struct {
    inception_step step[INCEPTION_STEPS];
    size_t steps;
    size_t buffer_floats[INCEPTION_BUFFERS];
    size_t floats;  /* of weights */
    size_t last;    /* the buffer that the features are means of */
    ddpm_shape out; /* and its shape */
} inception_plan;

/* The whole network, from images [n,299,299,3] in buffer 0. Cannot fail. */
void inception_plan_make(inception_plan *plan, size_t n);

struct ddpm_inception {
    inception_plan plan;
    float *weights, *buffer[INCEPTION_BUFFERS];
    void *scratch;
    size_t scratch_bytes;
};
#endif
