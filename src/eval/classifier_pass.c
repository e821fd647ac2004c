#include "classifier.h"
#include "ddpm/kernels/linear.h"

#include <math.h>
#include <string.h>

/* features = mean over pixels of y [N,H,W,C] */
static void pool_forward(float *features, const float *y, ddpm_shape s)
{
    const size_t pixels = s.h * s.w;
    for (size_t n = 0; n < s.n; n++)
        for (size_t c = 0; c < s.c; c++) {
            double sum = 0.0;
            for (size_t p = 0; p < pixels; p++) sum += (double)y[(n * pixels + p) * s.c + c];
            features[n * s.c + c] = (float)(sum / (double)pixels);
        }
}

static void pool_backward(float *dy, const float *d_features, ddpm_shape s)
{
    const size_t pixels = s.h * s.w;
    for (size_t n = 0; n < s.n; n++)
        for (size_t p = 0; p < pixels; p++)
            for (size_t c = 0; c < s.c; c++)
                dy[(n * pixels + p) * s.c + c] = d_features[n * s.c + c] / (float)pixels;
}

static void stage_forward(classifier_stage *s, const float *x, const ddpm_classifier *c)
{
    const float *w = c->weights;
    ddpm_conv3x3_forward(s->conv, x, w + s->w, NULL, &(ddpm_conv3x3_addends){ .bias = w + s->bias },
                         c->scratch, s->plan);
    ddpm_norm_forward(s->out, s->mean, s->rstd, s->conv, w + s->gamma, w + s->beta, &s->norm);
}

/* dx NULL: nobody asks for it. */
static void stage_backward(float *dx, float *gradient, classifier_stage *s, const float *x,
                           const ddpm_classifier *c)
{
    const float *w = c->weights;
    ddpm_norm_backward(s->d_conv, gradient + s->gamma, gradient + s->beta, s->d_out, s->conv,
                       s->mean, s->rstd, w + s->gamma, w + s->beta, c->scratch, &s->norm);
    ddpm_conv3x3_backward_weights(gradient + s->w, gradient + s->bias, NULL, s->d_conv, x,
                                  c->scratch, s->plan);
    if (dx) ddpm_conv3x3_backward_data(dx, s->d_conv, w + s->w, c->scratch, s->plan);
}

void classifier_repeat_last(float *x, size_t count, const ddpm_classifier *c)
{
    const size_t d = c->shape.h * c->shape.w * c->shape.c;
    for (size_t i = count; i < c->shape.n; i++)
        memcpy(x + i * d, x + (count - 1) * d, d * sizeof *x);
}

void classifier_forward(ddpm_classifier *c, const float *x)
{
    for (size_t i = 0; i < CLASSIFIER_STAGES; i++) {
        stage_forward(&c->stage[i], x, c);
        x = c->stage[i].out;
    }
    pool_forward(c->features, x, c->stage[CLASSIFIER_STAGES - 1].norm.shape);
}

/* logits become d loss / d logits = (softmax - label) / N. */
static double cross_entropy(float *logits, const int64_t *labels, size_t n, size_t classes)
{
    double loss = 0.0;
    for (size_t i = 0; i < n; i++) {
        float *z = logits + i * classes;
        double most = (double)z[0], sum = 0.0;
        for (size_t k = 1; k < classes; k++) most = fmax(most, (double)z[k]);
        for (size_t k = 0; k < classes; k++) sum += exp((double)z[k] - most);
        loss += log(sum) + most - (double)z[labels[i]];
        for (size_t k = 0; k < classes; k++) {
            const double p = exp((double)z[k] - most) / sum;
            z[k] = (float)((p - (k == (size_t)labels[i] ? 1.0 : 0.0)) / (double)n);
        }
    }
    return loss / (double)n;
}

double ddpm_classifier_loss(float *gradient, ddpm_classifier *c, const float *x,
                            const int64_t *labels)
{
    const size_t n = c->shape.n, last = CLASSIFIER_STAGES - 1;
    const ddpm_linear dense = { .rows = n, .c = DDPM_CLASSIFIER_FEATURES, .k = c->classes };
    float *w = c->weights + c->dense_w;
    classifier_logits(c, x);
    const double loss = cross_entropy(c->logits, labels, n, c->classes);
    if (!gradient) return loss;
    ddpm_linear_backward_weights(gradient + c->dense_w, gradient + c->dense_bias, c->logits,
                                 c->features, &dense);
    ddpm_linear_backward_data(c->d_features, c->logits, w, &dense);
    pool_backward(c->stage[last].d_out, c->d_features, c->stage[last].norm.shape);
    for (size_t i = CLASSIFIER_STAGES; i-- > 0;)
        stage_backward(i ? c->stage[i - 1].d_out : NULL, gradient, &c->stage[i],
                       i ? c->stage[i - 1].out : x, c);
    return loss;
}

void classifier_logits(ddpm_classifier *c, const float *x)
{
    classifier_forward(c, x);
    ddpm_linear_forward(
        c->logits, c->features, c->weights + c->dense_w, c->weights + c->dense_bias, NULL,
        &(ddpm_linear){ .rows = c->shape.n, .c = DDPM_CLASSIFIER_FEATURES, .k = c->classes });
}
