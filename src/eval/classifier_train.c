#include "classifier.h"
#include "ddpm/base/memory.h"
#include "ddpm/data/order.h"
#include "ddpm/kernels/optimizer.h"

#include <math.h>
#include <string.h>

/* What training takes beside the network. */
typedef struct {
    ddpm_classifier *c;
    const ddpm_classifier_data *data;
    float *x, *gradient, *m, *v;
    int64_t labels[DDPM_CLASSIFIER_BATCH];
} training;

static ddpm_status allocate(training *t)
{
    const ddpm_shape s = t->c->shape;
    float **buffers[] = { &t->gradient, &t->m, &t->v };
    for (size_t i = 0; i < 3; i++)
        DDPM_TRY(ddpm_memory_alloc(buffers[i], t->c->floats, sizeof(float), DDPM_MEMORY_OPTIMIZER));
    return ddpm_memory_alloc(&t->x, ddpm_shape_count(s), sizeof(float), DDPM_MEMORY_DATA);
}

static ddpm_status check_labels(const training *t)
{
    for (size_t i = 0; i < DDPM_CLASSIFIER_BATCH; i++)
        if (t->labels[i] < 0 || (size_t)t->labels[i] >= t->c->classes)
            return ddpm_fail(DDPM_EDATA, "label %lld, but there are %zu classes",
                             (long long)t->labels[i], t->c->classes);
    return DDPM_OK;
}

/* Samples first .. first + BATCH - 1 of the run: each epoch is a permutation of its own. */
static ddpm_status read_training(training *t, uint64_t first)
{
    uint64_t index[DDPM_CLASSIFIER_BATCH];
    const ddpm_classifier_data *data = t->data;
    for (size_t i = 0; i < DDPM_CLASSIFIER_BATCH; i++)
        index[i] = data->train[ddpm_order_image(t->c->seed, first + i, data->train_count)];
    DDPM_TRY(data->read(t->x, t->labels, index, DDPM_CLASSIFIER_BATCH, data->context));
    return check_labels(t);
}

static ddpm_status run(training *t)
{
    ddpm_classifier *c = t->c;
    const uint64_t images = (uint64_t)t->data->train_count * t->data->epochs;
    const uint64_t steps = (images + DDPM_CLASSIFIER_BATCH - 1) / DDPM_CLASSIFIER_BATCH;
    for (uint64_t step = 0; step < steps; step++) {
        DDPM_TRY(read_training(t, step * DDPM_CLASSIFIER_BATCH));
        memset(t->gradient, 0, c->floats * sizeof *t->gradient);
        const double loss = ddpm_classifier_loss(t->gradient, c, t->x, t->labels);
        if (!isfinite(loss))
            return ddpm_fail(DDPM_EDATA, "the classifier's loss is not finite after %llu steps",
                             (unsigned long long)step);
        const ddpm_adam adam = { .lr = t->data->lr * (1.0 - (double)step / (double)steps),
                                 .beta1 = 0.9,
                                 .beta2 = 0.999,
                                 .epsilon = 1e-8,
                                 .step = step,
                                 .grad_factor = 1.0 };
        ddpm_adam_ema_step(c->weights, t->m, t->v, t->gradient, c->floats, &adam, NULL);
    }
    return DDPM_OK;
}

static size_t guess(const ddpm_classifier *c, size_t i)
{
    const float *z = c->logits + i * c->classes;
    size_t best = 0;
    for (size_t k = 1; k < c->classes; k++)
        if (z[k] > z[best]) best = k;
    return best;
}

static ddpm_status test(double *accuracy, training *t)
{
    const ddpm_classifier_data *data = t->data;
    size_t right = 0;
    for (size_t first = 0; first < data->test_count; first += DDPM_CLASSIFIER_BATCH) {
        const size_t left = data->test_count - first;
        const size_t n = left < DDPM_CLASSIFIER_BATCH ? left : DDPM_CLASSIFIER_BATCH;
        DDPM_TRY(data->read(t->x, t->labels, data->test + first, n, data->context));
        classifier_logits(t->c, t->x);
        for (size_t i = 0; i < n; i++) right += guess(t->c, i) == (size_t)t->labels[i];
    }
    *accuracy = data->test_count ? (double)right / (double)data->test_count : (double)NAN;
    return DDPM_OK;
}

ddpm_status ddpm_classifier_train(ddpm_classifier *classifier, double *accuracy,
                                  const ddpm_classifier_data *data)
{
    training t = { .c = classifier, .data = data };
    if (data->train_count == 0)
        return ddpm_fail(DDPM_ECONFIG, "there are no images to train a classifier on");
    ddpm_status status = allocate(&t);
    if (status == DDPM_OK) status = run(&t);
    if (status == DDPM_OK) status = test(accuracy, &t);
    ddpm_memory_free(t.x);
    ddpm_memory_free(t.gradient);
    ddpm_memory_free(t.m);
    ddpm_memory_free(t.v);
    return status;
}
