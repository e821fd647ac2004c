/** @file train/scaling.h
 *  How long a training step takes on many ranks, by arithmetic alone: docs/scaling.md derives it.
 */
#ifndef DDPM_TRAIN_SCALING_H
#define DDPM_TRAIN_SCALING_H
#include <stdint.h>

/** What moves the bytes, and what that costs a rank's core. */
typedef struct {
    const char *name;       /**< "tcp", "rdma" */
    double message_seconds; /**< from the send of an empty message to its arrival */
    /** Of a core, to send a byte, receive one and add it up: to another node, inside of one. */
    double byte_seconds, near_byte_seconds;
    double wire_share; /**< of the link's bits that are ours: the rest are headers */
} ddpm_transport;

enum { DDPM_TRANSPORTS = 2 };
extern const ddpm_transport ddpm_transports[DDPM_TRANSPORTS];
const ddpm_transport *ddpm_transport_named(const char *name); /**< NULL: there is none */

typedef struct {
    int ranks, ranks_per_node; /**< nodes are filled one after another */
    int rank_threads;          /**< on cores of their own */
    uint64_t micro_batches;    /**< a step, of all ranks */
    uint64_t rank_micro_batches;
    uint64_t micro_batch;    /**< images */
    double rank_rate;        /**< images a second of one rank by itself, with its share of a step */
    uint64_t gradient_bytes; /**< of one sum */
    uint64_t bucket_bytes;   /**< of the largest piece in which it travels */
    /** Sent a step by the rank that sends most, where ranks do not add up in their node first. */
    uint64_t rank_bytes, rank_messages;
    double link_bits_per_second; /**< of a node, each way at once */
    const ddpm_transport *transport;
} ddpm_scaling_case;

typedef struct {
    int nodes, node_ranks;   /**< of the fullest node */
    double rank_bytes;       /**< that the rank sends which sends most */
    double node_bytes;       /**< that leave the fullest node a step */
    double compute_seconds;  /**< of the rank that has most to do */
    double backward_seconds; /**< of its last micro-batch: what communication can hide behind */
    double wire_seconds, handling_seconds, message_seconds;
    double communication_seconds; /**< as long as nothing else is done */
    double exposed_seconds;       /**< added to a step where it overlaps with the backward pass */
    double step_seconds, overlapped_step_seconds;
} ddpm_scaling;

/** Pure: a function of the case alone. rank_rate 0: not known, compute and steps are 0. */
ddpm_scaling ddpm_scaling_estimate(const ddpm_scaling_case *c);
/** Images a second of all ranks, over what they would do alone: 1 is perfect. */
double ddpm_scaling_efficiency(const ddpm_scaling_case *c, double step_seconds);
#endif
