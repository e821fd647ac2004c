#include "pyramid.h"

static const double filter[5] = { 1.0 / 16.0, 4.0 / 16.0, 6.0 / 16.0, 4.0 / 16.0, 1.0 / 16.0 };

/* Mirrored at the edge pixel, which is not repeated. */
static size_t mirror(long i, size_t n)
{
    const long last = (long)n - 1;
    if (last == 0) return 0;
    while (i < 0 || i > last) i = i < 0 ? -i : 2 * last - i;
    return (size_t)i;
}

void pyramid_down(float *out, const float *image, ddpm_shape s)
{
    for (size_t y = 0; y < s.h / 2; y++)
        for (size_t x = 0; x < s.w / 2; x++)
            for (size_t c = 0; c < s.c; c++) {
                double sum = 0.0;
                for (long i = -2; i <= 2; i++)
                    for (long j = -2; j <= 2; j++) {
                        const size_t from_y = mirror(2 * (long)y + i, s.h);
                        const size_t from_x = mirror(2 * (long)x + j, s.w);
                        sum += filter[i + 2] * filter[j + 2] *
                               (double)image[(from_y * s.w + from_x) * s.c + c];
                    }
                out[(y * (s.w / 2) + x) * s.c + c] = (float)sum;
            }
}

void pyramid_up(float *out, const float *image, ddpm_shape s)
{
    const size_t h = 2 * s.h, w = 2 * s.w;
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++)
            for (size_t c = 0; c < s.c; c++) {
                double sum = 0.0;
                for (long i = -2; i <= 2; i++)
                    for (long j = -2; j <= 2; j++) {
                        const size_t from_y = mirror((long)y + i, h);
                        const size_t from_x = mirror((long)x + j, w);
                        if (from_y % 2 || from_x % 2) continue; /* a zero between */
                        sum += 4.0 * filter[i + 2] * filter[j + 2] *
                               (double)image[(from_y / 2 * s.w + from_x / 2) * s.c + c];
                    }
                out[(y * w + x) * s.c + c] = (float)sum;
            }
}
