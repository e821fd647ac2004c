#include "ddpm/train/scaling.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* docs/scaling.md says which of them were measured. An Ethernet frame of 1538 bytes carries 1448;
 * RDMA copies nothing, so that only adding up is left. */
const ddpm_transport ddpm_transports[DDPM_TRANSPORTS] = {
    { "tcp", 30e-6, .byte_seconds = 1e-9, .near_byte_seconds = 0.5e-9, .wire_share = 0.94 },
    { "rdma", 3e-6, .byte_seconds = 0.2e-9, .near_byte_seconds = 0.5e-9, .wire_share = 0.97 },
};

const ddpm_transport *ddpm_transport_named(const char *name)
{
    for (size_t i = 0; i < DDPM_TRANSPORTS; i++)
        if (strcmp(name, ddpm_transports[i].name) == 0) return &ddpm_transports[i];
    return NULL;
}

/* The part of the backward pass after which the first `part` of the gradient is finished. The last
 * levels of a U-Net have the most pixels and the fewest parameters: of the CIFAR-10 network 15% of
 * the parameters take 45% of the pass. */
static double finished_after(double part)
{
    const double knee_part = 0.15, knee_pass = 0.45;
    if (part < knee_part) return part / knee_part * knee_pass;
    return knee_pass + (part - knee_part) * (1.0 - knee_pass) / (1.0 - knee_part);
}

/* What a step adds where buckets of the gradient are exchanged as soon as the backward pass of the
 * last micro-batch has finished them. Each of n (a small gradient is cut too) takes 1/n of the
 * communication, the last one an eighth of that, and they are served in order: the queue ends at
 * the maximum over i of the time at which bucket i is there and of all that is still to be sent
 * then. What a core does for it cannot hide: while it copies and adds, one of the rank's threads
 * computes nothing. */
static double exposed(const ddpm_scaling *s, const ddpm_scaling_case *c)
{
    const double whole = s->communication_seconds, last_share = 1.0 / 8.0;
    const uint64_t pieces = (c->gradient_bytes + c->bucket_bytes - 1) / c->bucket_bytes;
    const uint64_t n = pieces > 2 ? pieces : 2;
    double most = fmax(whole / (double)n * last_share,
                       s->handling_seconds / (double)c->rank_threads);
    for (uint64_t i = 1; i < n; i++)
        most = fmax(most, s->backward_seconds * (finished_after((double)i / (double)n) - 1.0) +
                              whole * (double)(n - i + 1) / (double)n);
    return most;
}

/* Every rank sends to every other one. */
static void add_messages_of_ranks(ddpm_scaling *s, const ddpm_scaling_case *c)
{
    const double away = (double)(c->ranks - s->node_ranks) / (double)(c->ranks - 1);
    s->rank_bytes = (double)c->rank_bytes;
    s->node_bytes = (double)s->node_ranks * s->rank_bytes * away;
    s->handling_seconds = s->rank_bytes * (away * c->transport->byte_seconds +
                                           (1.0 - away) * c->transport->near_byte_seconds);
    s->message_seconds = (double)c->rank_messages * c->transport->message_seconds;
}

/* Ranks of a node add up in its memory first, which takes the gradient in and out, and then each
 * exchanges its part of it with the ranks of its index on other nodes. */
static void add_messages_of_nodes(ddpm_scaling *s, const ddpm_scaling_case *c)
{
    const double gradient = (double)c->gradient_bytes, ranks = c->ranks, nodes = s->nodes;
    const double times = (double)c->rank_bytes / gradient * ranks / (ranks - 1.0);
    s->node_bytes = times * (nodes - 1.0) / nodes * gradient;
    s->rank_bytes = s->node_bytes / s->node_ranks;
    s->handling_seconds = 2.0 * gradient * c->transport->near_byte_seconds +
                          s->rank_bytes * c->transport->byte_seconds;
    s->message_seconds = (double)c->rank_messages * (nodes - 1.0) / (ranks - 1.0) *
                         c->transport->message_seconds;
}

ddpm_scaling ddpm_scaling_estimate(const ddpm_scaling_case *c)
{
    const double backward_share = 2.0 / 3.0; /* forward one third */
    const int node = c->ranks_per_node < c->ranks ? c->ranks_per_node : c->ranks;
    ddpm_scaling s = { .nodes = (c->ranks + node - 1) / node, .node_ranks = node };
    if (c->rank_rate > 0.0) {
        const double images = (double)(c->rank_micro_batches * c->micro_batch);
        s.compute_seconds = images / c->rank_rate;
        s.backward_seconds = backward_share * (double)c->micro_batch / c->rank_rate;
    }
    if (c->ranks > 1) {
        if (node > 1 && s.nodes > 1 && c->ranks % node == 0)
            add_messages_of_nodes(&s, c);
        else
            add_messages_of_ranks(&s, c);
        if (s.node_bytes > 0.0)
            s.wire_seconds = 8.0 * s.node_bytes /
                             (c->link_bits_per_second * c->transport->wire_share);
        s.communication_seconds = fmax(s.wire_seconds, s.handling_seconds) + s.message_seconds;
        s.exposed_seconds = exposed(&s, c);
    }
    if (c->rank_rate > 0.0) {
        s.step_seconds = s.compute_seconds + s.communication_seconds;
        s.overlapped_step_seconds = s.compute_seconds + s.exposed_seconds;
    }
    return s;
}

double ddpm_scaling_efficiency(const ddpm_scaling_case *c, double step_seconds)
{
    const double images = (double)(c->micro_batches * c->micro_batch);
    return images / step_seconds / ((double)c->ranks * c->rank_rate);
}
