#include "ddpm/base/text.h"
#include "ddpm/train/model.h"
#include "inspect.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    char model[DDPM_XXH128_HEX], ema[DDPM_XXH128_HEX], optimizer[DDPM_XXH128_HEX];
    char rate[DDPM_EMA_MOST][DDPM_XXH128_HEX];
} hashes;

/* One hash of several: that of their texts, one after the other. */
static void combine(char hash[DDPM_XXH128_HEX], char (*of)[DDPM_XXH128_HEX], size_t count)
{
    enum { DIGITS = DDPM_XXH128_HEX - 1 };
    char text[DDPM_EMA_MOST * DIGITS];
    for (size_t i = 0; i < count; i++) memcpy(text + i * DIGITS, of[i], DIGITS);
    ddpm_xxh128_hex(hash, text, count * DIGITS);
}

static ddpm_status compute_hashes(hashes *out, ddpm_checkpoint *checkpoint)
{
    char moments[2][DDPM_XXH128_HEX];
    const size_t rates = ddpm_checkpoint_ema_count(checkpoint);
    DDPM_TRY(ddpm_checkpoint_hash(checkpoint, DDPM_PART_MODEL, 0, out->model));
    for (size_t i = 0; i < rates; i++)
        DDPM_TRY(ddpm_checkpoint_hash(checkpoint, DDPM_PART_EMA, i, out->rate[i]));
    DDPM_TRY(ddpm_checkpoint_hash(checkpoint, DDPM_PART_M, 0, moments[0]));
    DDPM_TRY(ddpm_checkpoint_hash(checkpoint, DDPM_PART_V, 0, moments[1]));
    combine(out->ema, out->rate, rates);
    combine(out->optimizer, moments, 2);
    return DDPM_OK;
}

static double epoch_of(const ddpm_progress *progress)
{
    if (progress->dataset_images == 0) return (double)NAN;
    return (double)progress->images_seen / (double)progress->dataset_images;
}

/* null before the first evaluation. */
static json_t *describe_best(const ddpm_best *best)
{
    if (best->step == 0) return json_null();
    return json_pack("{s:I, s:o, s:s}", "step", (json_int_t)best->step, "value",
                     inspect_json_real(best->value), "by", best->by);
}

static json_t *describe(const char *path, const ddpm_checkpoint *checkpoint, const hashes *hash)
{
    const ddpm_progress *progress = ddpm_checkpoint_progress(checkpoint);
    const ddpm_params *params = ddpm_checkpoint_params(checkpoint);
    json_t *rates = json_array(), *by_rate = json_object();
    for (size_t i = 0; i < ddpm_checkpoint_ema_count(checkpoint); i++) {
        char text[32];
        const double rate = ddpm_checkpoint_ema_decay(checkpoint, i);
        json_array_append_new(rates, json_real(rate));
        json_object_set_new(by_rate, ddpm_text_real(text, rate), json_string(hash->rate[i]));
    }
    return json_pack(
        "{s:s, s:b, s:s, s:s, s:I, s:I, s:o, s:o, s:I, s:o, s:I, s:I, s:s, s:s, s:s, s:i, s:i,"
        " s:{s:s, s:s, s:I}, s:o, s:{s:s, s:s, s:s, s:o}, s:o, s:o}",
        "path", path, "valid", 1, "sha256", ddpm_checkpoint_digest(checkpoint), "program",
        ddpm_checkpoint_program(checkpoint), "step", (json_int_t)progress->step, "images_seen",
        (json_int_t)progress->images_seen, "epoch", inspect_json_real(epoch_of(progress)), "loss",
        inspect_json_real(progress->loss), "skipped_steps", (json_int_t)progress->skipped_steps,
        "train_seconds", inspect_json_real(progress->train_seconds), "parameters",
        (json_int_t)params->parameters, "tensors", (json_int_t)params->count, "run_id",
        progress->run_id, "created", progress->created, "host", progress->host, "ranks",
        progress->ranks, "threads", progress->threads, "dataset", "name", progress->dataset_name,
        "hash", progress->dataset_hash, "images", (json_int_t)progress->dataset_images, "ema_rates",
        rates, "hashes", "model", hash->model, "ema", hash->ema, "optimizer", hash->optimizer,
        "ema_by_rate", by_rate, "config", inspect_json_config(ddpm_checkpoint_config(checkpoint)),
        "best", describe_best(&progress->best));
}

DDPM_PRINTF(2, 3) static void line(const char *label, const char *format, ...)
{
    printf("  %-13s", label);
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

/* The value of a key, as a configuration file would have it. */
typedef struct {
    char text[DDPM_CONFIG_PATH];
} value;

static value value_of(const ddpm_config *config, const char *name)
{
    value of = { "" };
    for (size_t i = 0; i < ddpm_config_key_count; i++)
        if (strcmp(ddpm_config_keys[i].name, name) == 0)
            ddpm_config_value(config, i, of.text, sizeof of.text);
    return of;
}
#define VALUE(name) (value_of(config, (name)).text)

static void print_progress(const ddpm_checkpoint *checkpoint)
{
    const ddpm_progress *progress = ddpm_checkpoint_progress(checkpoint);
    const ddpm_config *config = ddpm_checkpoint_config(checkpoint);
    char step[32], steps[32], images[32], time[32];
    line("step", "%s of %s", ddpm_text_count(step, progress->step),
         ddpm_text_count(steps, (uint64_t)config->train.steps));
    if (progress->dataset_images > 0)
        line("images seen", "%s, %.2f epochs", ddpm_text_count(images, progress->images_seen),
             epoch_of(progress));
    else
        line("images seen", "%s", ddpm_text_count(images, progress->images_seen));
    if (isfinite(progress->loss))
        line("loss", "%.5f", progress->loss);
    else
        line("loss", "not yet known");
    if (progress->skipped_steps > 0)
        line("skipped", "%" PRIu64 " steps with non-finite gradients", progress->skipped_steps);
    if (progress->best.step > 0)
        line("best so far", "step %s: %.5f, %s", ddpm_text_count(step, progress->best.step),
             progress->best.value, progress->best.by);
    line("trained for", "%s, last on %d rank%s of %d thread%s (%s)",
         ddpm_text_seconds(time, progress->train_seconds), progress->ranks,
         progress->ranks == 1 ? "" : "s", progress->threads, progress->threads == 1 ? "" : "s",
         progress->host);
    line("run", "%s, saved %s by %s", progress->run_id, progress->created,
         ddpm_checkpoint_program(checkpoint));
}

static void print_configuration(const ddpm_checkpoint *checkpoint)
{
    const ddpm_params *params = ddpm_checkpoint_params(checkpoint);
    const ddpm_config *config = ddpm_checkpoint_config(checkpoint);
    char parameters[32], tensors[32], objective[256];
    line("parameters", "%s in %s tensors", ddpm_text_count(parameters, params->parameters),
         ddpm_text_count(tensors, params->count));
    line("network", "%s x %s x %s images; %s channels x (%s), %s block%s a level",
         VALUE("model.image_size"),
         config->model.image_width ? VALUE("model.image_width") : VALUE("model.image_size"),
         VALUE("model.image_channels"), VALUE("model.channels"), VALUE("model.channel_mult"),
         VALUE("model.blocks"), config->model.blocks == 1 ? "" : "s");
    line("", "attention at %s, %s groups, dropout %s",
         config->model.attention.count ? VALUE("model.attention") : "the middle only",
         VALUE("model.groups"), VALUE("model.dropout"));
    if (strcmp(config->diffusion.process, "flow") == 0)
        line("diffusion", "none: a rectified flow");
    else
        line("diffusion", "%s steps, %s, beta %s to %s", VALUE("diffusion.steps"),
             VALUE("diffusion.schedule"), VALUE("diffusion.beta_start"),
             VALUE("diffusion.beta_end"));
    line("objective", "%s", ddpm_model_objective_text(objective, sizeof objective, config));
    line("training", "batch %s in micro-batches of %s, lr %s after %s steps, clip %s, seed %s",
         VALUE("train.batch"), VALUE("train.micro_batch"), VALUE("train.lr"), VALUE("train.warmup"),
         VALUE("train.clip"), VALUE("train.seed"));
    line("EMA", "%s", VALUE("ema.rates"));
}

static void print_data(const ddpm_progress *progress, const ddpm_config *config)
{
    char images[32];
    line("data", "%s, %s images%s", progress->dataset_name[0] ? progress->dataset_name : "unnamed",
         ddpm_text_count(images, progress->dataset_images),
         config->data.flip ? ", mirrored at random" : "");
    if (progress->dataset_hash[0]) line("", "%s", progress->dataset_hash);
}

static void print_integrity(const char *path, const ddpm_checkpoint *checkpoint, const hashes *hash)
{
    struct stat info;
    char bytes[32], rate[32], label[48];
    line("integrity", "intact, %s",
         stat(path, &info) == 0 ? ddpm_text_bytes(bytes, (uint64_t)info.st_size)
                                : "of unknown size");
    line("", "sha256:%s", ddpm_checkpoint_digest(checkpoint));
    line("hashes", "%-13s %s", "model", hash->model);
    const size_t rates = ddpm_checkpoint_ema_count(checkpoint);
    for (size_t i = 0; i < rates; i++) {
        snprintf(label, sizeof label, "ema/%s",
                 ddpm_text_real(rate, ddpm_checkpoint_ema_decay(checkpoint, i)));
        line("", "%-13s %s", label, hash->rate[i]);
    }
    line("", "%-13s %s", "optimizer", hash->optimizer);
}

int inspect_summary(const inspect_options *options)
{
    char path[INSPECT_PATH];
    ddpm_checkpoint *checkpoint = NULL;
    hashes hash;
    int code = DDPM_OK;
    ddpm_status status = inspect_open(&checkpoint, path, options->paths[0]);
    if (status == DDPM_OK) status = compute_hashes(&hash, checkpoint);
    if (status != DDPM_OK) {
        code = inspect_failed(options, status);
    } else if (options->json) {
        code = inspect_print_json(describe(path, checkpoint, &hash));
    } else {
        puts(path);
        print_progress(checkpoint);
        print_configuration(checkpoint);
        print_data(ddpm_checkpoint_progress(checkpoint), ddpm_checkpoint_config(checkpoint));
        print_integrity(path, checkpoint, &hash);
    }
    ddpm_checkpoint_close(checkpoint);
    return code;
}
