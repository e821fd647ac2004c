#include "ddpm/base/philox.h"

#include <assert.h>

/* Rounds of the Feistel network. Four make a pseudo-random permutation of wide halves (Luby and
   Rackoff 1988); the halves here may have a single bit, and eight cost little. Part of the format
   of a run, as is everything in this file: a change reorders the data of every run. */
enum { ROUNDS = 8 };

typedef struct {
    uint32_t key[2], index[2], purpose;
    unsigned half_bits;
} network;

/* The round function: a word of Philox at {right half, index, purpose and round}. */
static uint32_t round_function(const network *net, uint32_t right, uint32_t round)
{
    const uint32_t counter[4] = { right, net->index[0], net->index[1], net->purpose << 24 | round };
    uint32_t word[4];
    ddpm_philox4x32(word, counter, net->key);
    return word[0] & (uint32_t)((UINT64_C(1) << net->half_bits) - 1);
}

static uint64_t permute(const network *net, uint64_t place)
{
    uint32_t left = (uint32_t)(place >> net->half_bits);
    uint32_t right = (uint32_t)(place & ((UINT64_C(1) << net->half_bits) - 1));
    for (uint32_t round = 0; round < ROUNDS; round++) {
        const uint32_t next = left ^ round_function(net, right, round);
        left = right;
        right = next;
    }
    return (uint64_t)left << net->half_bits | right;
}

uint64_t ddpm_random_permute(uint64_t place, uint64_t count, const ddpm_random *random)
{
    assert(place < count && random->stream == 0);
    network net = { .key = { (uint32_t)random->seed, (uint32_t)(random->seed >> 32) },
                    .index = { (uint32_t)random->index, (uint32_t)(random->index >> 32) },
                    .purpose = (uint32_t)random->purpose };
    while (net.half_bits < 32 && (UINT64_C(1) << 2 * net.half_bits) < count) net.half_bits++;
    /* Cycle walking: a permutation of 0 .. 4^k - 1, followed until it falls below the count, is a
       permutation of 0 .. count - 1. The power of four is below 4 count: about 4 turns at most on
       average. */
    uint64_t image = place;
    do image = permute(&net, image);
    while (image >= count);
    return image;
}
