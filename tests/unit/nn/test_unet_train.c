/* Five training steps against golden values: loss, gradient norm, warm-up, clipping, Adam, EMA. */
#include "check.h"
#include "numeric.h"
#include "weights.h"

#include "ddpm/base/memory.h"
#include "ddpm/kernels/elementwise.h"
#include "ddpm/kernels/isa.h"
#include "ddpm/kernels/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 5, DIGEST = 3 };

static const double LOSS_BOUND = 2e-6, NORM_BOUND = 3e-6;
/* Of a weight after five steps, against the tensor's largest: one rounding of float32 a step. */
static const double WEIGHT_BOUND = 5 * 6e-8;
/* Tensors whose gradient is rounding alone: Adam may carry them a full rate a step. */
static const char *const blind[] = { "to_k.bias" };

typedef struct {
    golden *file;
    const char *group;
    ddpm_unet *unet;
    const ddpm_params *params;
    size_t batch, image;
    double lr, warmup, clip;
    float *p, *m, *v, *grads, *ema[2];
    float *x, *y, *dy, *t;
    double *x0, *eps, *abar; /* [step,B,H,W,C]; abar [1000] */
    int64_t *timesteps;
} trainer;

static float *take(size_t count)
{
    float *memory = calloc(count + 1, sizeof *memory);
    assert_non_null(memory);
    return memory;
}

static void trainer_open(trainer *r, const char *group, const char *network_group,
                         golden *network_file, const char *start, golden *start_file)
{
    *r = (trainer){ .file = golden_open("train_tiny"), .group = group };
    const ddpm_unet_config config = load_golden_config(network_file ? network_file : r->file,
                                                       network_group);
    size_t size[8];
    golden_shape(r->file, size, "%s/x0", group);
    assert_int_equal(size[0], STEPS);
    r->batch = size[1];
    r->image = size[2] * size[3] * size[4];
    CHECK_OK(ddpm_unet_create(&r->unet, &config, r->batch, DDPM_UNET_TRAINING));
    r->params = ddpm_unet_params(r->unet);
    float **flat[] = { &r->p, &r->m, &r->v, &r->grads, &r->ema[0], &r->ema[1] };
    for (size_t i = 0; i < sizeof flat / sizeof *flat; i++) *flat[i] = take(r->params->total);
    load_golden_weights(start_file ? start_file : r->file, start, r->params, r->p);
    for (size_t i = 0; i < 2; i++) memcpy(r->ema[i], r->p, r->params->total * sizeof *r->p);
    r->x = take(r->batch * r->image);
    r->y = take(r->batch * r->image);
    r->dy = take(r->batch * r->image);
    r->t = take(r->batch);
    r->x0 = golden_f64(r->file, NULL, "%s/x0", group);
    r->eps = golden_f64(r->file, NULL, "%s/eps", group);
    r->timesteps = golden_i64(r->file, NULL, "%s/t", group);
    r->lr = golden_real(r->file, "lr", group);
    r->warmup = golden_real(r->file, "warmup", group);
    r->clip = golden_real(r->file, "clip", group);
    golden *schedule = golden_open("schedule");
    r->abar = golden_f64(schedule, NULL, "linear_1000/alphas_cumprod");
    golden_close(schedule);
}

static void trainer_close(trainer *r)
{
    void *all[] = { r->p, r->m,  r->v, r->grads, r->ema[0], r->ema[1], r->x,
                    r->y, r->dy, r->t, r->x0,    r->eps,    r->abar,   r->timesteps };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    ddpm_unet_free(r->unet);
    golden_close(r->file);
}

/* Returns the loss; the gradient is in r->grads. */
static double loss_and_gradient(trainer *r, size_t step, double *per_image)
{
    const size_t count = r->batch * r->image;
    for (size_t b = 0; b < r->batch; b++) {
        const int64_t t = r->timesteps[step * r->batch + b];
        r->t[b] = (float)t;
        for (size_t i = 0; i < r->image; i++) {
            const size_t k = step * count + b * r->image + i;
            r->x[b * r->image + i] = (float)(sqrt(r->abar[t]) * r->x0[k] +
                                             sqrt(1.0 - r->abar[t]) * r->eps[k]);
        }
    }
    ddpm_unet_forward(r->unet, r->y, r->x, r->t, r->p, NULL);
    double loss = 0.0;
    for (size_t b = 0; b < r->batch; b++) {
        per_image[b] = 0.0;
        for (size_t i = b * r->image; i < (b + 1) * r->image; i++) {
            const double difference = (double)r->y[i] - r->eps[step * count + i];
            per_image[b] += difference * difference / (double)r->image;
            r->dy[i] = (float)(2.0 * difference / (double)count);
        }
        loss += per_image[b] / (double)r->batch;
    }
    memset(r->grads, 0, r->params->total * sizeof *r->grads);
    ddpm_unet_backward(r->unet, r->grads, NULL, r->dy, r->p, NULL, NULL);
    return loss;
}

static double scalar(const trainer *r, const char *name, size_t step)
{
    double *values = golden_f64(r->file, NULL, "%s/adam_torch/%s", r->group, name);
    const double value = values[step];
    free(values);
    return value;
}

/* One step; its loss, norm and rate are compared. */
static void train_step(trainer *r, size_t step)
{
    double per_image[8];
    const double loss = loss_and_gradient(r, step, per_image);
    CHECK_LE(fabs(loss - scalar(r, "loss", step)), LOSS_BOUND * loss);
    double *theirs = golden_f64(r->file, NULL, "%s/adam_torch/per_image_loss", r->group);
    for (size_t b = 0; b < r->batch; b++) {
        const double expected = theirs[step * r->batch + b];
        CHECK_LE(fabs(per_image[b] - expected), LOSS_BOUND * expected);
    }
    free(theirs);

    const double norm = sqrt(ddpm_sum_squares(r->grads, r->params->total));
    CHECK_LE(fabs(norm - scalar(r, "grad_norm", step)), NORM_BOUND * norm);
    const double lr = r->lr * fmin((double)step / r->warmup, 1.0);
    CHECK_LE(fabs(lr - scalar(r, "lr", step)), 1e-18);
    const ddpm_adam adam = { .lr = lr,
                             .beta1 = 0.9,
                             .beta2 = 0.999,
                             .epsilon = 1e-8,
                             .step = step,
                             .grad_factor = r->clip / fmax(norm, r->clip) };
    const ddpm_ema ema = { .count = 2,
                           .average = { r->ema[0], r->ema[1] },
                           .decay = { 0.9999, 0.9 } };
    ddpm_adam_ema_step(r->p, r->m, r->v, r->grads, r->params->total, &adam, &ema);
}

static bool is_blind(const ddpm_param *row)
{
    for (size_t i = 0; i < sizeof blind / sizeof *blind; i++)
        if (strstr(row->name, blind[i])) return true;
    return false;
}

/* Largest difference of a flat buffer from its golden tensors, each against its own largest. */
static void check_flat(const trainer *r, const float *flat, size_t step, const char *name,
                       double bound)
{
    char group[96];
    snprintf(group, sizeof group, "%s/adam_torch/step%zu/%s", r->group, step, name);
    double worst = 0.0;
    for (size_t i = 0; i < r->params->count; i++) {
        const ddpm_param *row = &r->params->param[i];
        if (is_blind(row)) continue;
        double *theirs = golden_tensor(r->file, group, row);
        const double error = max_error(flat + row->offset, theirs, row->count);
        if (!(error <= bound)) fail_msg("%s/%s: error %.3g", group, row->name, error);
        worst = worse(worst, error);
        free(theirs);
    }
    print_message("%s: worst %.2e\n", group, worst);
}

static void check_blind(const trainer *r, const float *flat, size_t step, const char *name)
{
    char group[96];
    snprintf(group, sizeof group, "%s/adam_torch/step%zu/%s", r->group, step, name);
    for (size_t i = 0; i < r->params->count; i++) {
        const ddpm_param *row = &r->params->param[i];
        if (!is_blind(row)) continue;
        double *theirs = golden_tensor(r->file, group, row);
        for (size_t k = 0; k < row->count; k++)
            CHECK_LE(fabs((double)flat[row->offset + k] - theirs[k]), STEPS * r->lr);
        free(theirs);
    }
}

static void five_steps_match_in_every_weight(void **state)
{
    (void)state;
    trainer r;
    trainer_open(&r, "full", "full", NULL, "full/init", NULL);
    for (size_t step = 0; step < STEPS; step++) {
        train_step(&r, step);
        check_flat(&r, r.p, step, "params", WEIGHT_BOUND);
        check_blind(&r, r.p, step, "params");
        check_flat(&r, r.ema[0], step, "ema_0.9999", WEIGHT_BOUND);
        check_flat(&r, r.ema[1], step, "ema_0.9", WEIGHT_BOUND);
    }
    check_flat(&r, r.m, STEPS - 1, "adam_m", 1e-5);
    check_flat(&r, r.v, STEPS - 1, "adam_v", 2e-5);
    trainer_close(&r);
}

/* sum v, sum v^2, sum v sin(i+1) over diffusers' order, and how far each may be off where every
 * element is off by `slack`. */
static void digest(double out[DIGEST], double bound[DIGEST], const float *ours,
                   const ddpm_param *row, double slack)
{
    float *theirs = take(row->count);
    to_diffusers(theirs, ours, row);
    double largest = 0.0;
    memset(out, 0, DIGEST * sizeof *out);
    for (size_t i = 0; i < row->count; i++) {
        const double v = (double)theirs[i];
        out[0] += v;
        out[1] += v * v;
        out[2] += v * sin((double)i + 1.0);
        largest = fmax(largest, fabs(v));
    }
    const double walk = slack * largest * sqrt((double)row->count) * 4.0;
    bound[0] = bound[2] = walk;
    bound[1] = 2.0 * largest * walk;
    free(theirs);
}

static void check_digests(const trainer *r, const float *flat, size_t step, const char *name)
{
    size_t count, width;
    char *order = golden_text(r->file, &count, &width, "%s/param_order", r->group);
    double *theirs = golden_f64(r->file, NULL, "%s/adam_torch/step%zu/%s_digest", r->group, step,
                                name);
    assert_int_equal(count, r->params->count);
    for (size_t i = 0; i < count; i++) {
        const ddpm_param *row = ddpm_params_find(r->params, order + i * width);
        assert_non_null(row);
        if (!row || is_blind(row)) continue;
        double ours[DIGEST], bound[DIGEST];
        digest(ours, bound, flat + row->offset, row, WEIGHT_BOUND);
        for (size_t k = 0; k < DIGEST; k++)
            if (!(fabs(ours[k] - theirs[i * DIGEST + k]) <= bound[k]))
                fail_msg("step %zu, %s of %s, number %zu: %.17g against %.17g, bound %.3g", step,
                         name, row->name, k, ours[k], theirs[i * DIGEST + k], bound[k]);
    }
    free(order), free(theirs);
}

static void five_clipped_steps_match_in_their_digests(void **state)
{
    (void)state;
    golden *networks = golden_open("unet_tiny");
    trainer r;
    trainer_open(&r, "digest", "tiny", networks, "tiny/params", networks);
    for (size_t step = 0; step < STEPS; step++) {
        train_step(&r, step);
        check_digests(&r, r.p, step, "params");
        check_digests(&r, r.ema[0], step, "ema_0.9999");
        check_digests(&r, r.ema[1], step, "ema_0.9");
    }
    trainer_close(&r);
    golden_close(networks);
}

static void no_test_left_memory_behind(void **state)
{
    (void)state;
    assert_int_equal(ddpm_memory_live_blocks(), 0);
}

int main(void)
{
    if (ddpm_kernels_init() != DDPM_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_steps_match_in_every_weight),
        cmocka_unit_test(five_clipped_steps_match_in_their_digests),
        cmocka_unit_test(no_test_left_memory_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
