#include "classifier.h"
#include "ddpm/base/countdown.h"
#include "ddpm/base/memory.h"
#include "ddpm/data/order.h"
#include "ddpm/dist/reducer.h"
#include "ddpm/dist/share.h"
#include "ddpm/kernels/optimizer.h"

#include <math.h>
#include <string.h>

enum { STEP_IMAGES = DDPM_CLASSIFIER_CALLS * DDPM_CLASSIFIER_BATCH };

/* What training takes beside the network. A step's calls of the network are leaves of the reducer's
 * tree; where there are more ranks than calls, further leaves are empty, and add 0. */
typedef struct {
    ddpm_classifier *c;
    const ddpm_classifier_data *data;
    ddpm_comm *comm;
    ddpm_reducer *reducer;
    size_t first, count; /* leaves of this rank */
    float *x;            /* [CALLS,BATCH,H,W,C], of which this rank reads those of its calls */
    float *m, *v;
    int64_t labels[STEP_IMAGES];
    double right; /* test images */
} training;

static size_t calls_before(size_t leaf)
{
    return leaf < DDPM_CLASSIFIER_CALLS ? leaf : DDPM_CLASSIFIER_CALLS;
}

static ddpm_status allocate(training *t)
{
    const size_t batch = ddpm_shape_count(t->c->shape), floats = t->c->floats;
    DDPM_TRY(ddpm_memory_alloc(&t->m, floats, sizeof(float), DDPM_MEMORY_OPTIMIZER));
    DDPM_TRY(ddpm_memory_alloc(&t->v, floats, sizeof(float), DDPM_MEMORY_OPTIMIZER));
    return ddpm_memory_alloc(&t->x, DDPM_CLASSIFIER_CALLS, batch * sizeof(float), DDPM_MEMORY_DATA);
}

static ddpm_status connect(training *t)
{
    const size_t ranks = (size_t)ddpm_comm_size(t->comm);
    const size_t leaves = ranks > DDPM_CLASSIFIER_CALLS ? ranks : DDPM_CLASSIFIER_CALLS;
    ddpm_reducer_interval(&t->first, &t->count, leaves, ddpm_comm_rank(t->comm), (int)ranks);
    return ddpm_reducer_create(&t->reducer, t->comm, t->c->floats, leaves, NULL);
}

static ddpm_status check_labels(const training *t, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (t->labels[i] < 0 || (size_t)t->labels[i] >= t->c->classes)
            return ddpm_fail(DDPM_EDATA, "label %lld, but there are %zu classes",
                             (long long)t->labels[i], t->c->classes);
    return DDPM_OK;
}

/* Of a step's images those of this rank: each epoch is a permutation of its own. */
static ddpm_status read_step(training *t, uint64_t step)
{
    uint64_t index[STEP_IMAGES];
    const ddpm_classifier_data *data = t->data;
    const size_t first = calls_before(t->first) * DDPM_CLASSIFIER_BATCH;
    const size_t end = calls_before(t->first + t->count) * DDPM_CLASSIFIER_BATCH;
    for (size_t i = first; i < end; i++)
        index[i - first] =
            data->train[ddpm_order_image(t->c->seed, step * STEP_IMAGES + i, data->train_count)];
    if (first == end) return DDPM_OK;
    DDPM_TRY(data->read(t->x, t->labels, index, end - first, data->context));
    return check_labels(t, end - first);
}

/* Sum of the calls' gradients; *loss: a sum over this rank's. */
static ddpm_status find_gradient(float **gradient, double *loss, training *t)
{
    const size_t batch = ddpm_shape_count(t->c->shape);
    *loss = 0.0;
    for (size_t i = 0; i < t->count; i++) {
        float *leaf = ddpm_reducer_leaf_begin(t->reducer);
        if (t->first + i < DDPM_CLASSIFIER_CALLS)
            *loss += ddpm_classifier_loss(leaf, t->c, t->x + i * batch,
                                          t->labels + i * DDPM_CLASSIFIER_BATCH);
        ddpm_reducer_leaf_done(t->reducer);
    }
    return ddpm_reducer_finish(t->reducer, gradient);
}

static void update(training *t, const float *gradient, uint64_t step, uint64_t steps)
{
    const ddpm_adam adam = { .lr = t->data->lr * (1.0 - (double)step / (double)steps),
                             .beta1 = 0.9,
                             .beta2 = 0.999,
                             .epsilon = 1e-8,
                             .step = step,
                             .grad_factor = 1.0 / DDPM_CLASSIFIER_CALLS };
    ddpm_adam_ema_step(t->c->weights, t->m, t->v, gradient, t->c->floats, &adam, NULL);
}

static ddpm_status run(training *t)
{
    const uint64_t images = (uint64_t)t->data->train_count * t->data->epochs;
    const uint64_t steps = (images + STEP_IMAGES - 1) / STEP_IMAGES;
    ddpm_countdown countdown = ddpm_countdown_begin("training", steps);
    for (uint64_t step = 0; step < steps; step++) {
        float *gradient;
        double loss;
        ddpm_status status = ddpm_comm_agree(t->comm, read_step(t, step));
        if (status != DDPM_OK) return status;
        DDPM_TRY(find_gradient(&gradient, &loss, t));
        if (!isfinite(loss))
            status = ddpm_fail(DDPM_EDATA, "the classifier's loss is not finite after %llu steps",
                               (unsigned long long)step);
        status = ddpm_comm_agree(t->comm, status);
        if (status != DDPM_OK) return status;
        update(t, gradient, step, steps);
        ddpm_countdown_tell(&countdown, step + 1);
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

/* How many of a unit's test images it gets right. */
static ddpm_status test_images(double *right, size_t unit, void *context)
{
    training *t = context;
    const ddpm_classifier_data *data = t->data;
    const size_t first = unit * STEP_IMAGES, left = data->test_count - first;
    const size_t end = first + (left < STEP_IMAGES ? left : STEP_IMAGES);
    *right = 0.0;
    for (size_t i = first; i < end; i += DDPM_CLASSIFIER_BATCH) {
        const size_t n = end - i < DDPM_CLASSIFIER_BATCH ? end - i : DDPM_CLASSIFIER_BATCH;
        DDPM_TRY(data->read(t->x, t->labels, data->test + i, n, data->context));
        classifier_repeat_last(t->x, n, t->c);
        classifier_logits(t->c, t->x);
        for (size_t k = 0; k < n; k++) *right += guess(t->c, k) == (size_t)t->labels[k];
    }
    return DDPM_OK;
}

static ddpm_status add_right(size_t unit, const double *right, void *context)
{
    training *t = context;
    (void)unit;
    t->right += *right;
    return DDPM_OK;
}

static ddpm_status test(double *accuracy, training *t)
{
    const size_t count = t->data->test_count;
    DDPM_TRY(ddpm_share_work(&(ddpm_share){ .units = (count + STEP_IMAGES - 1) / STEP_IMAGES,
                                            .values = 1,
                                            .compute = test_images,
                                            .take = add_right,
                                            .context = t },
                             t->comm));
    *accuracy = count ? t->right / (double)count : (double)NAN;
    return DDPM_OK;
}

ddpm_status ddpm_classifier_train(ddpm_classifier *classifier, double *accuracy,
                                  const ddpm_classifier_data *data, ddpm_comm *comm)
{
    training t = { .c = classifier, .data = data, .comm = comm };
    if (data->train_count == 0)
        return ddpm_fail(DDPM_ECONFIG, "there are no images to train a classifier on");
    ddpm_status status = ddpm_comm_agree(comm, allocate(&t));
    if (status == DDPM_OK) status = connect(&t);
    if (status == DDPM_OK) status = run(&t);
    if (status == DDPM_OK) status = test(accuracy, &t);
    ddpm_reducer_free(t.reducer);
    ddpm_memory_free(t.x);
    ddpm_memory_free(t.m);
    ddpm_memory_free(t.v);
    return status;
}
