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

/* What a step adds where buckets of the gradient are exchanged as soon as the backward pass of the
 * last micro-batch has finished them. Bucket i of n is there after i/n of the pass and takes 1/n of
 * the communication; the queue ends at max over i of i/n backward + (n-i+1)/n communication, which
 * is largest at i = 1 or i = n. What a core does for it cannot hide: while it copies and adds, one
 * of the rank's threads computes nothing. */
static double exposed(const ddpm_scaling *s, const ddpm_scaling_case *c)
{
    const double bucket_bytes = 8 << 20;
    const double n = fmax(1.0, ceil((double)c->gradient_bytes / bucket_bytes));
    const double last = s->communication_seconds / n;
    const double queue = s->communication_seconds - s->backward_seconds * (1.0 - 1.0 / n);
    return fmax(fmax(last, queue), s->handling_seconds / (double)c->rank_threads);
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
        const double away = (double)(c->ranks - node) / (double)(c->ranks - 1);
        s.node_bytes = (double)node * (double)c->rank_bytes * away;
        if (s.node_bytes > 0.0)
            s.wire_seconds = 8.0 * s.node_bytes /
                             (c->link_bits_per_second * c->transport->wire_share);
        s.handling_seconds = (double)c->rank_bytes *
                             (away * c->transport->byte_seconds +
                              (1.0 - away) * c->transport->near_byte_seconds);
        s.message_seconds = (double)c->rank_messages * c->transport->message_seconds;
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
