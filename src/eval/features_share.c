/* Features of one reader on all ranks. */
#include "ddpm/dist/share.h"
#include "ddpm/eval/features.h"

#include <stdlib.h>
#include <string.h>

/* What a rank knows before the features themselves. */
typedef struct {
    char protocol[DDPM_PROTOCOL_NAME], hash[sizeof((ddpm_features *)0)->hash];
    uint64_t n, d, has_features;
} summary;

ddpm_status ddpm_features_share(ddpm_features *features, ddpm_comm *comm)
{
    const bool first = ddpm_share_rank(comm) == 0;
    summary of = { .n = features->n, .d = features->d, .has_features = features->features != NULL };
    if (ddpm_share_ranks(comm) == 1) return DDPM_OK;
    memcpy(of.protocol, features->protocol, sizeof of.protocol);
    memcpy(of.hash, features->hash, sizeof of.hash);
    DDPM_TRY(ddpm_comm_broadcast(comm, &of, sizeof of, 0));
    const size_t bytes = (size_t)of.n * (size_t)of.d * sizeof *features->features;
    ddpm_status status = DDPM_OK;
    if (!first) {
        *features = (ddpm_features){ .n = (size_t)of.n, .d = (size_t)of.d };
        memcpy(features->protocol, of.protocol, sizeof of.protocol);
        memcpy(features->hash, of.hash, sizeof of.hash);
        if (of.has_features) features->features = malloc(bytes);
        if (of.has_features && !features->features)
            status = ddpm_fail(DDPM_EOS, "out of memory for %zu features of %zu dimensions",
                               features->n, features->d);
    }
    status = ddpm_share_agree(status, comm);
    if (status != DDPM_OK || !of.has_features) return status;
    return ddpm_comm_broadcast(comm, features->features, bytes, 0);
}

/* Those of a file: rank 0 has them. */
static ddpm_status copy_stats(ddpm_feature_stats *out, const ddpm_feature_stats *from)
{
    const size_t mean = from->d * sizeof(double), covariance = from->d * mean;
    *out = (ddpm_feature_stats){ .d = from->d, .n = from->n };
    if (!from->mean) return DDPM_OK;
    out->mean = malloc(mean);
    out->covariance = malloc(covariance);
    if (!out->mean || !out->covariance) {
        ddpm_feature_stats_free(out);
        return ddpm_fail(DDPM_EOS, "out of memory for a covariance of %zu dimensions", from->d);
    }
    memcpy(out->mean, from->mean, mean);
    memcpy(out->covariance, from->covariance, covariance);
    return DDPM_OK;
}

ddpm_status ddpm_features_stats(ddpm_feature_stats *out, const ddpm_features *features,
                                ddpm_comm *comm)
{
    if (features->features)
        return ddpm_feature_stats_of(out, features->features, features->n, features->d, comm);
    return ddpm_share_agree(copy_stats(out, &features->stats), comm);
}
