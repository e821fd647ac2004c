/* What the classifier consists of. */
#ifndef CLASSIFIER_H
#define CLASSIFIER_H
#include "ddpm/eval/classifier.h"
#include "ddpm/kernels/conv.h"
#include "ddpm/kernels/norm.h"

enum { CLASSIFIER_STAGES = 3 };

/* One convolution and its norm. Offsets are into the flat weights; buffers are for a batch. */
typedef struct {
    ddpm_conv3x3_plan *plan;
    ddpm_norm norm; /* its shape is that of the output */
    size_t input_channels;
    size_t w, bias, gamma, beta;
    float *conv, *out;     /* before and after the norm */
    float *mean, *rstd;    /* [N,G] */
    float *d_out, *d_conv; /* gradients */
} classifier_stage;

struct ddpm_classifier {
    ddpm_shape shape; /* of the images; n is the batch */
    size_t classes;
    uint64_t seed;
    classifier_stage stage[CLASSIFIER_STAGES];
    size_t dense_w, dense_bias, floats;
    float *weights;
    float *features, *d_features, *logits; /* [N,64], [N,classes] */
    void *scratch;
};

/* Of x [N,H,W,C] images from `count` on are its last one again, so that the bits of a call that is
 * not full do not depend on what was computed before. */
void classifier_repeat_last(float *x, size_t count, const ddpm_classifier *c);
/* From x [N,H,W,C] to the features. */
void classifier_forward(ddpm_classifier *c, const float *x);
/* And on to the logits [N,classes]. */
void classifier_logits(ddpm_classifier *c, const float *x);
#endif
