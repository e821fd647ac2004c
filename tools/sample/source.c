#include "source.h"

#include "ddpm/base/log.h"
#include "ddpm/base/memory.h"
#include "ddpm/base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static ddpm_status no_such_average(const ddpm_checkpoint *checkpoint, const char *path,
                                   const char *wanted)
{
    char list[256] = "", rate[32];
    for (size_t i = 0; i < ddpm_checkpoint_ema_count(checkpoint); i++) {
        const size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, ", ema:%s",
                 ddpm_text_real(rate, ddpm_checkpoint_ema_decay(checkpoint, i)));
    }
    return ddpm_fail(DDPM_ECONFIG, "--weights %s: %s has raw%s", wanted, path, list);
}

/* An average begins as the first weights, which are noise; some hundredths of these are seen. */
static void warn_of_young_average(const sample_source *source, double decay)
{
    const double first = pow(decay, (double)source->step);
    if (first > 0.02)
        ddpm_log_warning(
            "after %llu steps %s is still %.0f%% the weights that training began with: "
            "--weights raw may be better, or an average with a smaller decay (ema.rates)",
            (unsigned long long)source->step, source->weights, 100.0 * first);
}

static ddpm_status choose(sample_source *source, const ddpm_checkpoint *checkpoint,
                          const char *wanted)
{
    const size_t count = ddpm_checkpoint_ema_count(checkpoint);
    if (!wanted && count == 0) {
        ddpm_log_info("%s has no averaged weights; the raw ones are taken", source->path);
        wanted = "raw";
    }
    if (!wanted) wanted = "ema";
    if (strcmp(wanted, "raw") == 0) {
        source->part = DDPM_PART_MODEL;
        snprintf(source->weights, sizeof source->weights, "raw");
        return DDPM_OK;
    }
    const bool any = strcmp(wanted, "ema") == 0;
    double rate = 0.0;
    if (!any && (strncmp(wanted, "ema:", 4) != 0 || !ddpm_text_double(&rate, wanted + 4, 0.0, 1.0)))
        return ddpm_fail(DDPM_EUSAGE, "--weights %s: ema, ema:RATE or raw is needed", wanted);
    for (size_t i = 0; i < count; i++) {
        const double decay = ddpm_checkpoint_ema_decay(checkpoint, i);
        if (!any && fabs(decay - rate) > 1e-12) continue;
        char text[32];
        source->part = DDPM_PART_EMA;
        source->ema_index = i;
        snprintf(source->weights, sizeof source->weights, "ema:%s", ddpm_text_real(text, decay));
        warn_of_young_average(source, decay);
        return DDPM_OK;
    }
    return no_such_average(checkpoint, source->path, wanted);
}

static ddpm_status open_here(ddpm_checkpoint **out, sample_source *source, const char *argument,
                             bool best, const char *weights)
{
    if (best)
        DDPM_TRY(ddpm_checkpoint_find_best(source->path, sizeof source->path, argument));
    else
        DDPM_TRY(ddpm_checkpoint_find(source->path, sizeof source->path, argument));
    DDPM_TRY(ddpm_checkpoint_open(out, source->path));
    snprintf(source->digest, sizeof source->digest, "%s", ddpm_checkpoint_digest(*out));
    source->step = ddpm_checkpoint_progress(*out)->step;
    source->config = *ddpm_checkpoint_config(*out);
    return choose(source, *out, weights);
}

ddpm_status sample_source_open(ddpm_checkpoint **out, sample_source *source, ddpm_comm *comm,
                               const char *argument, bool best, const char *weights)
{
    ddpm_status status = DDPM_OK;
    memset(source, 0, sizeof *source);
    if (ddpm_comm_rank(comm) == 0) status = open_here(out, source, argument, best, weights);
    status = ddpm_comm_agree(comm, status);
    if (status != DDPM_OK) return status;
    /* A plain struct, and the ranks are one program: its bytes are the message. */
    return ddpm_comm_broadcast(comm, source, sizeof *source, 0);
}

ddpm_status sample_source_weights(float **flat, ddpm_checkpoint *checkpoint,
                                  const sample_source *source, ddpm_comm *comm,
                                  const ddpm_params *params)
{
    ddpm_status status = ddpm_memory_alloc(flat, params->total, sizeof **flat, DDPM_MEMORY_WEIGHTS);
    if (status == DDPM_OK && ddpm_comm_rank(comm) == 0)
        status = ddpm_checkpoint_read(checkpoint, *flat, params, source->part, source->ema_index);
    status = ddpm_comm_agree(comm, status);
    if (status != DDPM_OK) return status;
    return ddpm_comm_broadcast(comm, *flat, params->total * sizeof **flat, 0);
}
