/* An evaluation by several ranks, against the same numbers taken one batch after the other. */
#include "bpd_units.h"
#include "mpi_check.h"
#include "numeric.h"

#include "ddpm/kernels/isa.h"
#include "ddpm/train/model.h"
#include "evaluation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIDE = 8, D = SIDE * SIDE, IMAGES = 43, WANTED = 37, CLASSES = 3, DRAWS = 60, SEGMENTS = 2 };
enum { BATCHES = (WANTED + DDPM_BPD_BATCH - 1) / DDPM_BPD_BATCH };

typedef struct {
    ddpm_config config;
    char path[64];
    ddpm_evaluator *evaluator;
    float *weights;
    size_t asked, stop_after; /* on the last rank; 0: never */
    size_t answered;          /* on every rank, while stop_after is set */
} fixture;

static ddpm_config config_of(const char *path, const char *const *more)
{
    static const char *const keys[] = {
        "model.image_size=8", "model.image_width=8",    "model.image_channels=1",
        "model.channels=4",   "model.channel_mult=1,2", "model.blocks=1",
        "model.attention=",   "model.groups=2",         "diffusion.steps=100",
        "eval.every=1",       "eval.images=37",         "eval.draws=60",
    };
    ddpm_config config;
    ddpm_config_init(&config);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        CHECK_OK(ddpm_config_set(&config, keys[i]));
    for (size_t i = 0; more[i]; i++) CHECK_OK(ddpm_config_set(&config, more[i]));
    snprintf(config.eval.data, sizeof config.eval.data, "%s", path);
    return config;
}

static void write_set(const char *path)
{
    const ddpm_dataset_info info = { .shape = { 0, SIDE, SIDE, 1 },
                                     .has_labels = true,
                                     .range_max = 255.0f };
    ddpm_dataset_writer *writer;
    CHECK_OK(ddpm_dataset_writer_create(&writer, path, &info));
    for (size_t i = 0; i < IMAGES; i++) {
        uint8_t image[D];
        const int64_t label = (int64_t)(i % CLASSES);
        for (size_t k = 0; k < D; k++) image[k] = (uint8_t)(i * 37 + k * k);
        CHECK_OK(ddpm_dataset_writer_append(writer, image, &label, 1));
    }
    CHECK_OK(ddpm_dataset_writer_finish(writer));
}

/* A file of its own on every rank; and weights, the same on all. */
static fixture *create(const char *const *keys)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    CHECK_OK(ddpm_kernels_init());
    snprintf(f->path, sizeof f->path, "/tmp/ddpm-evaluation-%ld.h5", (long)getpid());
    write_set(f->path);
    f->config = config_of(f->path, keys);
    ddpm_dataset *training;
    CHECK_OK(ddpm_dataset_open(&training, f->path));
    CHECK_OK(
        ddpm_train__evaluator_create(&f->evaluator, &f->config, ddpm_dataset_get_info(training)));
    ddpm_dataset_close(training);
    ddpm_unet_config network;
    ddpm_unet_needs needs;
    CHECK_OK(ddpm_model_unet_config(&network, &f->config));
    CHECK_OK(ddpm_unet_plan(&needs, &network, DDPM_BPD_BATCH, DDPM_UNET_INFERENCE));
    f->weights = calloc(needs.param_floats, sizeof *f->weights);
    assert_non_null(f->weights);
    fill_normal(f->weights, needs.param_floats, 3);
    for (size_t i = 0; i < needs.param_floats; i++) f->weights[i] *= 0.2f;
    return f;
}

static void destroy(fixture *f)
{
    ddpm_train__evaluator_free(f->evaluator);
    unlink(f->path);
    free(f->weights);
    free(f);
}

static bool may_go_on(void *context)
{
    fixture *f = context;
    const bool asks = ddpm_comm_rank(world) == ddpm_comm_size(world) - 1;
    if (f->stop_after) f->answered++;
    return !(asks && f->stop_after && ++f->asked > f->stop_after);
}

typedef struct {
    ddpm_unet *unet;
    const float *weights;
} network_of;

static void evaluate(float *output, const float *xt, const float *times, void *context)
{
    const network_of *with = context;
    ddpm_unet_forward(with->unet, output, xt, times, with->weights, NULL);
}

static const double *unit_of(size_t unit, void *context)
{
    double *const *units = context;
    return units[unit];
}

/* Batch by batch in this process, with what the layers below have. */
static void evaluate_directly(ddpm_evaluation *out, const fixture *f)
{
    network_of with = { .weights = f->weights };
    ddpm_unet_config network;
    ddpm_schedule *schedule;
    ddpm_objective objective;
    ddpm_dataset *set;
    ddpm_bpd_stratum *strata;
    ddpm_bpd_summary summary;
    CHECK_OK(ddpm_model_unet_config(&network, &f->config));
    CHECK_OK(ddpm_unet_create(&with.unet, &network, DDPM_BPD_BATCH, DDPM_UNET_INFERENCE));
    CHECK_OK(ddpm_model_schedule(&schedule, &f->config));
    CHECK_OK(ddpm_model_objective(&objective, &f->config, schedule));
    CHECK_OK(ddpm_dataset_open(&set, f->path));
    const ddpm_held_out_options loss = { .objective = &objective,
                                         .batch = DDPM_BPD_BATCH,
                                         .d = D,
                                         .channels = 1,
                                         .network = evaluate,
                                         .network_context = &with };
    ddpm_bpd_options bound = { .schedule = schedule,
                               .trained = schedule,
                               .prediction = objective.prediction,
                               .variance = objective.variance,
                               .clip = true,
                               .batch = DDPM_BPD_BATCH,
                               .d = D,
                               .channels = 1,
                               .network = evaluate,
                               .network_context = &with };
    CHECK_OK(ddpm_bpd_strata(&strata, &bound.strata_count, schedule->steps, DRAWS));
    bound.strata = strata;
    assert_int_equal(ddpm_bpd_segments(&bound), SEGMENTS);
    const size_t floats = ddpm_bpd_scratch_floats(&bound) + ddpm_held_out_scratch_floats(&loss);
    float *scratch = calloc(floats, sizeof *scratch);
    static float x0[DDPM_BPD_BATCH * D];
    double sums[DDPM_QUARTILES] = { 0.0 }, unit[DDPM_QUARTILES], *units[BATCHES * SEGMENTS];
    for (size_t b = 0; b < BATCHES; b++) {
        uint64_t index[DDPM_BPD_BATCH];
        int64_t labels[DDPM_BPD_BATCH];
        const size_t first = b * DDPM_BPD_BATCH, left = WANTED - first;
        const size_t count = left < DDPM_BPD_BATCH ? left : DDPM_BPD_BATCH;
        for (size_t i = 0; i < DDPM_BPD_BATCH; i++) index[i] = first + i;
        CHECK_OK(ddpm_dataset_read(set, x0, labels, index, NULL, DDPM_BPD_BATCH));
        if (network.classes > 0) ddpm_unet_set_classes(with.unet, labels);
        held_out_unit(unit, scratch, x0, first, count, &loss);
        for (size_t q = 0; q < DDPM_QUARTILES; q++) sums[q] += unit[q];
        for (size_t s = 0; s < SEGMENTS; s++) {
            double **values = &units[b * SEGMENTS + s];
            *values = calloc(ddpm_bpd_unit_values(&bound), sizeof **values);
            bpd_unit(*values, scratch, x0, first, count, s, &bound);
        }
    }
    CHECK_OK(ddpm_bpd_sum(&summary, BATCHES, unit_of, units, &bound));
    *out = (ddpm_evaluation){ .images = WANTED,
                              .loss = ddpm_held_out_mean(sums, WANTED, schedule),
                              .draws = DRAWS,
                              .bits = summary.total,
                              .prior = summary.prior,
                              .decoder = summary.decoder };
    memcpy(out->middle, summary.quarter, sizeof out->middle);
    for (size_t u = 0; u < BATCHES * SEGMENTS; u++) free(units[u]);
    ddpm_bpd_summary_free(&summary);
    free(scratch);
    free(strata);
    ddpm_dataset_close(set);
    ddpm_schedule_free(schedule);
    ddpm_unet_free(with.unet);
}

static void compare(const char *const *keys)
{
    fixture *f = create(keys);
    ddpm_evaluation by_ranks = { .images = 0 }, again = { .images = 0 }, direct;
    const ddpm_status status = ddpm_train__evaluator_run(&by_ranks, f->evaluator, world, f->weights,
                                                         may_go_on, f);
    const ddpm_status second = ddpm_train__evaluator_run(&again, f->evaluator, world, f->weights,
                                                         may_go_on, f);
    CHECK_OK(status);
    CHECK_OK(second);
    if (ddpm_comm_rank(world) == 0) {
        evaluate_directly(&direct, f);
        assert_memory_equal(&by_ranks, &direct, sizeof direct);
        assert_memory_equal(&again, &direct, sizeof direct);
        assert_true(isfinite(direct.bits.mean) && direct.loss.mean > 0.0);
    }
    destroy(f);
}

static void the_ranks_numbers_are_those_of_one_process(void **state)
{
    (void)state;
    compare((const char *const[]){ NULL });
    compare(
        (const char *const[]){ "objective.loss=hybrid", "objective.variance=learned_range", NULL });
}

static void every_image_is_evaluated_with_its_class(void **state)
{
    (void)state;
    compare((const char *const[]){ "model.classes=3", "train.label_dropout=1", NULL });
}

static void a_flow_has_a_loss_and_no_bits(void **state)
{
    (void)state;
    fixture *f = create((const char *const[]){ "diffusion.process=flow", NULL });
    ddpm_evaluation flow = { .images = 0 };
    const ddpm_status status = ddpm_train__evaluator_run(&flow, f->evaluator, world, f->weights,
                                                         may_go_on, f);
    destroy(f);
    CHECK_OK(status);
    if (ddpm_comm_rank(world) != 0) return;
    assert_int_equal(flow.draws, 0);
    assert_true(flow.loss.mean > 0.0 && flow.bits.mean == 0.0);
}

/* After the call of the network that it is at, not at the end of a batch. */
static void one_rank_that_is_asked_to_stop_stops_all_at_once(void **state)
{
    (void)state;
    fixture *f = create((const char *const[]){ NULL });
    ddpm_evaluation whole = { .images = 0 }, after = { .images = 0 };
    const ddpm_status status = ddpm_train__evaluator_run(&whole, f->evaluator, world, f->weights,
                                                         may_go_on, f);
    f->stop_after = 5;
    const ddpm_status stopped = ddpm_train__evaluator_run(&after, f->evaluator, world, f->weights,
                                                          may_go_on, f);
    const size_t answered = f->answered;
    f->stop_after = 0;
    const ddpm_status again = ddpm_train__evaluator_run(&after, f->evaluator, world, f->weights,
                                                        may_go_on, f);
    destroy(f);
    CHECK_OK(status);
    CHECK_STATUS(stopped, DDPM_EAGAIN);
    CHECK_OK(again);
    assert_int_equal(answered, 6);
    assert_memory_equal(&whole, &after, sizeof whole);
}

static void a_rank_that_cannot_read_fails_all(void **state)
{
    (void)state;
    fixture *f = create((const char *const[]){ NULL });
    ddpm_evaluation evaluation;
    if (ddpm_comm_rank(world) == ddpm_comm_size(world) - 1) { /* a byte of the images */
        FILE *file = fopen(f->path, "r+b");
        assert_non_null(file);
        fseek(file, -1500, SEEK_END);
        for (int i = 0; i < 1000; i++) fputc(0x5a, file);
        fclose(file);
    }
    const ddpm_status status = ddpm_train__evaluator_run(&evaluation, f->evaluator, world,
                                                         f->weights, may_go_on, f);
    destroy(f);
    assert_true(status == DDPM_EDATA || status == DDPM_EIO);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_ranks_numbers_are_those_of_one_process),
    cmocka_unit_test(every_image_is_evaluated_with_its_class),
    cmocka_unit_test(a_flow_has_a_loss_and_no_bits),
    cmocka_unit_test(one_rank_that_is_asked_to_stop_stops_all_at_once),
    cmocka_unit_test(a_rank_that_cannot_read_fails_all),
};
MPI_CHECK_MAIN(tests)
