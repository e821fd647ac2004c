/* The layout of activation memory. */
#include "check.h"
#include "plan.h"
#include "tape.h"

#include "ddpm/base/philox.h"

#include <stdlib.h>

/* The most bytes that live at one step: no layout can do with less. */
static size_t peak(const ddpm_nn__plan *plan)
{
    size_t most = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const size_t step = plan->buffer[i].first; /* a peak begins where something begins */
        size_t live = 0;
        for (size_t k = 0; k < plan->count; k++)
            if (plan->buffer[k].first <= step && step <= plan->buffer[k].last)
                live += plan->buffer[k].bytes;
        if (live > most) most = live;
    }
    return most;
}

static void check_layout(const ddpm_nn__plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        const ddpm_nn__buffer *a = &plan->buffer[i];
        assert_int_equal(a->offset % 64, 0);
        assert_int_equal(a->bytes % 64, 0);
        assert_true(a->offset + a->bytes <= plan->arena_bytes);
        for (size_t k = 0; k < i; k++) {
            const ddpm_nn__buffer *b = &plan->buffer[k];
            const bool together = a->first <= b->last && b->first <= a->last;
            const bool overlap = a->offset < b->offset + b->bytes &&
                                 b->offset < a->offset + a->bytes;
            assert_false(together && overlap);
        }
    }
}

static void buffers_that_live_together_lie_apart(void **state)
{
    (void)state;
    ddpm_nn__plan plan = { 0 };
    size_t a, b, c;
    CHECK_OK(ddpm_nn__plan_add(&a, &plan, 100, 0, 1));
    CHECK_OK(ddpm_nn__plan_add(&b, &plan, 64, 1, 2));
    CHECK_OK(ddpm_nn__plan_add(&c, &plan, 128, 2, 3));
    CHECK_OK(ddpm_nn__plan_place(&plan));
    check_layout(&plan);
    assert_int_equal(plan.arena_bytes, 128 + 64); /* a and c share */
    ddpm_nn__plan_extend(&plan, a, 3);
    CHECK_OK(ddpm_nn__plan_place(&plan));
    check_layout(&plan);
    assert_int_equal(plan.arena_bytes, 128 + 64 + 128);
    ddpm_nn__plan_free(&plan);
}

static void any_lifetimes_are_laid_out_without_overlap(void **state)
{
    (void)state;
    for (uint64_t trial = 0; trial < 20; trial++) {
        uint32_t bits[3 * 150];
        const ddpm_random random = { .seed = trial, .purpose = DDPM_RANDOM_TEST };
        ddpm_random_bits(bits, sizeof bits / sizeof *bits, &random);
        ddpm_nn__plan plan = { 0 };
        for (size_t i = 0; i < 150; i++) {
            size_t id;
            const size_t first = bits[3 * i] % 100, last = first + bits[3 * i + 1] % 20;
            CHECK_OK(ddpm_nn__plan_add(&id, &plan, bits[3 * i + 2] % 5000, first, last));
            assert_int_equal(id, i);
        }
        CHECK_OK(ddpm_nn__plan_place(&plan));
        check_layout(&plan);
        assert_true(plan.arena_bytes >= peak(&plan));
        CHECK_LE(plan.arena_bytes, 1.5 * (double)peak(&plan));
        ddpm_nn__plan_free(&plan);
    }
}

static void an_empty_plan_takes_nothing(void **state)
{
    (void)state;
    ddpm_nn__plan plan = { 0 };
    CHECK_OK(ddpm_nn__plan_place(&plan));
    assert_int_equal(plan.arena_bytes, 0);
    ddpm_nn__plan_free(&plan);
}

static ddpm_nn__plan *plan_network(ddpm_nn__tape *tape, ddpm_nn__build *build, bool training)
{
    static const ddpm_unet_config cifar10 = {
        .height = 32,
        .width = 32,
        .in_channels = 3,
        .out_channels = 3,
        .channels = 128,
        .levels = 4,
        .mult = { 1, 2, 2, 2 },
        .blocks = 2,
        .attention_count = 1,
        .attention = { 16 },
        .groups = 32,
        .dropout = 0.1f,
        .epsilon = 1e-6f,
    };
    ddpm_nn__build_init(build, training);
    CHECK_OK(ddpm_nn__tape_create(tape, build, &cifar10, 8));
    return &build->plan;
}

static void a_networks_memory_is_near_its_peak(void **state)
{
    (void)state;
    for (int training = 0; training <= 1; training++) {
        ddpm_nn__tape tape;
        ddpm_nn__build build;
        const ddpm_nn__plan *plan = plan_network(&tape, &build, training);
        check_layout(plan);
        print_message("cifar10, 8 images, %s: %zu buffers, %.1f MiB, at least %.1f MiB\n",
                      training ? "training" : "inference", plan->count,
                      (double)plan->arena_bytes / 0x1p20, (double)peak(plan) / 0x1p20);
        CHECK_LE(plan->arena_bytes, 1.1 * (double)peak(plan));
        CHECK_LE(plan->arena_bytes, (training ? 250.0 : 60.0) * 1e6);
        ddpm_nn__tape_free(&tape);
        ddpm_nn__build_free(&build);
    }
}

static void every_skip_is_taken_once_and_started_there(void **state)
{
    (void)state;
    ddpm_nn__tape tape;
    ddpm_nn__build build;
    plan_network(&tape, &build, true);
    size_t skips = 0;
    for (size_t i = 0; i < tape.count; i++) {
        const ddpm_nn__op *op = &tape.op[i];
        assert_int_equal(op->param_begin, i ? tape.op[i - 1].param_end : 0);
        if (op->skip == DDPM_NN__NO_VALUE) continue;
        skips++;
        assert_true(op->starts_skip);
    }
    assert_int_equal(skips, 12);
    assert_int_equal(tape.op[tape.count - 1].param_end, build.params.total);
    ddpm_nn__tape_free(&tape);
    ddpm_nn__build_free(&build);
}

static void each_residual_block_has_its_own_dropout_stream(void **state)
{
    (void)state;
    ddpm_nn__tape tape;
    ddpm_nn__build build;
    plan_network(&tape, &build, true);
    uint32_t blocks = 0;
    for (size_t i = 0; i < tape.count; i++)
        if (tape.op[i].kind == DDPM_NN__RESBLOCK)
            assert_int_equal(tape.op[i].block.res.drop.layer, blocks++);
    assert_int_equal(blocks, 8 + 2 + 12);
    ddpm_nn__tape_free(&tape);
    ddpm_nn__build_free(&build);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_that_live_together_lie_apart),
        cmocka_unit_test(any_lifetimes_are_laid_out_without_overlap),
        cmocka_unit_test(an_empty_plan_takes_nothing),
        cmocka_unit_test(a_networks_memory_is_near_its_peak),
        cmocka_unit_test(every_skip_is_taken_once_and_started_there),
        cmocka_unit_test(each_residual_block_has_its_own_dropout_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
