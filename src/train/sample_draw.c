/* Whole batches in turn on every rank. A batch is a row's images b * batch and on. */
#include "sample_internal.h"

#include "ddpm/base/memory.h"
#include "ddpm/io/image.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* One batch: images first .. first + batch - 1 of a row, of which the first `count` are looked at,
 * and without the first `cut` handed out. */
typedef struct {
    size_t row, first, count, cut;
} piece;

/* A drawing as batches 0 .. count - 1. */
typedef struct {
    const ddpm_drawing *drawing;
    size_t begin, end; /* images of a row */
    size_t batch, base, batches_in_row, count;
} pieces;

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t row_count(const ddpm_drawing *drawing)
{
    return drawing->rows ? drawing->row_count : 1;
}

static ddpm_sample_row row_of(const ddpm_sampling *sampling, const ddpm_drawing *drawing,
                              size_t row)
{
    if (drawing->rows) return drawing->rows[row];
    return (ddpm_sample_row){ ddpm_sampling_schedule(sampling)->steps - 1, DDPM_SAMPLE_OWN };
}

static size_t frames_of(const ddpm_drawing *drawing)
{
    return drawing->frames ? drawing->frames : 1;
}

static pieces cut_up(const ddpm_sampling *sampling, const ddpm_drawing *drawing)
{
    pieces all = { .drawing = drawing,
                   .begin = sampling->options.first,
                   .end = sampling->options.first + drawing->columns,
                   .batch = sampling->options.batch };
    all.base = all.begin / all.batch * all.batch;
    all.batches_in_row = (all.end - all.base + all.batch - 1) / all.batch;
    all.count = all.batches_in_row * row_count(drawing);
    return all;
}

static piece piece_at(const pieces *all, size_t number)
{
    piece part = { .row = number / all->batches_in_row,
                   .first = all->base + number % all->batches_in_row * all->batch };
    part.count = smaller(all->batch, all->end - part.first);
    part.cut = part.first < all->begin ? all->begin - part.first : 0;
    return part;
}

static ddpm_repaint repaint_of(const ddpm_sample_inpaint *inpaint)
{
    return (ddpm_repaint){ .known = inpaint->known,
                           .missing = inpaint->missing,
                           .jump = inpaint->jump,
                           .times = inpaint->times };
}

static size_t steps_of_row(const ddpm_sampling *sampling, const ddpm_drawing *drawing, size_t row)
{
    const size_t steps = row_of(sampling, drawing, row).top + 1;
    if (!drawing->inpaint) return steps;
    const ddpm_repaint repaint = repaint_of(drawing->inpaint);
    return ddpm_repaint_steps(&repaint, steps);
}

/* Of the network, for an image of the row. */
static uint64_t evaluations_of_row(const ddpm_sampling *sampling, const ddpm_drawing *drawing,
                                   size_t row)
{
    const ddpm_schedule *schedule = ddpm_sampling_schedule(sampling);
    const size_t steps = row_of(sampling, drawing, row).top + 1;
    uint64_t sum = 0;
    for (size_t index = 0; index < steps; index++) {
        size_t visits = 1;
        if (drawing->inpaint) {
            const ddpm_repaint repaint = repaint_of(drawing->inpaint);
            visits = ddpm_repaint_visits(&repaint, steps, index);
        }
        sum += visits * ddpm_sampler_evaluations(sampling->options.sampler, schedule, index);
    }
    return sum;
}

uint64_t ddpm_drawing_evaluations(const ddpm_sampling *sampling, const ddpm_drawing *drawing)
{
    const pieces all = cut_up(sampling, drawing);
    uint64_t once = 0;
    for (size_t row = 0; row < row_count(drawing); row++)
        once += evaluations_of_row(sampling, drawing, row);
    return once * all.batches_in_row * all.batch * (sampling->unguided ? 2 : 1);
}

/* Images first .. first + batch - 1. */
static void set_classes(ddpm_sampling *sampling, size_t first)
{
    const ddpm_sample_options *options = &sampling->options;
    for (size_t i = 0; sampling->class && i < options->batch; i++)
        sampling->class[i] = ddpm_sample_class_of(options, sampling->classes, first + i);
}

/* The noise of a batch: each image's own, or of all the same. */
typedef struct {
    ddpm_image_noise own, shared;
    size_t common;
} row_noise;

static void repeat(float *noise, size_t n, size_t d)
{
    for (size_t i = 1; i < n; i++) memcpy(noise + i * d, noise, d * sizeof *noise);
}

static void step_noise(float *noise, size_t index, size_t n, size_t d, void *context)
{
    row_noise *from = context;
    if (index < from->common) {
        ddpm_image_step_noise(noise, index, n, d, &from->own);
        return;
    }
    ddpm_image_step_noise(noise, index, 1, d, &from->shared);
    repeat(noise, n, d);
}

static void first_noise(ddpm_sampling *sampling, const ddpm_sample_row *row, const piece *part)
{
    const ddpm_sample_options *options = &sampling->options;
    const size_t d = sampling->image_floats;
    if (row->common > row->top + 1) {
        ddpm_image_init(sampling->x, options->seed, part->first, options->batch, d);
        return;
    }
    ddpm_image_init(sampling->x, options->seed, options->first, 1, d);
    repeat(sampling->x, options->batch, d);
}

/* How all ranks fared with a step. */
static void agree_on_step(ddpm_sampling *sampling, ddpm_status mine)
{
    sampling->outcome = ddpm_comm_agree(sampling->comm, mine);
    sampling->steps_together++;
}

/* What sees every step of a chain. */
typedef struct {
    ddpm_sampling *sampling;
    size_t frames, steps, taken; /* taken: frames so far */
} chain_watch;

/* Steps done when frame k is due: evenly from the first to the last. */
static size_t frame_due(const chain_watch *watch, size_t k)
{
    if (k + 1 == watch->frames) return watch->steps;
    return 1 + k * (watch->steps - 1) / (watch->frames - 1);
}

static bool see_step(size_t step, size_t index, const float *x, const float *x0, size_t n, size_t d,
                     void *context)
{
    chain_watch *watch = context;
    ddpm_sampling *sampling = watch->sampling;
    const ddpm_sample_options *options = &sampling->options;
    (void)index;
    if (watch->frames && step + 1 == frame_due(watch, watch->taken)) {
        const float *seen = step + 1 == watch->steps ? x : x0;
        for (size_t i = 0; i < n; i++)
            memcpy(sampling->frames + (i * watch->frames + watch->taken) * d, seen + i * d,
                   d * sizeof *seen);
        watch->taken++;
    }
    sampling->calls++;
    if (options->progress &&
        !options->progress(sampling->calls, sampling->calls_in_all, options->progress_context))
        sampling->outcome = ddpm_fail(DDPM_EAGAIN, "drawing images was stopped");
    if (options->together) agree_on_step(sampling, sampling->outcome);
    return sampling->outcome == DDPM_OK;
}

static ddpm_status check_finite(const float *images, size_t first, size_t count, size_t d)
{
    for (size_t i = 0; i < count * d; i++)
        if (!isfinite(images[i]))
            return ddpm_fail(DDPM_EDATA,
                             "image %zu came out with values that are not finite: these weights "
                             "give no images",
                             first + i / d);
    return DDPM_OK;
}

static ddpm_status draw_piece(ddpm_sampling *sampling, const ddpm_drawing *drawing,
                              const piece *part)
{
    const ddpm_sample_options *options = &sampling->options;
    const size_t d = sampling->image_floats;
    const ddpm_sample_row row = row_of(sampling, drawing, part->row);
    ddpm_schedule chain = *ddpm_sampling_schedule(sampling); /* its tables, as far as they go */
    chain.steps = row.top + 1;
    set_classes(sampling, part->first);
    first_noise(sampling, &row, part);
    const ddpm_level level = ddpm_level_at(&chain, row.top);
    if (drawing->start)
        DDPM_TRY(drawing->start(sampling->x, &level, part->row, part->first, part->count,
                                drawing->start_context));

    row_noise noise = { .own = { options->seed, part->first, &chain },
                        .shared = { options->seed, options->first, &chain },
                        .common = row.common };
    chain_watch watch = { .sampling = sampling, .frames = drawing->frames, .steps = chain.steps };
    ddpm_sampler_options sampler = ddpm_train__sampler_options(sampling);
    sampler.noise = step_noise;
    sampler.noise_context = &noise;
    sampler.observe = see_step;
    sampler.observe_context = &watch;
    if (drawing->inpaint) {
        ddpm_repaint repaint = repaint_of(drawing->inpaint);
        repaint.noise = ddpm_image_repaint_noise;
        repaint.noise_context = &noise.own;
        ddpm_repaint_run(sampling->x, sampling->scratch, options->batch, d, &chain, &sampler,
                         &repaint);
    } else {
        ddpm_sampler_run(sampling->x, sampling->scratch, options->batch, d, &chain, &sampler);
    }
    DDPM_TRY(sampling->outcome);
    return check_finite(sampling->x, part->first, part->count, d);
}

/* Steps of the longest chain of the round that begins with piece `first`. */
static size_t longest_chain(const ddpm_sampling *sampling, const pieces *all, size_t first,
                            size_t ranks)
{
    size_t longest = 0;
    for (size_t i = first; i < first + ranks && i < all->count; i++) {
        const size_t steps = steps_of_row(sampling, all->drawing, i / all->batches_in_row);
        if (steps > longest) longest = steps;
    }
    return longest;
}

/* This rank's piece, where it has one; `status`: how it has fared so far. With options.together
 * every rank speaks after each of the round's `steps` steps until one fails, also where its own
 * chain is shorter, or it has none. */
static ddpm_status draw_in_round(ddpm_sampling *sampling, const ddpm_drawing *drawing,
                                 const piece *part, size_t steps, ddpm_status status)
{
    sampling->outcome = DDPM_OK;
    sampling->steps_together = 0;
    if (status == DDPM_OK && part->count > 0) status = draw_piece(sampling, drawing, part);
    if (!sampling->options.together) return status;
    while (sampling->outcome == DDPM_OK && sampling->steps_together < steps)
        agree_on_step(sampling, status);
    assert(sampling->steps_together <= steps);
    return status != DDPM_OK ? status : sampling->outcome;
}

static ddpm_status check_drawing(const ddpm_sampling *sampling, const ddpm_drawing *drawing)
{
    for (size_t row = 0; row < row_count(drawing); row++) {
        const size_t steps = row_of(sampling, drawing, row).top + 1;
        assert(steps <= ddpm_sampling_schedule(sampling)->steps);
        if (drawing->frames > steps)
            return ddpm_fail(DDPM_ECONFIG, "%zu moments of a chain of %zu steps; at most %zu",
                             drawing->frames, steps, steps);
    }
    if (!drawing->inpaint) return DDPM_OK;
    assert(!drawing->frames);
    const ddpm_repaint repaint = repaint_of(drawing->inpaint);
    return ddpm_repaint_check(&repaint, sampling->options.sampler);
}

static ddpm_status begin(ddpm_sampling *sampling, ddpm_comm *comm, const pieces *all,
                         const float *weights)
{
    const ddpm_drawing *drawing = all->drawing;
    const size_t ranks = (size_t)ddpm_comm_size(comm), rank = (size_t)ddpm_comm_rank(comm);
    sampling->comm = comm;
    sampling->weights = weights;
    sampling->calls = 0;
    sampling->calls_in_all = 0;
    for (size_t i = rank; i < all->count; i += ranks)
        sampling->calls_in_all += steps_of_row(sampling, drawing, i / all->batches_in_row);
    DDPM_TRY(check_drawing(sampling, drawing));
    if (drawing->frames)
        DDPM_TRY(ddpm_memory_alloc(&sampling->frames, all->batch * drawing->frames,
                                   sampling->image_floats * sizeof(float), DDPM_MEMORY_SCRATCH));
    return ddpm_unet_freeze(sampling->unet, weights);
}

static void end(ddpm_sampling *sampling)
{
    ddpm_memory_free(sampling->frames);
    sampling->frames = NULL;
    sampling->weights = NULL;
}

/* Images before piece `number`, over all rows. */
static size_t images_before(const pieces *all, size_t number)
{
    const size_t columns = all->end - all->begin, rows = number / all->batches_in_row;
    if (number >= all->count) return columns * row_count(all->drawing);
    const piece part = piece_at(all, number);
    return rows * columns + part.first + part.cut - all->begin;
}

ddpm_status ddpm_sampling_draw(ddpm_sampling *sampling, ddpm_comm *comm, const float *weights,
                               const ddpm_drawing *drawing, ddpm_sample_sink *sink, void *context)
{
    const pieces all = cut_up(sampling, drawing);
    const size_t ranks = (size_t)ddpm_comm_size(comm), rank = (size_t)ddpm_comm_rank(comm);
    const size_t item = sampling->image_floats * frames_of(drawing);
    float *gathered = NULL;
    size_t *all_bytes = NULL;
    ddpm_status status = begin(sampling, comm, &all, weights);
    if (status == DDPM_OK && rank == 0)
        status = ddpm_memory_alloc(&gathered, ranks * all.batch, item * sizeof(float),
                                   DDPM_MEMORY_SCRATCH);
    if (status == DDPM_OK)
        status = ddpm_memory_alloc(&all_bytes, ranks, sizeof *all_bytes, DDPM_MEMORY_SCRATCH);

    for (size_t round = 0; round < all.count; round += ranks) {
        piece part = { 0 };
        if (round + rank < all.count) part = piece_at(&all, round + rank);
        status = draw_in_round(sampling, drawing, &part,
                               longest_chain(sampling, &all, round, ranks), status);
        status = ddpm_comm_agree(comm, status);
        if (status != DDPM_OK) break;
        const float *drawn = sampling->frames ? sampling->frames : sampling->x;
        status = ddpm_comm_gather(comm, gathered, drawn + part.cut * item,
                                  (part.count - part.cut) * item * sizeof(float), all_bytes);
        const size_t from = images_before(&all, round), to = images_before(&all, round + ranks);
        if (status == DDPM_OK && rank == 0)
            status = sink(gathered, all.begin + from, to - from, context);
    }
    status = ddpm_comm_agree(comm, status);
    end(sampling);
    ddpm_memory_free(gathered);
    ddpm_memory_free(all_bytes);
    return status;
}

ddpm_status ddpm_sampling_run(ddpm_sampling *sampling, ddpm_comm *comm, const float *weights,
                              size_t count, ddpm_sample_sink *sink, void *context)
{
    const ddpm_drawing drawing = { .columns = count };
    return ddpm_sampling_draw(sampling, comm, weights, &drawing, sink, context);
}

typedef struct {
    float *images;
    size_t image_floats, first;
} collection;

static ddpm_status collect(const float *images, size_t first, size_t count, void *context)
{
    const collection *into = context;
    assert(images && into->images);
    memcpy(into->images + (first - into->first) * into->image_floats, images,
           count * into->image_floats * sizeof(float));
    return DDPM_OK;
}

ddpm_status ddpm_sampling_write_grid(ddpm_sampling *sampling, ddpm_comm *comm, const float *weights,
                                     size_t count, const char *path)
{
    const bool writer = ddpm_comm_rank(comm) == 0;
    collection grid = { .image_floats = sampling->image_floats, .first = sampling->options.first };
    ddpm_status status = DDPM_OK;
    if (writer)
        status = ddpm_memory_alloc(&grid.images, count, grid.image_floats * sizeof(float),
                                   DDPM_MEMORY_DATA);
    status = ddpm_comm_agree(comm, status);
    if (status == DDPM_OK)
        status = ddpm_sampling_run(sampling, comm, weights, count, collect, &grid);
    if (status == DDPM_OK && writer)
        status = ddpm_image_write_grid(path, grid.images, count, sampling->height, sampling->width,
                                       sampling->channels, 0);
    status = ddpm_comm_agree(comm, status);
    ddpm_memory_free(grid.images);
    return status;
}
