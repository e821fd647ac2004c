#include "inception_case.h"

#include "check.h"
#include "ddpm/io/h5.h"
#include "inception.h"
#include "scratch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* splitmix64, seeded with FNV-1a of the name. */
void case_uniform(double *values, size_t count, const char *name)
{
    uint64_t seed = UINT64_C(0xcbf29ce484222325);
    for (const char *c = name; *c; c++) seed = (seed ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < count; i++) {
        uint64_t z = seed + (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        z ^= z >> 31;
        values[i] = (double)(z >> 40) / 16777216.0;
    }
}

void case_image(float *pixels, size_t count, const char *name)
{
    double *u = malloc(count * sizeof *u);
    assert_non_null(u);
    case_uniform(u, count, name);
    for (size_t i = 0; i < count; i++) pixels[i] = (float)floor(u[i] * 256.0) / 127.5f - 1.0f;
    free(u);
}

static void add(case_tensor *tensor, size_t *count, const char *layer, const char *part,
                const ddpm_conv2d *conv)
{
    assert_true(*count < CASE_TENSORS);
    case_tensor *t = &tensor[(*count)++];
    snprintf(t->name, sizeof t->name, "%s.%s", layer, part);
    t->rank = strcmp(part, "conv.weight") == 0 ? 4 : 1;
    const size_t size[] = { conv->k, conv->in.c, conv->kh, conv->kw };
    t->count = 1;
    for (size_t i = 0; i < t->rank; i++) t->count *= t->size[i] = size[i];
}

void case_tensors(case_tensor tensor[CASE_TENSORS])
{
    static const char *const parts[] = { "bn.running_var", "conv.weight", "bn.bias",
                                         "bn.running_mean", "bn.weight" };
    size_t count = 0;
    inception_plan *plan = malloc(sizeof *plan);
    assert_non_null(plan);
    inception_plan_make(plan, 1);
    for (size_t i = 0; i < plan->steps; i++)
        for (size_t p = 0; p < 5 && plan->step[i].kind == INCEPTION_CONV; p++)
            add(tensor, &count, plan->step[i].name, parts[p], &plan->step[i].conv);
    free(plan);
    assert_int_equal(count, CASE_TENSORS);
}

static void range_of(double *low, double *high, const case_tensor *t)
{
    static const struct {
        const char *part;
        double low, high;
    } ranges[] = { { ".bn.weight", 0.75, 1.25 },
                   { ".bn.bias", -0.2, 0.2 },
                   { ".bn.running_mean", -0.2, 0.2 },
                   { ".bn.running_var", 0.6, 1.6 } };
    for (size_t i = 0; i < 4; i++)
        if (strstr(t->name, ranges[i].part)) {
            *low = ranges[i].low;
            *high = ranges[i].high;
            return;
        }
    *high = sqrt(6.0 / (double)(t->size[1] * t->size[2] * t->size[3]));
    *low = -*high;
}

void case_values(float *values, const case_tensor *t)
{
    double low, high, *u = malloc(t->count * sizeof *u);
    assert_non_null(u);
    range_of(&low, &high, t);
    case_uniform(u, t->count, t->name);
    for (size_t i = 0; i < t->count; i++) {
        /* As Python, without a fused multiplication. */
        volatile const double scaled = (high - low) * u[i];
        values[i] = (float)(low + scaled);
    }
    free(u);
}

static void describe(char **text, size_t *left, const case_tensor *t, size_t *at)
{
    char shape[100] = "";
    for (size_t i = 0, used = 0; i < t->rank; i++)
        used += (size_t)snprintf(shape + used, sizeof shape - used, "%s%zu", i ? "," : "",
                                 t->size[i]);
    const size_t end = *at + t->count * sizeof(float);
    const int length = snprintf(
        *text, *left, ",\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
        t->name, shape, *at, end);
    assert_true(length > 0 && (size_t)length < *left);
    *text += length;
    *left -= (size_t)length;
    *at = end;
}

void case_write_safetensors(const char *path)
{
    static case_tensor tensor[CASE_TENSORS];
    static char header[1 << 17];
    static const char start[] =
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"fc.bias\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[0,8]},"
        "\"Conv2d_1a_3x3.bn.num_batches_tracked\":{\"dtype\":\"I64\",\"shape\":[],"
        "\"data_offsets\":[8,16]}";
    char *text = header + sizeof start - 1;
    size_t left = sizeof header - sizeof start, at = 16;
    const uint64_t unused[2] = { 0 };
    float *values = malloc(CASE_LARGEST * sizeof *values);
    FILE *file = fopen(path, "wb");
    assert_true(file && values);
    case_tensors(tensor);
    memcpy(header, start, sizeof start);
    for (size_t i = 0; i < CASE_TENSORS; i++) describe(&text, &left, &tensor[i], &at);
    *text++ = '}';
    const uint64_t length = (uint64_t)(text - header);
    fwrite(&length, sizeof length, 1, file);
    fwrite(header, 1, (size_t)length, file);
    fwrite(unused, 1, sizeof unused, file);
    for (size_t i = 0; i < CASE_TENSORS; i++) {
        case_values(values, &tensor[i]);
        fwrite(values, sizeof *values, tensor[i].count, file);
    }
    assert_int_equal(fclose(file), 0);
    free(values);
}

void case_write_h5(const char *path)
{
    static case_tensor tensor[CASE_TENSORS];
    float *values = malloc(CASE_LARGEST * sizeof *values);
    ddpm_h5 *file;
    assert_non_null(values);
    case_tensors(tensor);
    CHECK_OK(ddpm_h5_create(&file, path));
    for (size_t i = 0; i < CASE_TENSORS; i++) {
        char object[90];
        snprintf(object, sizeof object, "/%s", tensor[i].name);
        case_values(values, &tensor[i]);
        CHECK_OK(ddpm_h5_write(file, object, DDPM_H5_F32, values, tensor[i].rank, tensor[i].size));
    }
    CHECK_OK(ddpm_h5_publish(file));
    free(values);
}
