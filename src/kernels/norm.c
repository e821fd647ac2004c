/* The unit of work is a block: whole groups of one image, together BLOCK channels where groups are
 * small. It stays in the cache over the passes (mean, variance, output), and as blocks depend on
 * the shape alone, results do not depend on the number of threads. */
#include "ddpm/kernels/norm.h"

#include "parallel.h"
#include "table.h"

#include <assert.h>
#include <math.h>

enum { BLOCK = 64 };

typedef struct {
    size_t image, group, groups; /* the first group, how many */
    size_t moments;              /* the first group's place in mean and rstd [N,G] */
} block;

/* Elements of a group of one image: what means are taken over. */
static size_t group_size(const ddpm_norm *op)
{
    return op->shape.h * op->shape.w * (op->shape.c / op->groups);
}

/* The number of groups in a block: together BLOCK channels or a little less, whole vectors if
 * possible; one where a single group has more. */
static size_t groups_per_block(const ddpm_norm *op)
{
    const size_t depth = op->shape.c / op->groups, most = depth < BLOCK ? BLOCK / depth : 1;
    for (size_t k = most; k > most / 2; k--)
        if (k * depth % 16 == 0) return k;
    return most;
}

static size_t block_count(const ddpm_norm *op)
{
    const size_t step = groups_per_block(op);
    return op->shape.n * ((op->groups + step - 1) / step);
}

static block block_at(size_t index, const ddpm_norm *op)
{
    const size_t step = groups_per_block(op), an_image = (op->groups + step - 1) / step;
    const size_t group = index % an_image * step, left = op->groups - group;
    return (block){ .image = index / an_image,
                    .group = group,
                    .groups = left < step ? left : step,
                    .moments = index / an_image * op->groups + group };
}

/* Adjacent channels of a block that the inner kernels take at once. */
typedef struct {
    size_t first;             /* channel of the tensor */
    size_t offset;            /* of the strip's first element in the tensor */
    size_t group[DDPM_STRIP]; /* of each channel, counted from the block's first */
    ddpm_columns columns;
} strip;

static bool next_strip(strip *s, const block *b, const ddpm_norm *op)
{
    const ddpm_shape shape = op->shape;
    const size_t depth = shape.c / op->groups, end = (b->group + b->groups) * depth;
    s->first = s->columns.channels ? s->first + s->columns.channels : b->group * depth;
    if (s->first == end) {
        s->columns.channels = 0;
        return false;
    }
    s->columns.pixels = shape.h * shape.w;
    s->columns.stride = shape.c;
    s->columns.channels = end - s->first < DDPM_STRIP ? end - s->first : DDPM_STRIP;
    s->offset = b->image * s->columns.pixels * shape.c + s->first;
    size_t group = s->first / depth - b->group, group_end = (s->first / depth + 1) * depth;
    for (size_t k = 0; k < s->columns.channels; k++) {
        if (s->first + k == group_end) {
            group++;
            group_end += depth;
        }
        s->group[k] = group;
    }
    return true;
}

static void check(const ddpm_norm *op)
{
    assert(op->groups > 0 && op->shape.c % op->groups == 0 && op->shape.h * op->shape.w > 0);
    (void)op;
}

/* Two passes: the mean, then squares around it, so that a mean that is large against the standard
 * deviation costs no digits. The squares are taken around the mean as it was rounded to float,
 * sum (x - m')^2 = sum (x - m)^2 + n (m - m')^2. */
static void find_moments(float *mean, float *rstd, const float *x, const block *b,
                         const ddpm_norm *op)
{
    const ddpm_kernel_table *kernels = ddpm_kernels__table();
    const double count = (double)group_size(op);
    double sum[DDPM_STRIP], exact[BLOCK] = { 0 }, squares[BLOCK] = { 0 };

    for (strip s = { 0 }; next_strip(&s, b, op);) {
        kernels->column_sums(sum, x + s.offset, &s.columns);
        for (size_t k = 0; k < s.columns.channels; k++) exact[s.group[k]] += sum[k];
    }
    for (size_t g = 0; g < b->groups; g++) {
        exact[g] /= count;
        mean[g] = (float)exact[g];
    }
    for (strip s = { 0 }; next_strip(&s, b, op);) {
        float around[DDPM_STRIP];
        for (size_t k = 0; k < s.columns.channels; k++) around[k] = mean[s.group[k]];
        kernels->column_squares(sum, x + s.offset, around, &s.columns);
        for (size_t k = 0; k < s.columns.channels; k++) squares[s.group[k]] += sum[k];
    }
    for (size_t g = 0; g < b->groups; g++) {
        const double shift = exact[g] - (double)mean[g];
        const double variance = fmax(squares[g] / count - shift * shift, 0.0);
        rstd[g] = (float)(1.0 / sqrt(variance + (double)op->epsilon));
    }
}

/* u = (x - mean) scale + shift with scale = gamma rstd, shift = beta. */
static void set_line(ddpm_norm_line *line, const strip *s, const float *mean, const float *rstd,
                     const float *gamma, const float *beta)
{
    for (size_t k = 0; k < s->columns.channels; k++) {
        line->mean[k] = mean[s->group[k]];
        line->scale[k] = gamma[s->first + k] * rstd[s->group[k]];
        line->shift[k] = beta[s->first + k];
    }
}

static void apply_block(float *y, const float *x, const float *mean, const float *rstd,
                        const float *gamma, const float *beta, const block *b, const ddpm_norm *op)
{
    ddpm_norm_line line;
    for (strip s = { 0 }; next_strip(&s, b, op);) {
        set_line(&line, &s, mean, rstd, gamma, beta);
        ddpm_kernels__table()->norm_apply(y + s.offset, x + s.offset, &line, &s.columns, op->silu);
    }
}

void ddpm_norm_forward(float *y, float *mean, float *rstd, const float *x, const float *gamma,
                       const float *beta, const ddpm_norm *op)
{
    check(op);
    const size_t blocks = block_count(op);
#pragma omp parallel for schedule(static) if (worth_threads(ddpm_shape_count(op->shape)))
    for (size_t i = 0; i < blocks; i++) {
        const block b = block_at(i, op);
        find_moments(mean + b.moments, rstd + b.moments, x, &b, op);
        apply_block(y, x, mean + b.moments, rstd + b.moments, gamma, beta, &b, op);
    }
}

void ddpm_norm_reapply(float *y, const float *x, const float *mean, const float *rstd,
                       const float *gamma, const float *beta, const ddpm_norm *op)
{
    check(op);
    const size_t blocks = block_count(op);
#pragma omp parallel for schedule(static) if (worth_threads(ddpm_shape_count(op->shape)))
    for (size_t i = 0; i < blocks; i++) {
        const block b = block_at(i, op);
        apply_block(y, x, mean + b.moments, rstd + b.moments, gamma, beta, &b, op);
    }
}

/* Sums over the pixels of each image and channel, of du and of du z: what dbeta and dgamma are
 * sums of over images. */
size_t ddpm_norm_scratch_bytes(const ddpm_norm *op)
{
    return 2 * op->shape.n * op->shape.c * sizeof(double);
}

/* With e = x - mean, z = e rstd, u = gamma z + beta and y = silu(u):
 *   du = dy silu'(u);  dz = gamma du;
 *   dx = rstd (dz - mean(dz) - z mean(dz z)), means over the group,
 *      = du gamma rstd - (e rstd^2 mean(dz z) + rstd mean(dz)).
 * The first pass leaves du in dx. */
static void backward_block(float *dx, double *sum_du, double *sum_duz, const float *dy,
                           const float *x, const float *mean, const float *rstd, const float *gamma,
                           const float *beta, const block *b, const ddpm_norm *op)
{
    const ddpm_kernel_table *kernels = ddpm_kernels__table();
    const double count = (double)group_size(op);
    double mean_dz[BLOCK] = { 0 }, mean_dzz[BLOCK] = { 0 };
    ddpm_norm_line line;

    for (strip s = { 0 }; next_strip(&s, b, op);) {
        double *const du = sum_du + s.first, *const duz = sum_duz + s.first;
        set_line(&line, &s, mean, rstd, gamma, beta);
        kernels->norm_gradient_sums(dx + s.offset, du, duz, dy + s.offset, x + s.offset, &line,
                                    &s.columns, op->silu);
        for (size_t k = 0; k < s.columns.channels; k++) {
            const size_t g = s.group[k];
            const double weight = (double)gamma[s.first + k] / count;
            duz[k] *= (double)rstd[g];
            mean_dz[g] += weight * du[k];
            mean_dzz[g] += weight * duz[k];
        }
    }
    for (strip s = { 0 }; next_strip(&s, b, op);) {
        set_line(&line, &s, mean, rstd, gamma, beta);
        for (size_t k = 0; k < s.columns.channels; k++) {
            const size_t g = s.group[k];
            const double r = (double)rstd[g];
            line.slope[k] = (float)(r * r * mean_dzz[g]);
            line.shift[k] = (float)(r * mean_dz[g]);
        }
        kernels->norm_gradient(dx + s.offset, x + s.offset, &line, &s.columns);
    }
}

void ddpm_norm_backward(float *dx, float *dgamma, float *dbeta, const float *dy, const float *x,
                        const float *mean, const float *rstd, const float *gamma, const float *beta,
                        void *scratch, const ddpm_norm *op)
{
    check(op);
    const size_t blocks = block_count(op), channels = op->shape.c;
    double *const sum_du = scratch, *const sum_duz = sum_du + op->shape.n * channels;
#pragma omp parallel for schedule(static) if (worth_threads(ddpm_shape_count(op->shape)))
    for (size_t i = 0; i < blocks; i++) {
        const block b = block_at(i, op);
        backward_block(dx, sum_du + b.image * channels, sum_duz + b.image * channels, dy, x,
                       mean + b.moments, rstd + b.moments, gamma, beta, &b, op);
    }
    for (size_t c = 0; c < channels; c++) {
        double du = 0.0, duz = 0.0;
        for (size_t n = 0; n < op->shape.n; n++) {
            du += sum_du[n * channels + c];
            duz += sum_duz[n * channels + c];
        }
        dbeta[c] += (float)du;
        dgamma[c] += (float)duz;
    }
}
