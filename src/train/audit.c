#include "audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS = 3 + DDPM_EMA_MOST, NAME_BYTES = 64, HOST_BYTES = 128, SUSPECTS_SHOWN = 4 };

typedef struct {
    char name[NAME_BYTES];
    const float *flat;
} part;

/* What every rank has a copy of. */
static size_t list_parts(part list[PARTS], const ddpm_audit *audit)
{
    const ddpm_state *state = audit->state;
    size_t count = 0;
    list[count++] = (part){ "weights", state->weights };
    if (audit->sharded) return count;
    list[count++] = (part){ "Adam's m", state->m };
    list[count++] = (part){ "Adam's v", state->v };
    for (size_t e = 0; e < state->ema_count; e++, count++) {
        snprintf(list[count].name, NAME_BYTES, "average %g", state->ema_decay[e]);
        list[count].flat = state->ema[e];
    }
    return count;
}

/* The first of `count` hashes that is not the same on all ranks, or `count`: where it is, the
 * largest and the largest complement complement each other. */
static ddpm_status first_difference(size_t *first, ddpm_comm *comm, const uint64_t *hash,
                                    size_t count)
{
    uint64_t *both = calloc(2 * count + 1, sizeof *both);
    ddpm_status status = both ? DDPM_OK : ddpm_fail(DDPM_EOS, "no memory for hashes");
    *first = count;
    status = ddpm_comm_agree(comm, status);
    if (status != DDPM_OK || !both) goto done;
    for (size_t i = 0; i < count; i++) {
        both[i] = hash[i];
        both[count + i] = ~hash[i];
    }
    status = ddpm_comm_max_u64(comm, both, 2 * count);
    for (size_t i = count; i-- > 0;)
        if (both[i] != ~both[count + i]) *first = i;
done:
    free(both);
    return status;
}

static size_t count_equal(const uint64_t *hash, size_t count, uint64_t value)
{
    size_t equal = 0;
    for (size_t i = 0; i < count; i++) equal += hash[i] == value;
    return equal;
}

const char *ddpm_train__audit_suspects(char *text, size_t size, const uint64_t *hash,
                                       const char *host, size_t host_bytes, size_t count)
{
    size_t trusted = count, used = 0, suspects = 0;
    for (size_t i = 0; i < count && trusted == count; i++)
        if (2 * count_equal(hash, count, hash[i]) > count) trusted = i;
    text[0] = 0;
    for (size_t i = 0; i < count; i++) {
        if (trusted < count && hash[i] == hash[trusted]) continue;
        if (suspects++ >= SUSPECTS_SHOWN) continue;
        const int length = snprintf(text + used, size - used, "%srank %zu (%s)",
                                    suspects > 1 ? ", " : "", i, host + i * host_bytes);
        used += length > 0 && (size_t)length < size - used ? (size_t)length : 0;
    }
    if (suspects > SUSPECTS_SHOWN)
        snprintf(text + used, size - used, " and %zu more", suspects - SUSPECTS_SHOWN);
    return text;
}

/* On rank 0 the text of who differs; "" elsewhere. */
static ddpm_status find_suspects(char *text, size_t size, ddpm_comm *comm, uint64_t hash)
{
    const size_t ranks = (size_t)ddpm_comm_size(comm);
    char mine[HOST_BYTES];
    snprintf(mine, sizeof mine, "%s", ddpm_comm_host(comm));
    uint64_t *hashes = calloc(ranks, sizeof *hashes);
    char *hosts = calloc(ranks, HOST_BYTES);
    size_t *bytes = calloc(ranks, sizeof *bytes);
    ddpm_status status = hashes && hosts && bytes ? DDPM_OK
                                                  : ddpm_fail(DDPM_EOS, "no memory for hashes");
    status = ddpm_comm_agree(comm, status);
    if (status == DDPM_OK) status = ddpm_comm_gather(comm, hashes, &hash, sizeof hash, bytes);
    if (status == DDPM_OK) status = ddpm_comm_gather(comm, hosts, mine, sizeof mine, bytes);
    text[0] = 0;
    if (status == DDPM_OK && hashes && hosts && ddpm_comm_rank(comm) == 0)
        ddpm_train__audit_suspects(text, size, hashes, hosts, HOST_BYTES, ranks);
    free(hashes);
    free(hosts);
    free(bytes);
    return status;
}

static uint64_t hash_tensor(const float *flat, const ddpm_param *param)
{
    return ddpm_xxh64_of(flat + param->offset, param->count * sizeof *flat);
}

/* Which tensor of a part, and on rank 0 whose. */
static ddpm_status find_tensor(size_t *tensor, char *suspects, size_t size, ddpm_comm *comm,
                               const ddpm_params *params, const float *flat)
{
    *tensor = params->count;
    uint64_t *hash = calloc(params->count + 1, sizeof *hash);
    ddpm_status status = hash ? DDPM_OK : ddpm_fail(DDPM_EOS, "no memory for hashes");
    status = ddpm_comm_agree(comm, status);
    if (status != DDPM_OK || !hash) goto done;
    for (size_t i = 0; i < params->count; i++) hash[i] = hash_tensor(flat, &params->param[i]);
    status = first_difference(tensor, comm, hash, params->count);
    if (status == DDPM_OK && *tensor < params->count)
        status = find_suspects(suspects, size, comm, hash[*tensor]);
done:
    free(hash);
    return status;
}

static ddpm_status name_tensor(ddpm_comm *comm, const ddpm_audit *audit, const part *in)
{
    size_t tensor;
    char suspects[512] = "";
    DDPM_TRY(find_tensor(&tensor, suspects, sizeof suspects, comm, audit->params, in->flat));
    if (tensor == audit->params->count)
        return ddpm_fail(DDPM_EINTERNAL, "the %s changed while they were compared", in->name);
    DDPM_TRY(ddpm_comm_broadcast(comm, suspects, sizeof suspects, 0));
    return ddpm_fail(DDPM_EINTERNAL,
                     "after step %" PRIu64 " the ranks no longer hold the same %s: tensor %s "
                     "differs on %s; suspect memory or processor there; nothing was saved since "
                     "the ranks last agreed, and the same command goes on from the last checkpoint",
                     audit->step, in->name, audit->params->param[tensor].name, suspects);
}

ddpm_status ddpm_train__audit(ddpm_comm *comm, const ddpm_audit *audit)
{
    if (ddpm_comm_size(comm) == 1) return DDPM_OK;
    part list[PARTS];
    uint64_t hash[PARTS];
    char text[DDPM_XXH128_HEX];
    const size_t count = list_parts(list, audit);
    for (size_t i = 0; i < count; i++) {
        ddpm_flat_hash(text, list[i].flat, audit->params);
        hash[i] = ddpm_xxh64_of(text, sizeof text);
    }
    size_t first;
    DDPM_TRY(first_difference(&first, comm, hash, count));
    return first == count ? DDPM_OK : name_tensor(comm, audit, &list[first]);
}
