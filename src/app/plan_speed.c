#include "plan_speed.h"

#include "ddpm/base/text.h"
#include "ddpm/dist/reducer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

ddpm_app_speed ddpm_app__speed_default(void)
{
    return (ddpm_app_speed){ .ranks = 1, .ranks_per_node = 1, .transport = &ddpm_transports[0] };
}

double ddpm_app__link(const char *text, struct argp_state *state)
{
    char number[32];
    double giga = 0.0;
    const size_t length = strlen(text);
    bool good = length > 1 && length < sizeof number && strchr("Gg", text[length - 1]);
    if (good) {
        snprintf(number, sizeof number, "%.*s", (int)(length - 1), text);
        good = ddpm_text_double(&giga, number, 1e-3, 1e6);
    }
    if (!good)
        argp_error(state,
                   "--network: '%s' is not the speed of a link: a number and G, like 10G "
                   "for 10 Gbit/s",
                   text);
    return giga * 1e9;
}

double ddpm_app__rate(const char *text, struct argp_state *state)
{
    double rate = 0.0;
    if (!ddpm_text_double(&rate, text, 1e-9, 1e12))
        argp_error(state, "--rate: '%s' is not a number of images a second", text);
    return rate;
}

const ddpm_transport *ddpm_app__transport(const char *name, struct argp_state *state)
{
    const ddpm_transport *transport = ddpm_transport_named(name);
    if (!transport) argp_error(state, "--transport is tcp or rdma, not '%s'", name);
    return transport;
}

static ddpm_scaling_case case_of(const ddpm_app_speed *speed, const ddpm_plan *plan,
                                 const ddpm_config *config)
{
    ddpm_scaling_case c = { .ranks = speed->ranks,
                            .ranks_per_node = speed->ranks_per_node,
                            .rank_threads = config->train.threads > 0 ? (int)config->train.threads
                                                                      : 1,
                            .micro_batches = plan->micro_batches,
                            .rank_micro_batches = plan->rank_micro_batches,
                            .micro_batch = (uint64_t)config->train.micro_batch,
                            .rank_rate = speed->rate,
                            .gradient_bytes = plan->needs.param_floats * sizeof(float),
                            .link_bits_per_second = speed->link_bits_per_second,
                            .transport = speed->transport };
    for (int r = 0; r < c.ranks; r++) {
        const ddpm_reducer_traffic traffic = ddpm_reducer_sends(plan->needs.param_floats,
                                                                plan->micro_batches, r, c.ranks);
        if (traffic.bytes > c.rank_bytes) c.rank_bytes = traffic.bytes;
        if (traffic.messages > c.rank_messages) c.rank_messages = traffic.messages;
        c.bucket_bytes = traffic.bucket_bytes;
    }
    return c;
}

/* A node's ranks, and one checkpoint where it is the node that writes it. */
static uint64_t node_memory(const ddpm_scaling *s, const ddpm_plan *plan)
{
    const uint64_t checkpoint = plan->memory_bytes[DDPM_MEMORY_CHECKPOINT];
    return (plan->memory_total_bytes - checkpoint) * (uint64_t)s->node_ranks + checkpoint;
}

static bool knows_network(const ddpm_app_speed *speed)
{
    return speed->link_bits_per_second > 0.0 || speed->ranks <= speed->ranks_per_node;
}

static void print_step(const char *what, const ddpm_scaling_case *c, double step, double share,
                       const ddpm_config *config)
{
    char text[32];
    printf("  %-13s %9.4f s  %12.1f%%  %8.1f  %9.0f%%  %s\n", what, step, 100.0 * share / step,
           (double)(c->micro_batches * c->micro_batch) / step,
           100.0 * ddpm_scaling_efficiency(c, step),
           ddpm_text_seconds(text, step * (double)config->train.steps));
}

static void print_time(const ddpm_scaling_case *c, const ddpm_scaling *s, const ddpm_config *config)
{
    char rank[32], node[32];
    puts("time of a step, estimated (docs/scaling.md):");
    if (c->rank_rate > 0.0)
        printf("  %-13s %9.4f s  %" PRIu64 " images at %g images/s\n", "compute",
               s->compute_seconds, c->rank_micro_batches * c->micro_batch, c->rank_rate);
    if (c->ranks > 1)
        printf("  %-13s %9.4f s  %s: a rank sends %s, a node %s\n", "communication",
               s->communication_seconds, c->transport->name,
               ddpm_text_bytes(rank, (uint64_t)s->rank_bytes),
               ddpm_text_bytes(node, (uint64_t)s->node_bytes));
    if (c->rank_rate == 0.0) return;
    printf("  %-13s %11s  %13s  %8s  %10s  %lld steps\n", "", "step", "communication", "images/s",
           "efficiency", (long long)config->train.steps);
    print_step("no overlap", c, s->step_seconds, s->communication_seconds, config);
    print_step("overlap", c, s->overlapped_step_seconds, s->exposed_seconds, config);
}

/* The rate that counts is of a rank with as many micro-batches a step as it will have. */
static void print_advice(const ddpm_app_speed *speed, const ddpm_plan *plan,
                         const ddpm_config *config)
{
    if (speed->rate == 0.0)
        printf("time: give --rate, the images/s of one rank as it will run, measured by\n"
               "  ddpm-dist bench --config %s --set train.batch=%" PRIu64 "\n",
               *config->file ? config->file : "FILE",
               plan->rank_micro_batches * (uint64_t)config->train.micro_batch);
    if (!knows_network(speed))
        puts("time: give --network, the speed of a node's link: 10G, 100G, ...");
}

void ddpm_app__speed_text(const ddpm_app_speed *speed, const ddpm_plan *plan,
                          const ddpm_config *config)
{
    const ddpm_scaling_case c = case_of(speed, plan, config);
    const ddpm_scaling s = ddpm_scaling_estimate(&c);
    char text[32];
    printf("memory of the fullest of %d node%s: %s, %d rank%s\n", s.nodes, s.nodes == 1 ? "" : "s",
           ddpm_text_bytes(text, node_memory(&s, plan)), s.node_ranks,
           s.node_ranks == 1 ? "" : "s");
    if (knows_network(speed) && (speed->rate > 0.0 || c.ranks > 1)) print_time(&c, &s, config);
    print_advice(speed, plan, config);
}

static json_t *real_or_null(double value, bool known)
{
    return known ? json_real(value) : json_null();
}

json_t *ddpm_app__speed_json(const ddpm_app_speed *speed, const ddpm_plan *plan,
                             const ddpm_config *config)
{
    const ddpm_scaling_case c = case_of(speed, plan, config);
    const ddpm_scaling s = ddpm_scaling_estimate(&c);
    const bool network = knows_network(speed), rate = speed->rate > 0.0, both = network && rate;
    const double steps = (double)config->train.steps, days = 86400.0;
    return json_pack(
        "{s:i, s:i, s:s, s:o, s:o, s:I, s:I, s:I, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
        "s:o}",
        "nodes", s.nodes, "ranks_per_node", s.node_ranks, "transport", c.transport->name,
        "rank_images_per_second", real_or_null(c.rank_rate, rate), "link_bits_per_second",
        real_or_null(c.link_bits_per_second, c.link_bits_per_second > 0.0), "node_memory_bytes",
        (json_int_t)node_memory(&s, plan), "rank_bytes_sent", (json_int_t)s.rank_bytes,
        "rank_messages", (json_int_t)c.rank_messages, "node_bytes_sent", s.node_bytes,
        "compute_seconds", real_or_null(s.compute_seconds, rate), "communication_seconds",
        real_or_null(s.communication_seconds, network), "exposed_seconds",
        real_or_null(s.exposed_seconds, both), "step_seconds", real_or_null(s.step_seconds, both),
        "overlapped_step_seconds", real_or_null(s.overlapped_step_seconds, both),
        "communication_share", real_or_null(s.communication_seconds / s.step_seconds, both),
        "overlapped_communication_share",
        real_or_null(s.exposed_seconds / s.overlapped_step_seconds, both), "days",
        real_or_null(steps * s.step_seconds / days, both), "overlapped_days",
        real_or_null(steps * s.overlapped_step_seconds / days, both));
}
