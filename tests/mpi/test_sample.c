/* Drawing images on several ranks, with a network of random weights. */
#include "mpi_check.h"
#include "numeric.h"

#include "ddpm/kernels/isa.h"
#include "ddpm/train/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 8, D = SIDE * SIDE, BATCH = 2, STEPS = 3, COUNT = 11, SEED = 21 };

static const ddpm_unet_config network = { .height = SIDE,
                                          .width = SIDE,
                                          .in_channels = 1,
                                          .out_channels = 1,
                                          .channels = 8,
                                          .levels = 2,
                                          .mult = { 1, 2 },
                                          .blocks = 1,
                                          .groups = 4,
                                          .epsilon = 1e-6f };

typedef struct {
    ddpm_schedule *schedule;
    ddpm_sampling *sampling;
    ddpm_drawing drawing;
    float *weights;
    /* what the sink got */
    float images[COUNT * D];
    size_t received;
    size_t fail_at; /* images after which it fails; 0: never */
    /* progress */
    size_t done, total, stop_after;
    int stop_on_rank;
} fixture;

static ddpm_status sink(const float *images, size_t first, size_t count, void *context)
{
    fixture *f = context;
    if (first != f->received) return ddpm_fail(DDPM_EINTERNAL, "out of order");
    memcpy(f->images + first * D, images, count * D * sizeof *images);
    f->received += count;
    if (f->fail_at && f->received >= f->fail_at) return ddpm_fail(DDPM_EIO, "the disk is full");
    return DDPM_OK;
}

typedef struct {
    float images[COUNT * D];
} frames_sink;

/* Two to an image. */
static ddpm_status keep_frames(const float *images, size_t first, size_t count, void *context)
{
    frames_sink *kept = context;
    memcpy(kept->images + 2 * first * D, images, 2 * count * D * sizeof *images);
    return DDPM_OK;
}

static bool progress(size_t done, size_t total, void *context)
{
    fixture *f = context;
    f->done = done;
    f->total = total;
    return !(f->stop_after && done >= f->stop_after && ddpm_comm_rank(world) == f->stop_on_rank);
}

static bool waits; /* whether ranks wait for each other after every step */

static fixture *create_at(ddpm_sample_start *start, size_t first)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    CHECK_OK(ddpm_kernels_init());
    CHECK_OK(ddpm_schedule_create(&f->schedule, "linear", 100, 1e-4, 0.02));
    ddpm_sample_options options;
    ddpm_sample_options_init(&options, "ddpm");
    options.steps = STEPS;
    options.batch = BATCH;
    options.seed = SEED;
    f->drawing = (ddpm_drawing){ .columns = COUNT, .start = start };
    options.first = first;
    f->received = first;
    options.progress = progress;
    options.progress_context = f;
    options.together = waits;
    CHECK_OK(ddpm_sampling_create(&f->sampling, &network, f->schedule, &options));
    const size_t total = ddpm_sampling_params(f->sampling)->total;
    f->weights = calloc(total, sizeof *f->weights);
    assert_non_null(f->weights);
    fill_normal(f->weights, total, 3);
    for (size_t i = 0; i < total; i++) f->weights[i] *= 0.2f;
    return f;
}

static fixture *create(ddpm_sample_start *start)
{
    return create_at(start, 0);
}

static void destroy(fixture *f)
{
    ddpm_sampling_free(f->sampling);
    ddpm_schedule_free(f->schedule);
    free(f->weights);
    free(f);
}

typedef struct {
    ddpm_unet *unet;
    const float *weights;
} direct;

static void denoise(float *eps, float *variance, const float *x, double t, size_t n, size_t d,
                    void *context)
{
    const direct *one = context;
    (void)n, (void)d, (void)variance;
    ddpm_unet_forward(one->unet, eps, x, (const float[BATCH]){ (float)t, (float)t }, one->weights,
                      NULL);
}

/* The same images by sampler and network alone, a batch after the other. */
static void draw_directly(float *images, const fixture *f)
{
    direct one = { .weights = f->weights };
    size_t timesteps[STEPS];
    ddpm_schedule *spaced = NULL;
    static float x[BATCH * D], scratch[7 * BATCH * D];
    CHECK_OK(ddpm_unet_create(&one.unet, &network, BATCH, DDPM_UNET_INFERENCE));
    CHECK_OK(ddpm_unet_freeze(one.unet, f->weights));
    CHECK_OK(ddpm_spacing(timesteps, STEPS, "sections", 100));
    CHECK_OK(ddpm_schedule_respace(&spaced, f->schedule, timesteps, STEPS));
    for (size_t first = 0; first < COUNT; first += BATCH) {
        ddpm_image_noise noise = { .seed = SEED, .first_image = first, .schedule = spaced };
        const ddpm_sampler_options options = { .name = "ddpm",
                                               .clip = DDPM_CLIP_X0,
                                               .denoise = denoise,
                                               .denoise_context = &one,
                                               .noise = ddpm_image_step_noise,
                                               .noise_context = &noise };
        ddpm_image_init(x, SEED, first, BATCH, D);
        ddpm_sampler_run(x, scratch, BATCH, D, spaced, &options);
        const size_t wanted = first + BATCH <= COUNT ? BATCH : COUNT - first;
        memcpy(images + first * D, x, wanted * D * sizeof *images);
    }
    ddpm_schedule_free(spaced);
    ddpm_unet_free(one.unet);
}

static void the_ranks_images_are_those_of_one_process(void **state)
{
    (void)state;
    fixture *f = create(NULL);
    CHECK_OK(ddpm_sampling_run(f->sampling, world, f->weights, COUNT, sink, f));
    assert_int_equal(f->done, f->total);
    assert_int_equal(f->total % STEPS, 0);
    if (ddpm_comm_rank(world) == 0) {
        static float images[COUNT * D];
        draw_directly(images, f);
        assert_int_equal(f->received, COUNT);
        assert_memory_equal(f->images, images, sizeof images);
    } else {
        assert_int_equal(f->received, 0);
    }
    destroy(f);
}

static void fewer_images_are_the_first_of_more(void **state)
{
    (void)state;
    static float more[COUNT * D];
    fixture *f = create(NULL);
    CHECK_OK(ddpm_sampling_run(f->sampling, world, f->weights, COUNT, sink, f));
    memcpy(more, f->images, sizeof more);
    f->received = 0;
    CHECK_OK(ddpm_sampling_run(f->sampling, world, f->weights, 1, sink, f));
    assert_memory_equal(more, f->images, D * sizeof *more);
    destroy(f);
}

static void parts_drawn_apart_are_those_of_one_drawing(void **state)
{
    (void)state;
    static const size_t parts[][2] = { { 4, 4 }, { 3, 8 }, { 5, 1 }, { 10, 1 }, { 2, 5 } };
    fixture *whole = create(NULL);
    size_t wrong = 0; /* looked at when nobody waits for another rank any more */
    CHECK_OK(ddpm_sampling_run(whole->sampling, world, whole->weights, COUNT, sink, whole));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const size_t first = parts[i][0], count = parts[i][1];
        fixture *f = create_at(NULL, first);
        CHECK_OK(ddpm_sampling_run(f->sampling, world, f->weights, count, sink, f));
        wrong += f->done != f->total;
        if (ddpm_comm_rank(world) == 0)
            wrong += f->received != first + count ||
                     memcmp(f->images + first * D, whole->images + first * D,
                            count * D * sizeof *f->images) != 0;
        destroy(f);
    }
    destroy(whole);
    assert_int_equal(wrong, 0);
}

/* Rows whose chains begin lower and have noise in common, drawn at once and one by one. */
static void rows_drawn_together_are_those_drawn_alone(void **state)
{
    (void)state;
    enum { COLUMNS = 3, FIRST = 1 };
    static const ddpm_sample_row rows[] = { { STEPS - 1, DDPM_SAMPLE_OWN },
                                            { 1, DDPM_SAMPLE_OWN },
                                            { STEPS - 1, 1 } };
    static float together[COUNT * D];
    const bool receives = ddpm_comm_rank(world) == 0;
    fixture *f = create_at(NULL, FIRST);
    size_t wrong = 0;
    ddpm_drawing drawing = { .columns = COLUMNS, .rows = rows, .row_count = 3 };
    CHECK_OK(ddpm_sampling_draw(f->sampling, world, f->weights, &drawing, sink, f));
    /* Images 1 to 3 lie in batches 0 and 1. */
    wrong += ddpm_drawing_evaluations(f->sampling, &drawing) != 2 * BATCH * (STEPS + 2 + STEPS);
    wrong += f->done != f->total || f->received != (receives ? FIRST + 3 * COLUMNS : FIRST);
    memcpy(together, f->images, sizeof together);
    for (size_t row = 0; row < 3; row++) {
        f->received = FIRST;
        drawing.rows = rows + row;
        drawing.row_count = 1;
        CHECK_OK(ddpm_sampling_draw(f->sampling, world, f->weights, &drawing, sink, f));
        if (receives)
            wrong += memcmp(together + (FIRST + row * COLUMNS) * D, f->images + FIRST * D,
                            COLUMNS * D * sizeof *together) != 0;
    }
    destroy(f);
    assert_int_equal(wrong, 0);
}

static void frames_are_gathered_with_their_image(void **state)
{
    (void)state;
    enum { COLUMNS = 5, FRAMES = 2 };
    static float plain[COUNT * D];
    fixture *f = create(NULL);
    CHECK_OK(ddpm_sampling_run(f->sampling, world, f->weights, COLUMNS, sink, f));
    memcpy(plain, f->images, sizeof plain);
    frames_sink frames = { 0 };
    const ddpm_drawing drawing = { .columns = COLUMNS, .frames = FRAMES };
    CHECK_OK(ddpm_sampling_draw(f->sampling, world, f->weights, &drawing, keep_frames, &frames));
    size_t wrong = 0;
    for (size_t i = 0; ddpm_comm_rank(world) == 0 && i < COLUMNS; i++)
        wrong += memcmp(frames.images + (FRAMES * i + 1) * D, plain + i * D, D * sizeof *plain) !=
                     0 ||
                 memcmp(frames.images + FRAMES * i * D, plain + i * D, D * sizeof *plain) == 0;
    const ddpm_drawing too_many = { .columns = 1, .frames = STEPS + 1 };
    CHECK_STATUS(ddpm_sampling_draw(f->sampling, world, f->weights, &too_many, sink, f),
                 DDPM_ECONFIG);
    destroy(f);
    assert_int_equal(wrong, 0);
}

/* A network with classes, asked by hand: said = none + G (class - none), the variance as the class
 * has it (docs/man/ddpm-sample.1.scd, --guidance). */
typedef struct {
    direct network;
    size_t first, channels; /* channels of its output */
    double apart;           /* how far class and none were, at most */
} guided;

static const double guidance = 2.5;
enum { CLASSES = 3 };

static void denoise_guided(float *eps, float *variance, const float *x, double t, size_t n,
                           size_t d, void *context)
{
    static float of_class[2 * BATCH * D], of_none[2 * BATCH * D];
    guided *by_hand = context;
    int64_t class[BATCH], none[BATCH];
    for (size_t i = 0; i < BATCH; i++) {
        class[i] = (int64_t)((by_hand->first + i) % CLASSES);
        none[i] = CLASSES;
    }
    ddpm_unet_set_classes(by_hand->network.unet, class);
    denoise(of_class, NULL, x, t, n, d, &by_hand->network);
    ddpm_unet_set_classes(by_hand->network.unet, none);
    denoise(of_none, NULL, x, t, n, d, &by_hand->network);
    for (size_t i = 0; i < n * d; i++) {
        const double with = (double)of_class[by_hand->channels * i];
        const double without = (double)of_none[by_hand->channels * i];
        eps[i] = (float)(without + guidance * (with - without));
        if (variance) variance[i] = of_class[by_hand->channels * i + 1];
        by_hand->apart = fmax(by_hand->apart, fabs(with - without));
    }
}

/* The largest difference between the ranks' images and those by hand. */
static double error_of_guidance(ddpm_variance kind)
{
    ddpm_unet_config config = network;
    config.classes = CLASSES;
    config.out_channels = ddpm_variance_is_learned(kind) ? 2 : 1;
    ddpm_sample_options options;
    ddpm_sample_options_init(&options, "ddpm");
    options.steps = STEPS;
    options.batch = BATCH;
    options.seed = SEED;
    options.variance = kind;
    options.clip = DDPM_CLIP_NONE;
    options.guidance = guidance;
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    CHECK_OK(ddpm_schedule_create(&f->schedule, "linear", 100, 1e-4, 0.02));
    CHECK_OK(ddpm_sampling_create(&f->sampling, &config, f->schedule, &options));
    const size_t total = ddpm_sampling_params(f->sampling)->total;
    f->weights = calloc(total, sizeof *f->weights);
    assert_non_null(f->weights);
    fill_normal(f->weights, total, 3);
    for (size_t i = 0; i < total; i++) f->weights[i] *= 0.2f;
    CHECK_OK(ddpm_sampling_run(f->sampling, world, f->weights, COUNT, sink, f));

    double error = 0.0;
    guided by_hand = { .network = { .weights = f->weights }, .channels = config.out_channels };
    static float x[BATCH * D], scratch[7 * BATCH * D];
    CHECK_OK(ddpm_unet_create(&by_hand.network.unet, &config, BATCH, DDPM_UNET_INFERENCE));
    CHECK_OK(ddpm_unet_freeze(by_hand.network.unet, f->weights));
    for (size_t first = 0; ddpm_comm_rank(world) == 0 && first < COUNT; first += BATCH) {
        const ddpm_schedule *chain = ddpm_sampling_schedule(f->sampling);
        ddpm_image_noise noise = { .seed = SEED, .first_image = first, .schedule = chain };
        const ddpm_sampler_options sampler = { .name = "ddpm",
                                               .variance = kind,
                                               .denoise = denoise_guided,
                                               .denoise_context = &by_hand,
                                               .noise = ddpm_image_step_noise,
                                               .noise_context = &noise };
        by_hand.first = first;
        ddpm_image_init(x, SEED, first, BATCH, D);
        ddpm_sampler_run(x, scratch, BATCH, D, chain, &sampler);
        for (size_t i = 0; i < BATCH * D && first * D + i < COUNT * D; i++)
            error = fmax(error, fabs((double)f->images[first * D + i] - (double)x[i]));
    }
    if (ddpm_comm_rank(world) == 0 && by_hand.apart < 1e-2) error = (double)INFINITY;
    ddpm_unet_free(by_hand.network.unet);
    destroy(f);
    return error;
}

static void guidance_goes_from_no_class_beyond_the_class(void **state)
{
    (void)state;
    CHECK_OK(ddpm_kernels_init());
    const double fixed = error_of_guidance(DDPM_VARIANCE_FIXEDLARGE);
    const double learned = error_of_guidance(DDPM_VARIANCE_LEARNED_RANGE);
    CHECK_LE(fixed, 1e-6);
    CHECK_LE(learned, 1e-6);
}

static ddpm_status zeros(float *x, const ddpm_level *level, size_t row, size_t first, size_t count,
                         void *context)
{
    (void)level, (void)row, (void)context;
    if (first + count > COUNT) return ddpm_fail(DDPM_EINTERNAL, "more than asked for");
    memset(x, 0, count * D * sizeof *x);
    return DDPM_OK;
}

static void the_start_can_be_given(void **state)
{
    (void)state;
    fixture *given = create(zeros), *own = create(NULL);
    CHECK_OK(
        ddpm_sampling_draw(given->sampling, world, given->weights, &given->drawing, sink, given));
    CHECK_OK(ddpm_sampling_run(own->sampling, world, own->weights, COUNT, sink, own));
    if (ddpm_comm_rank(world) == 0)
        for (size_t i = 0; i < COUNT; i++)
            assert_memory_not_equal(given->images + i * D, own->images + i * D, D * sizeof(float));
    destroy(given);
    destroy(own);
}

static ddpm_status unreadable(float *x, const ddpm_level *level, size_t row, size_t first,
                              size_t count, void *context)
{
    (void)x, (void)level, (void)row, (void)context;
    if (first + count == COUNT) return ddpm_fail(DDPM_EIO, "cannot read image %zu", first);
    return DDPM_OK;
}

static void what_fails_on_one_rank_fails_on_all(void **state)
{
    (void)state;
    fixture *f = create(NULL), *g = create(unreadable);
    f->fail_at = COUNT;
    const ddpm_status full = ddpm_sampling_run(f->sampling, world, f->weights, COUNT, sink, f);
    CHECK_STATUS(full, DDPM_EIO);
    CHECK_MESSAGE("the disk is full");
    const ddpm_status start = ddpm_sampling_draw(g->sampling, world, g->weights, &g->drawing, sink,
                                                 g);
    CHECK_STATUS(start, DDPM_EIO);
    CHECK_MESSAGE("cannot read image 10");
    destroy(f);
    destroy(g);
}

static void any_rank_can_stop_the_drawing(void **state)
{
    (void)state;
    fixture *f = create(NULL);
    f->stop_after = 2;
    f->stop_on_rank = ddpm_comm_size(world) - 1;
    CHECK_STATUS(ddpm_sampling_run(f->sampling, world, f->weights, COUNT, sink, f), DDPM_EAGAIN);
    assert_int_equal(f->received, 0);
    f->stop_after = 0;
    CHECK_OK(ddpm_sampling_run(f->sampling, world, f->weights, COUNT, sink, f));
    destroy(f);
}

static void weights_that_give_no_images_are_refused(void **state)
{
    (void)state;
    fixture *f = create(NULL);
    f->weights[5] = NAN;
    CHECK_STATUS(ddpm_sampling_run(f->sampling, world, f->weights, COUNT, sink, f), DDPM_EDATA);
    CHECK_MESSAGE("not finite");
    destroy(f);
}

static void ranks_that_wait_for_each_other_draw_the_same_images(void **state)
{
    waits = true;
    the_ranks_images_are_those_of_one_process(state);
    rows_drawn_together_are_those_drawn_alone(state); /* chains of different lengths at once */
    frames_are_gathered_with_their_image(state);
    waits = false;
}

static void ranks_that_wait_for_each_other_fail_and_stop_together(void **state)
{
    waits = true;
    what_fails_on_one_rank_fails_on_all(state);
    any_rank_can_stop_the_drawing(state);
    weights_that_give_no_images_are_refused(state);
    fixture *f = create(NULL);
    f->stop_after = 2; /* of 3 steps */
    f->stop_on_rank = ddpm_comm_size(world) - 1;
    const ddpm_status status = ddpm_sampling_run(f->sampling, world, f->weights, COUNT, sink, f);
    const size_t done = f->done;
    destroy(f);
    waits = false;
    CHECK_STATUS(status, DDPM_EAGAIN);
    assert_int_equal(done, 2); /* on every rank */
}

static void bad_options_are_refused(void **state)
{
    (void)state;
    ddpm_schedule *schedule = NULL;
    ddpm_sampling *sampling = NULL;
    ddpm_sample_options options;
    CHECK_OK(ddpm_schedule_create(&schedule, "linear", 10, 1e-4, 0.02));
    ddpm_sample_options_init(&options, "ddqm");
    CHECK_STATUS(ddpm_sampling_create(&sampling, &network, schedule, &options), DDPM_ECONFIG);
    ddpm_sample_options_init(&options, "ddim");
    options.steps = 11;
    CHECK_STATUS(ddpm_sampling_create(&sampling, &network, schedule, &options), DDPM_ECONFIG);
    ddpm_sample_options_init(&options, "ddim");
    options.spacing = "lead";
    CHECK_STATUS(ddpm_sampling_create(&sampling, &network, schedule, &options), DDPM_ECONFIG);
    ddpm_sample_options_init(&options, "ddim");
    options.eta = 2.0;
    CHECK_STATUS(ddpm_sampling_create(&sampling, &network, schedule, &options), DDPM_ECONFIG);
    assert_null(sampling);
    ddpm_schedule_free(schedule);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_ranks_images_are_those_of_one_process),
    cmocka_unit_test(fewer_images_are_the_first_of_more),
    cmocka_unit_test(parts_drawn_apart_are_those_of_one_drawing),
    cmocka_unit_test(rows_drawn_together_are_those_drawn_alone),
    cmocka_unit_test(frames_are_gathered_with_their_image),
    cmocka_unit_test(guidance_goes_from_no_class_beyond_the_class),
    cmocka_unit_test(the_start_can_be_given),
    cmocka_unit_test(what_fails_on_one_rank_fails_on_all),
    cmocka_unit_test(any_rank_can_stop_the_drawing),
    cmocka_unit_test(weights_that_give_no_images_are_refused),
    cmocka_unit_test(ranks_that_wait_for_each_other_draw_the_same_images),
    cmocka_unit_test(ranks_that_wait_for_each_other_fail_and_stop_together),
    cmocka_unit_test(bad_options_are_refused),
};

MPI_CHECK_MAIN(tests)
