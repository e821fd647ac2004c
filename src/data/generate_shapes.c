#include "ddpm/base/philox.h"
#include "generate_private.h"
#include "import_private.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef enum { CIRCLE, RING, TRIANGLE, SQUARE, STAR, CROSS } kind_of_shape;
const char *const ddpm_shape_names[DDPM_SHAPE_KINDS] = {
    [CIRCLE] = "circle", [RING] = "ring", [TRIANGLE] = "triangle",
    [SQUARE] = "square", [STAR] = "star", [CROSS] = "cross",
};

static const double two_pi = 6.283185307179586477;
enum { VERTICES_MOST = 12 };

typedef struct {
    double x, y;
} point;

typedef struct {
    kind_of_shape kind;
    point center;
    double radius;
    size_t count; /* of vertices; 0: circle or ring */
    point vertex[VERTICES_MOST];
} shape;

/* Vertices on two circles in turn: a regular polygon where both are one. */
static void place_vertices(shape *s, size_t count, double inner, double angle)
{
    s->count = count;
    for (size_t i = 0; i < count; i++) {
        const double radius = i % 2 ? inner * s->radius : s->radius;
        const double turn = angle + two_pi * (double)i / (double)count;
        s->vertex[i] = (point){ radius * cos(turn), radius * sin(turn) };
    }
}

static void place_cross(shape *s, double angle)
{
    static const point unit[12] = { { 1, 3 },   { 1, 1 },  { 3, 1 },   { 3, -1 },
                                    { 1, -1 },  { 1, -3 }, { -1, -3 }, { -1, -1 },
                                    { -3, -1 }, { -3, 1 }, { -1, 1 },  { -1, 3 } };
    const double scale = s->radius / sqrt(10.0);
    s->count = 12;
    for (size_t i = 0; i < 12; i++)
        s->vertex[i] = (point){ scale * (cos(angle) * unit[i].x - sin(angle) * unit[i].y),
                                scale * (sin(angle) * unit[i].x + cos(angle) * unit[i].y) };
}

static shape make_shape(kind_of_shape kind, point center, double radius, double angle)
{
    shape s = { .kind = kind, .center = center, .radius = radius };
    switch (kind) {
    case CIRCLE:
    case RING: break;
    case TRIANGLE: place_vertices(&s, 3, 1.0, angle); break;
    case SQUARE: place_vertices(&s, 4, 1.0, angle); break;
    case STAR: place_vertices(&s, 10, 0.42, angle); break;
    case CROSS: place_cross(&s, angle); break;
    }
    return s;
}

/* Signed distance to a polygon, negative inside: the nearest edge, and the sign by how often a ray
   crosses the outline. */
static double polygon_distance(const shape *s, point p)
{
    double nearest = HUGE_VAL, sign = 1.0;
    for (size_t i = 0, j = s->count - 1; i < s->count; j = i++) {
        const point a = s->vertex[i], b = s->vertex[j];
        const point edge = { b.x - a.x, b.y - a.y }, w = { p.x - a.x, p.y - a.y };
        const double along = (w.x * edge.x + w.y * edge.y) / (edge.x * edge.x + edge.y * edge.y);
        const double t = fmin(fmax(along, 0.0), 1.0);
        const double dx = w.x - t * edge.x, dy = w.y - t * edge.y;
        nearest = fmin(nearest, dx * dx + dy * dy);
        const bool above = p.y >= a.y, below = p.y<b.y, left = edge.x * w.y> edge.y * w.x;
        if (above == below && below == left) sign = -sign;
    }
    return sign * sqrt(nearest);
}

/* Share of a pixel that the shape covers: a step of one pixel across its outline. */
static double coverage(const shape *s, double x, double y)
{
    const point p = { x - s->center.x, y - s->center.y };
    const double distance = hypot(p.x, p.y);
    if (distance > s->radius + 1.0) return 0.0;
    double outside;
    if (s->kind == CIRCLE)
        outside = distance - s->radius;
    else if (s->kind == RING)
        outside = fabs(distance - 0.75 * s->radius) - 0.25 * s->radius;
    else
        outside = polygon_distance(s, p);
    return fmin(fmax(0.5 - outside, 0.0), 1.0);
}

typedef struct {
    double c[3];
} color;

/* Hue in turns, saturation and value in 0..1. */
static color of_hsv(double hue, double saturation, double value)
{
    color rgb;
    for (int i = 0; i < 3; i++) {
        const double k = fmod((double)(5 - 2 * i) + 6.0 * hue, 6.0);
        rgb.c[i] = value * (1.0 - saturation * fmax(0.0, fmin(fmin(k, 4.0 - k), 1.0)));
    }
    return rgb;
}

void ddpm_generate_shape(uint8_t *image, int64_t *kind, size_t size, uint64_t seed, uint64_t index)
{
    assert(size >= 8);
    enum { KIND, RADIUS, X, Y, ANGLE, HUE, SATURATION, VALUE, BACK = 8, FADE = 14, COUNT = 15 };
    const ddpm_random random = { .seed = seed, .index = index, .purpose = DDPM_RANDOM_DATA };
    float drawn[COUNT];
    double u[COUNT];
    ddpm_random_uniform(drawn, COUNT, &random);
    for (int i = 0; i < COUNT; i++) u[i] = fmin((double)drawn[i], 1.0 - 0x1p-24);

    const double side = (double)size, radius = side * (0.2 + 0.2 * u[RADIUS]);
    const double room = side - 2.0 * radius;
    const shape s = make_shape((kind_of_shape)(u[KIND] * DDPM_SHAPE_KINDS),
                               (point){ radius + room * u[X], radius + room * u[Y] }, radius,
                               two_pi * u[ANGLE]);
    const color front = of_hsv(u[HUE], 0.6 + 0.4 * u[SATURATION], 0.8 + 0.2 * u[VALUE]);
    color back[2];
    for (int i = 0; i < 2; i++)
        back[i] = of_hsv(u[BACK + 3 * i], 0.6 * u[BACK + 3 * i + 1],
                         0.1 + 0.4 * u[BACK + 3 * i + 2]);
    const double fade_x = cos(two_pi * u[FADE]), fade_y = sin(two_pi * u[FADE]);
    for (size_t h = 0; h < size; h++)
        for (size_t w = 0; w < size; w++) {
            const double x = (double)w + 0.5, y = (double)h + 0.5;
            const double fade = 0.5 + ((x / side - 0.5) * fade_x + (y / side - 0.5) * fade_y) *
                                          0.70710678;
            const double covered = coverage(&s, x, y);
            for (int c = 0; c < 3; c++) {
                const double behind = back[0].c[c] + fade * (back[1].c[c] - back[0].c[c]);
                const double value = behind + covered * (front.c[c] - behind);
                image[(h * size + w) * 3 + (size_t)c] = (uint8_t)lrint(255.0 * value);
            }
        }
    *kind = (int64_t)s.kind;
}

ddpm_status ddpm_data__generate_shapes(const ddpm_generate_options *options)
{
    if (options->channels != 3)
        return ddpm_fail(DDPM_EUSAGE, "shapes have colours: their images have 3 channels");
    if (options->size < 8) return ddpm_fail(DDPM_EUSAGE, "shapes need images of 8 x 8 or more");
    ddpm_dataset_info info = { .shape = { 0, options->size, options->size, 3 },
                               .has_labels = true,
                               .range_max = 255.0f };
    snprintf(info.name, sizeof info.name, "%s", options->name ? options->name : "shapes");
    snprintf(info.source, sizeof info.source, "%s",
             options->source ? options->source : "generated shapes");
    ddpm_data__sink sink;
    DDPM_TRY(ddpm_data__sink_open(&sink, options->output, &info, 0, options->n, options->stop));
    const size_t bytes = options->size * options->size * 3;
    const size_t block = ddpm_data__block_images(bytes);
    uint8_t *images = malloc(block * bytes);
    int64_t *kinds = malloc(block * sizeof *kinds);
    ddpm_status status = DDPM_OK;
    if (!images || !kinds) status = ddpm_fail(DDPM_EOS, "%s: out of memory", options->output);
    for (size_t i = 0; i < options->n && status == DDPM_OK; i += block) {
        const size_t n = options->n - i < block ? options->n - i : block;
        for (size_t k = 0; k < n; k++)
            ddpm_generate_shape(images + k * bytes, &kinds[k], options->size, options->seed, i + k);
        status = ddpm_data__sink_put(&sink, images, kinds, n);
    }
    if (status == DDPM_OK)
        status = ddpm_dataset_writer_set_text(sink.writer, "class_names",
                                              "circle\nring\ntriangle\nsquare\nstar\ncross");
    if (status == DDPM_OK)
        status = ddpm_dataset_writer_set_number(sink.writer, "seed", (double)options->seed);
    free(kinds);
    free(images);
    return ddpm_data__sink_close(&sink, status);
}
