/* The inner loops of GroupNorm: passes over a strip of adjacent channels of all pixels of an image.
 * Each is written once for any width and called with a constant one where that is common: then the
 * sums stay in registers. */
#include "../table.h"
#include "exp.h"

enum { CHUNK = 16 }; /* pixels that are summed in float before they are added in double */

/* Makes the call with `width` = channels, as a constant where it is a common one. */
#define BY_WIDTH(channels, call)                                                                   \
    do {                                                                                           \
        if ((channels) == DDPM_STRIP) {                                                            \
            const size_t width = DDPM_STRIP;                                                       \
            call;                                                                                  \
        } else if ((channels) == 16) {                                                             \
            const size_t width = 16;                                                               \
            call;                                                                                  \
        } else {                                                                                   \
            const size_t width = (channels);                                                       \
            call;                                                                                  \
        }                                                                                          \
    } while (0)

/* In double throughout: means far from 0 and constant inputs have to come out exactly. */
INLINE void sum_columns(double *restrict sum, const float *restrict x, const ddpm_columns *at,
                        size_t width)
{
    double total[DDPM_STRIP] = { 0 };
    for (size_t p = 0; p < at->pixels; p++)
        for (size_t c = 0; c < width; c++) total[c] += (double)x[p * at->stride + c];
    for (size_t c = 0; c < width; c++) sum[c] = total[c];
}

void DDPM_K(column_sums)(double *sum, const float *x, const ddpm_columns *at)
{
    BY_WIDTH(at->channels, sum_columns(sum, x, at, width));
}

INLINE void sum_squares_of_columns(double *restrict sum, const float *restrict x,
                                   const float *restrict mean, const ddpm_columns *at, size_t width)
{
    double total[DDPM_STRIP] = { 0 };
    for (size_t p = 0; p < at->pixels; p += CHUNK) {
        const size_t end = p + CHUNK < at->pixels ? p + CHUNK : at->pixels;
        float part[DDPM_STRIP] = { 0 };
        for (size_t q = p; q < end; q++)
            for (size_t c = 0; c < width; c++) {
                const float e = x[q * at->stride + c] - mean[c];
                part[c] += e * e;
            }
        for (size_t c = 0; c < width; c++) total[c] += (double)part[c];
    }
    for (size_t c = 0; c < width; c++) sum[c] = total[c];
}

void DDPM_K(column_squares)(double *sum, const float *x, const float *mean, const ddpm_columns *at)
{
    BY_WIDTH(at->channels, sum_squares_of_columns(sum, x, mean, at, width));
}

INLINE void apply(float *y, const float *x, const ddpm_norm_line *line, const ddpm_columns *at,
                  size_t width, bool with_silu)
{
    for (size_t p = 0; p < at->pixels; p++) {
#pragma omp simd
        for (size_t c = 0; c < width; c++) {
            const size_t i = p * at->stride + c;
            const float u = (x[i] - line->mean[c]) * line->scale[c] + line->shift[c];
            y[i] = with_silu ? silu(u) : u;
        }
    }
}

void DDPM_K(norm_apply)(float *y, const float *x, const ddpm_norm_line *line,
                        const ddpm_columns *at, bool with_silu)
{
    if (with_silu)
        BY_WIDTH(at->channels, apply(y, x, line, at, width, true));
    else
        BY_WIDTH(at->channels, apply(y, x, line, at, width, false));
}

INLINE void gradient_sums(float *du, double *restrict sum, double *restrict sum_e, const float *dy,
                          const float *restrict x, const ddpm_norm_line *line,
                          const ddpm_columns *at, size_t width, bool with_silu)
{
    double total[DDPM_STRIP] = { 0 }, total_e[DDPM_STRIP] = { 0 };
    for (size_t p = 0; p < at->pixels; p += CHUNK) {
        const size_t end = p + CHUNK < at->pixels ? p + CHUNK : at->pixels;
        float part[DDPM_STRIP] = { 0 }, part_e[DDPM_STRIP] = { 0 };
        for (size_t q = p; q < end; q++) {
#pragma omp simd
            for (size_t c = 0; c < width; c++) {
                const size_t i = q * at->stride + c;
                const float e = x[i] - line->mean[c];
                const float slope = with_silu ? silu_slope(e * line->scale[c] + line->shift[c])
                                              : 1.0f;
                const float d = dy[i] * slope;
                du[i] = d;
                part[c] += d;
                part_e[c] += d * e;
            }
        }
        for (size_t c = 0; c < width; c++) {
            total[c] += (double)part[c];
            total_e[c] += (double)part_e[c];
        }
    }
    for (size_t c = 0; c < width; c++) {
        sum[c] = total[c];
        sum_e[c] = total_e[c];
    }
}

void DDPM_K(norm_gradient_sums)(float *du, double *sum, double *sum_e, const float *dy,
                                const float *x, const ddpm_norm_line *line, const ddpm_columns *at,
                                bool with_silu)
{
    if (with_silu)
        BY_WIDTH(at->channels, gradient_sums(du, sum, sum_e, dy, x, line, at, width, true));
    else
        BY_WIDTH(at->channels, gradient_sums(du, sum, sum_e, dy, x, line, at, width, false));
}

INLINE void gradient(float *dx, const float *x, const ddpm_norm_line *line, const ddpm_columns *at,
                     size_t width)
{
    for (size_t p = 0; p < at->pixels; p++) {
#pragma omp simd
        for (size_t c = 0; c < width; c++) {
            const size_t i = p * at->stride + c;
            const float e = x[i] - line->mean[c];
            dx[i] = dx[i] * line->scale[c] - (e * line->slope[c] + line->shift[c]);
        }
    }
}

void DDPM_K(norm_gradient)(float *dx, const float *x, const ddpm_norm_line *line,
                           const ddpm_columns *at)
{
    BY_WIDTH(at->channels, gradient(dx, x, line, at, width));
}
