/* The model of a step's time against values computed by hand. */
#include "check.h"
#include "ddpm/train/scaling.h"

#include <math.h>

/* Round numbers: 1 us a message, 2 ns a byte to another node and 0.5 ns inside of one, half of a
 * link's bits are ours. */
static const ddpm_transport round_transport = { "round", 1e-6, 2e-9, 0.5e-9, 0.5 };

/* 4 ranks on 2 nodes, 2 micro-batches of 10 images each, 10 images/s; 16 MiB of gradient, of which
 * a rank sends 3/4 to be summed and 3/4 when it is: 24 MiB in 6 messages. */
static ddpm_scaling_case four_ranks(void)
{
    return (ddpm_scaling_case){ .ranks = 4,
                                .ranks_per_node = 2,
                                .rank_threads = 1,
                                .micro_batches = 8,
                                .rank_micro_batches = 2,
                                .micro_batch = 10,
                                .rank_rate = 10.0,
                                .gradient_bytes = 16 << 20,
                                .bucket_bytes = 8 << 20,
                                .rank_bytes = 24 << 20,
                                .rank_messages = 6,
                                .link_bits_per_second = 1e9,
                                .transport = &round_transport };
}

static void near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-12 * fabs(expected)))
        fail_msg("%.17g is not %.17g", value, expected);
}

static void a_step_is_compute_and_communication_one_after_the_other(void **state)
{
    (void)state;
    const ddpm_scaling_case c = four_ranks();
    const ddpm_scaling s = ddpm_scaling_estimate(&c);
    assert_int_equal(s.nodes, 2);
    assert_int_equal(s.node_ranks, 2);
    near(s.compute_seconds, 2.0);
    near(s.backward_seconds, 2.0 / 3.0);
    near(s.node_bytes, 16 << 20);                                 /* half of it, there and back */
    near(s.wire_seconds, 16777216 * 8.0 / 0.5e9);                 /* 0.268435456 */
    near(s.handling_seconds, 33554432 * 0.5e-9 + 8388608 * 2e-9); /* in and out; a rank's half */
    near(s.message_seconds, 2e-6);                                /* to one of three peers */
    near(s.communication_seconds, 0.268437456);
    near(s.step_seconds, 2.268437456);
    near(ddpm_scaling_efficiency(&c, s.step_seconds), 80.0 / 2.268437456 / 40.0);
}

/* Half of the gradient is there after 0.45 + 0.35 * 55/85 = 23/34 of the backward pass. */
static const double half_is_there = 2.0 / 3.0 * 23.0 / 34.0;

static void what_overlaps_costs_what_is_left_after_the_pass(void **state)
{
    (void)state;
    ddpm_scaling_case c = four_ranks();
    ddpm_scaling s = ddpm_scaling_estimate(&c);
    near(s.exposed_seconds, half_is_there + 0.268437456 - 2.0 / 3.0);
    near(s.overlapped_step_seconds, 2.0 + s.exposed_seconds);
    c.micro_batch = 100; /* a pass that hides all but the last, small bucket */
    s = ddpm_scaling_estimate(&c);
    near(s.exposed_seconds, 33554432 * 0.5e-9 + 8388608 * 2e-9); /* and what the core does */
    c.transport = &(ddpm_transport){ "free", 0.0, 0.0, 0.0, 0.5 };
    near(ddpm_scaling_estimate(&c).exposed_seconds, 0.268435456 / 16.0);
}

static void ranks_of_unequal_nodes_send_to_all(void **state)
{
    (void)state;
    ddpm_scaling_case c = four_ranks();
    c.ranks_per_node = 1;
    const ddpm_scaling s = ddpm_scaling_estimate(&c);
    near(s.node_bytes, 24 << 20);
    near(s.handling_seconds, 25165824 * 2e-9);
    near(s.message_seconds, 6e-6);
}

static void what_is_longer_than_the_backward_pass_sticks_out(void **state)
{
    (void)state;
    ddpm_scaling_case c = four_ranks();
    c.link_bits_per_second = 1e8; /* 2.68435456 s on the wire */
    const ddpm_scaling s = ddpm_scaling_estimate(&c);
    near(s.communication_seconds, 2.68435656);
    near(s.exposed_seconds, half_is_there + 2.68435656 - 2.0 / 3.0);
}

static void what_the_core_does_itself_does_not_hide(void **state)
{
    (void)state;
    ddpm_scaling_case c = four_ranks();
    const ddpm_transport slow = { "slow", 0.0, 1e-8, 1e-8, 1.0 };
    c.transport = &slow;
    c.link_bits_per_second = 1e12;
    const ddpm_scaling s = ddpm_scaling_estimate(&c);
    near(s.handling_seconds, 0.4194304);
    near(s.communication_seconds, 0.4194304); /* the wire is faster */
    near(s.exposed_seconds, 0.4194304);
    c.rank_threads = 4; /* one of four stands still: less than what the pass does not hide */
    near(ddpm_scaling_estimate(&c).exposed_seconds, half_is_there + 0.4194304 - 2.0 / 3.0);
}

static void inside_one_node_nothing_is_on_the_wire(void **state)
{
    (void)state;
    ddpm_scaling_case c = four_ranks();
    c.ranks_per_node = 64;
    c.link_bits_per_second = 0.0; /* needs not to be known */
    const ddpm_scaling s = ddpm_scaling_estimate(&c);
    assert_int_equal(s.nodes, 1);
    assert_int_equal(s.node_ranks, 4);
    near(s.communication_seconds, 25165824 * 0.5e-9 + 6e-6);
    assert_true(s.wire_seconds == 0.0);
}

static void the_last_node_may_be_half_empty(void **state)
{
    (void)state;
    ddpm_scaling_case c = four_ranks();
    c.ranks_per_node = 3;
    const ddpm_scaling s = ddpm_scaling_estimate(&c);
    assert_int_equal(s.nodes, 2);
    near(s.node_bytes, 24 << 20); /* 3 ranks, one of three peers elsewhere */
}

static void one_rank_is_its_own_rate(void **state)
{
    (void)state;
    ddpm_scaling_case c = four_ranks();
    c.ranks = 1;
    c.rank_micro_batches = 8;
    c.rank_bytes = c.rank_messages = 0;
    const ddpm_scaling s = ddpm_scaling_estimate(&c);
    near(s.step_seconds, 8.0);
    near(s.overlapped_step_seconds, 8.0);
    near(ddpm_scaling_efficiency(&c, s.step_seconds), 1.0);
}

static void without_a_rate_only_communication_is_known(void **state)
{
    (void)state;
    ddpm_scaling_case c = four_ranks();
    c.rank_rate = 0.0;
    const ddpm_scaling s = ddpm_scaling_estimate(&c);
    near(s.communication_seconds, 0.268437456);
    assert_true(s.compute_seconds == 0.0 && s.step_seconds == 0.0);
    assert_true(s.overlapped_step_seconds == 0.0);
}

static void transports_have_names(void **state)
{
    (void)state;
    assert_ptr_equal(ddpm_transport_named("tcp"), &ddpm_transports[0]);
    assert_ptr_equal(ddpm_transport_named("rdma"), &ddpm_transports[1]);
    assert_null(ddpm_transport_named("pigeon"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_is_compute_and_communication_one_after_the_other),
        cmocka_unit_test(what_overlaps_costs_what_is_left_after_the_pass),
        cmocka_unit_test(ranks_of_unequal_nodes_send_to_all),
        cmocka_unit_test(what_is_longer_than_the_backward_pass_sticks_out),
        cmocka_unit_test(what_the_core_does_itself_does_not_hide),
        cmocka_unit_test(inside_one_node_nothing_is_on_the_wire),
        cmocka_unit_test(the_last_node_may_be_half_empty),
        cmocka_unit_test(one_rank_is_its_own_rate),
        cmocka_unit_test(without_a_rate_only_communication_is_known),
        cmocka_unit_test(transports_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
