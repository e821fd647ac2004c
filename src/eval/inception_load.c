/* Batch norm of fixed statistics is a factor and an addend for each channel, which go into the
 * convolution before it: gamma (w x - mean) / sqrt(var + eps) + beta. */
#include "inception.h"
#include "tensor_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double epsilon = 0.001;

typedef enum { WEIGHT, GAMMA, BETA, MEAN, VARIANCE, PARTS } part;
static const char *const part_names[PARTS] = { "conv.weight", "bn.weight", "bn.bias",
                                               "bn.running_mean", "bn.running_var" };

typedef struct {
    const char *path;
    tensor_file *file;
    ddpm_sha256 *hash;
    float *values[PARTS]; /* of the largest convolution */
} loading;

enum { TENSOR_NAME = INCEPTION_NAME + 24 };

static size_t part_count(const inception_step *step, part p)
{
    const ddpm_conv2d *conv = &step->conv;
    return p == WEIGHT ? conv->k * conv->in.c * conv->kh * conv->kw : conv->k;
}

static void part_name(char name[TENSOR_NAME], const inception_step *step, part p)
{
    snprintf(name, TENSOR_NAME, "%s.%s", step->name, part_names[p]);
}

static ddpm_status check_step(const loading *l, const inception_step *step)
{
    const ddpm_conv2d *conv = &step->conv;
    const size_t size[] = { conv->k, conv->in.c, conv->kh, conv->kw };
    for (part p = 0; p < PARTS; p++) {
        char name[TENSOR_NAME];
        part_name(name, step, p);
        DDPM_TRY(tensor_file_check(l->file, name, p == WEIGHT ? 4 : 1, size));
    }
    return DDPM_OK;
}

/* w [kh][kw][C][K] and bias [K] of w [K][C][kh][kw] and the statistics. */
static ddpm_status fold(float *w, float *bias, const loading *l, const inception_step *step)
{
    const size_t c = step->conv.in.c, k = step->conv.k, window = step->conv.kh * step->conv.kw;
    for (size_t o = 0; o < k; o++) {
        const double variance = (double)l->values[VARIANCE][o] + epsilon;
        if (variance <= 0.0)
            return ddpm_fail(DDPM_EDATA, "%s: tensor '%s.%s' has a variance of %g", l->path,
                             step->name, part_names[VARIANCE], (double)l->values[VARIANCE][o]);
        const double factor = (double)l->values[GAMMA][o] / sqrt(variance);
        bias[o] = (float)((double)l->values[BETA][o] - (double)l->values[MEAN][o] * factor);
        const float *from = l->values[WEIGHT] + o * c * window;
        for (size_t i = 0; i < c; i++)
            for (size_t t = 0; t < window; t++)
                w[(t * c + i) * k + o] = (float)((double)from[i * window + t] * factor);
    }
    return DDPM_OK;
}

static ddpm_status load_step(ddpm_inception *net, const loading *l, const inception_step *step)
{
    for (part p = 0; p < PARTS; p++) {
        char name[TENSOR_NAME];
        const size_t count = part_count(step, p);
        part_name(name, step, p);
        DDPM_TRY(tensor_file_read(l->values[p], l->file, name, count));
        ddpm_sha256_update(l->hash, name, strlen(name) + 1);
        ddpm_sha256_update(l->hash, l->values[p], count * sizeof(float));
    }
    return fold(net->weights + step->w, net->weights + step->bias, l, step);
}

static ddpm_status allocate(loading *l, const inception_plan *plan)
{
    size_t most[PARTS] = { 1, 1, 1, 1, 1 };
    for (size_t i = 0; i < plan->steps; i++)
        for (part p = 0; plan->step[i].kind == INCEPTION_CONV && p < PARTS; p++) {
            const size_t count = part_count(&plan->step[i], p);
            most[p] = most[p] > count ? most[p] : count;
        }
    l->hash = ddpm_sha256_create();
    bool enough = l->hash != NULL;
    for (part p = 0; p < PARTS; p++) {
        l->values[p] = malloc(most[p] * sizeof(float));
        enough = enough && l->values[p];
    }
    return enough ? DDPM_OK : ddpm_fail(DDPM_EOS, "out of memory for a network's weights");
}

static ddpm_status load(ddpm_inception *net, loading *l)
{
    const inception_plan *plan = &net->plan;
    DDPM_TRY(allocate(l, plan));
    /* All shapes first: a file of another network is refused before anything of it is read. */
    for (size_t i = 0; i < plan->steps; i++)
        if (plan->step[i].kind == INCEPTION_CONV) DDPM_TRY(check_step(l, &plan->step[i]));
    for (size_t i = 0; i < plan->steps; i++)
        if (plan->step[i].kind == INCEPTION_CONV) DDPM_TRY(load_step(net, l, &plan->step[i]));
    return DDPM_OK;
}

ddpm_status ddpm_inception_load(ddpm_inception *net, char hash[DDPM_SHA256_HEX], const char *path)
{
    loading l = { .path = path };
    DDPM_TRY(tensor_file_open(&l.file, path));
    const ddpm_status status = load(net, &l);
    if (status == DDPM_OK) {
        unsigned char digest[DDPM_SHA256_BYTES];
        ddpm_sha256_finish(l.hash, digest);
        ddpm_hex(hash, digest, sizeof digest);
    }
    ddpm_sha256_free(l.hash);
    for (part p = 0; p < PARTS; p++) free(l.values[p]);
    tensor_file_close(l.file);
    return status;
}
