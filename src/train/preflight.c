#include "preflight.h"

#include "ddpm/base/hash.h"
#include "ddpm/base/launch.h"
#include "ddpm/base/log.h"
#include "ddpm/base/text.h"
#include "ddpm/kernels/isa.h"
#include "ddpm/train/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the launcher itself tells, ddpm_comm_start has held against the world. Here is what may be
 * meant: alone in a job of many tasks is most likely a forgotten mpirun, and the rest of the job is
 * paid for. On rank 0, since mpirun's daemons see other numbers. */
static ddpm_status check_tasks(const ddpm_comm *comm)
{
    const ddpm_launch launch = ddpm_launch_find();
    const int ranks = ddpm_comm_size(comm);
    if (ddpm_comm_rank(comm) != 0 || launch.slurm_tasks == 0 || launch.slurm_tasks == ranks)
        return DDPM_OK;
    if (!launch.launcher)
        return ddpm_fail(DDPM_ECONFIG,
                         "SLURM gave this job %" PRId64
                         " tasks (SLURM_NTASKS), but the program was "
                         "started by itself, as one rank: start it with srun --mpi=pmix or mpirun; "
                         "where one rank is meant, ask SLURM for one task (--ntasks=1)",
                         launch.slurm_tasks);
    ddpm_log_warning("SLURM gave this job %" PRId64 " tasks (SLURM_NTASKS), and %s started %d "
                     "ranks: %s",
                     launch.slurm_tasks, launch.launcher, ranks,
                     launch.slurm_tasks > ranks
                         ? "some of what was asked for may have nothing to do"
                         : "ranks may share cores");
    return DDPM_OK;
}

ddpm_status ddpm_train__require_same(ddpm_comm *comm, const ddpm_config *config,
                                     const ddpm_dataset_info *data)
{
    char program[DDPM_SHA256_HEX];
    DDPM_TRY(ddpm_comm_agree(comm, check_tasks(comm)));
    ddpm_sha256_program(program);
    char *text = ddpm_config_text(config);
    ddpm_status status = text ? DDPM_OK
                              : ddpm_fail(DDPM_EOS, "no memory for the text of the configuration");
    status = ddpm_comm_agree(comm, status);
    const struct {
        const char *what, *text;
    } same[] = {
        { "the program (its SHA-256)", program },
        { "the configuration", text },
        { "the instruction set of the kernels (DDPM_ISA)",
          ddpm_isa_of_results(strcmp(config->train.precision, "bf16") == 0) },
        { "the BLAS library", ddpm_blas_name() },
        { "the data set (its content hash)", data->content_hash },
    };
    for (size_t i = 0; i < sizeof same / sizeof *same && status == DDPM_OK; i++)
        status = ddpm_comm_require_same(comm, same[i].what, same[i].text);
    free(text);
    return status;
}

static const char *value_of(const ddpm_config *config, const char *name, char *text, size_t size)
{
    for (size_t i = 0; i < ddpm_config_key_count; i++)
        if (strcmp(ddpm_config_keys[i].name, name) == 0)
            return ddpm_config_value(config, i, text, size);
    return "";
}

void ddpm_train__describe(const ddpm_comm *comm, const ddpm_config *config, const ddpm_plan *plan,
                          const ddpm_dataset_info *data, int threads)
{
    char count[32], images[32], bytes[32], limit[32], mult[128], attention[128], objective[256];
    char idle[DDPM_MODEL_IDLE_TEXT];
    const ddpm_unet_config *unet = &plan->unet;
    ddpm_log_info(
        "model    %s parameters, images %zux%zux%zu, channels %zu x %s, attention at %s",
        ddpm_text_count(count, plan->parameters), unet->height, unet->width, unet->in_channels,
        unet->channels, value_of(config, "model.channel_mult", mult, sizeof mult),
        unet->attention_count ? value_of(config, "model.attention", attention, sizeof attention)
                              : "the middle only");
    ddpm_log_info("learns   %s", ddpm_model_objective_text(objective, sizeof objective, config));
    ddpm_log_info("data     %s, %s images%s", *data->name ? data->name : config->data.path,
                  ddpm_text_count(images, data->shape.n), config->data.flip ? ", mirrored" : "");
    ddpm_log_info("batch    %" PRId64 " = %" PRIu64 " micro-batches of %" PRId64 ", up to %" PRIu64
                  " a rank",
                  config->train.batch, plan->micro_batches, config->train.micro_batch,
                  plan->rank_micro_batches);
    ddpm_log_info("ranks    %d on %d node%s x %d thread%s; %s", ddpm_comm_size(comm),
                  ddpm_comm_node_count(comm), ddpm_comm_node_count(comm) == 1 ? "" : "s", threads,
                  threads == 1 ? "" : "s", ddpm_comm_library(comm));
    ddpm_log_info("kernels  %s, %s, %s", ddpm_isa_name(), ddpm_blas_name(),
                  config->train.precision);
    if (unet->bf16 && !ddpm_isa_has_bf16() && ddpm_comm_rank(comm) == 0)
        ddpm_log_warning("train.precision = bf16 is emulated on %s and slower than fp32: only "
                         "processors with AVX512_BF16 gain from it",
                         ddpm_isa_name());
    if (ddpm_comm_rank(comm) == 0 && *ddpm_model_idle_text(idle, sizeof idle, config))
        ddpm_log_warning("%s", idle);
    ddpm_log_info("memory   %s for the rank that takes most, %d on this node, of %s",
                  ddpm_text_bytes(bytes, plan->memory_total_bytes), ddpm_comm_node_size(comm),
                  ddpm_text_bytes(limit, ddpm_memory_limit_bytes()));
}
