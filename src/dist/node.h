/* The ranks of one node, who add up in shared memory before anything goes over the network. Each
 * has a window that the others can read and write: for every slot (a bucket on its way) a place for
 * each of its roots, and gates that say how far it is with that slot. */
#ifndef DDPM_DIST_NODE_H
#define DDPM_DIST_NODE_H
#include "comm_internal.h"

typedef struct ddpm_node ddpm_node;

enum { DDPM_NODE_SLOTS = 8 };

/* What a rank has passed with the bucket of a slot. */
typedef enum {
    DDPM_GATE_ARRIVED,  /* its roots are in its window */
    DDPM_GATE_FINISHED, /* its part of the result is in the first rank's window, in root 0 */
    DDPM_GATE_LEFT,     /* it will not look into this slot any more */
    DDPM_GATES
} ddpm_gate;

/* Ranks of a node, if there are several nodes, every one has as many ranks and they follow each
 * other in the order of ranks, and each has room for `bytes` of shared memory a rank; else 1.
 * `wanted`: as if nodes had so many ranks; 0: as they are. Collective. */
DDPM_NODISCARD ddpm_status ddpm_dist__node_ranks(int *ranks, ddpm_comm *comm, int wanted,
                                                 size_t bytes);
/* Of a rank's window. */
size_t ddpm_dist__node_bytes(size_t roots, size_t slot_floats);
/* For nodes of `ranks` ranks; `roots` and slot_floats are those of the rank that has most.
 * Collective. DDPM_EOS, DDPM_EINTERNAL. */
DDPM_NODISCARD ddpm_status ddpm_dist__node_create(ddpm_node **out, ddpm_comm *comm, int ranks,
                                                  size_t roots, size_t slot_floats);
void ddpm_dist__node_free(ddpm_node *node); /* collective; takes NULL */

/* [slot_floats]: root `root` of rank `rank` of this node. */
float *ddpm_dist__node_data(const ddpm_node *node, int rank, int slot, size_t root);
/* This rank has passed a gate with bucket `number` of all, counted from 1; whether all ranks of the
 * node have passed it with this or a later one. What they wrote before is then to be seen. */
void ddpm_dist__node_pass(ddpm_node *node, ddpm_gate gate, int slot, uint64_t number);
bool ddpm_dist__node_passed(const ddpm_node *node, ddpm_gate gate, int slot, uint64_t number);
#endif
