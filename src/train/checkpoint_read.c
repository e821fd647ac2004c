#include "checkpoint_format.h"
#include "ddpm/base/memory.h"

#include <stdio.h>
#include <string.h>

static ddpm_h5 *part_of(char group[DDPM_CHECKPOINT_GROUP], ddpm_checkpoint *checkpoint,
                        ddpm_checkpoint_part part, size_t ema_index)
{
    const bool is_ema = part == DDPM_PART_EMA;
    ddpm_train__part_group(group, part,
                           is_ema ? ddpm_checkpoint_ema_decay(checkpoint, ema_index) : 0.0);
    return ddpm_train__checkpoint_file(checkpoint);
}

static const char *shape_text(char *text, size_t size, size_t rank, const size_t *shape)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%zu", i ? "," : "", shape[i]);
    return text;
}

static ddpm_status read_tensor(ddpm_h5 *file, float *x, const ddpm_param *param, const char *group)
{
    char path[DDPM_CHECKPOINT_PATH], has[128], wants[128];
    ddpm_train__tensor_path(path, group, param->name);
    if (!ddpm_h5_exists(file, path))
        return ddpm_fail(DDPM_EDATA, "%s: tensor %s is missing: it is of another network",
                         ddpm_h5_name(file), path);
    ddpm_h5_info info;
    DDPM_TRY(ddpm_h5_info_of(&info, file, path));
    if (info.type != DDPM_H5_F32 || info.rank != param->rank ||
        memcmp(info.size, param->shape, info.rank * sizeof *info.size) != 0)
        return ddpm_fail(
            DDPM_EDATA, "%s: tensor %s is [%s]%s, and [%s] is wanted: it is of another network",
            ddpm_h5_name(file), path, shape_text(has, sizeof has, info.rank, info.size),
            info.type == DDPM_H5_F32 ? "" : " and not of float32",
            shape_text(wants, sizeof wants, param->rank, param->shape));
    return ddpm_h5_read(file, path, DDPM_H5_F32, x, param->count);
}

/* A dataset of a group that the table has no tensor for. */
typedef struct {
    const ddpm_params *params;
    const char *group, *file;
} expected;

static ddpm_status check_known(const char *path, const ddpm_h5_info *info, void *context)
{
    (void)info;
    const expected *in = context;
    char name[sizeof in->params->param->name];
    if (ddpm_train__tensor_name(name, sizeof name, in->group, path) &&
        ddpm_params_find(in->params, name))
        return DDPM_OK;
    return ddpm_fail(DDPM_EDATA, "%s: tensor %s is not one of the network's: it is of another one",
                     in->file, path);
}

ddpm_status ddpm_checkpoint_read(ddpm_checkpoint *checkpoint, float *flat,
                                 const ddpm_params *params, ddpm_checkpoint_part part,
                                 size_t ema_index)
{
    char group[DDPM_CHECKPOINT_GROUP];
    ddpm_h5 *file = part_of(group, checkpoint, part, ema_index);
    expected in = { params, group, ddpm_h5_name(file) };
    DDPM_TRY(ddpm_h5_each(file, group, check_known, &in));
    memset(flat, 0, params->total * sizeof *flat); /* the padding */
    for (size_t i = 0; i < params->count; i++) {
        const ddpm_param *param = &params->param[i];
        DDPM_TRY(read_tensor(file, flat + param->offset, param, group));
    }
    return DDPM_OK;
}

ddpm_status ddpm_checkpoint_read_importance(ddpm_checkpoint *checkpoint, float *history,
                                            size_t count)
{
    return ddpm_h5_read(ddpm_train__checkpoint_file(checkpoint), DDPM_CHECKPOINT_IMPORTANCE,
                        DDPM_H5_F32, history, count);
}

/* The hash of a part is a chain over its tensors, so that it needs no copy without the padding:
 * h = XXH3-128(h as text, XXH3-128(tensor) as text), beginning with the hash of nothing. */
static void chain_begin(char hash[DDPM_XXH128_HEX])
{
    ddpm_xxh128_hex(hash, "", 0);
}

static void chain_add(char hash[DDPM_XXH128_HEX], const float *x, size_t count)
{
    enum { DIGITS = DDPM_XXH128_HEX - 1 };
    char link[2 * DIGITS + 1];
    memcpy(link, hash, DIGITS);
    ddpm_xxh128_hex(link + DIGITS, x, count * sizeof *x);
    ddpm_xxh128_hex(hash, link, (size_t)2 * DIGITS);
}

void ddpm_flat_hash(char hash[DDPM_XXH128_HEX], const float *flat, const ddpm_params *params)
{
    chain_begin(hash);
    for (size_t i = 0; i < params->count; i++)
        chain_add(hash, flat + params->param[i].offset, params->param[i].count);
}

ddpm_status ddpm_checkpoint_hash(ddpm_checkpoint *checkpoint, ddpm_checkpoint_part part,
                                 size_t ema_index, char hash[DDPM_XXH128_HEX])
{
    char group[DDPM_CHECKPOINT_GROUP];
    ddpm_h5 *file = part_of(group, checkpoint, part, ema_index);
    const ddpm_params *params = ddpm_checkpoint_params(checkpoint);
    size_t largest = 0;
    for (size_t i = 0; i < params->count; i++)
        if (params->param[i].count > largest) largest = params->param[i].count;

    float *x = NULL;
    DDPM_TRY(ddpm_memory_alloc(&x, largest, sizeof *x, DDPM_MEMORY_CHECKPOINT));
    ddpm_status status = DDPM_OK;
    chain_begin(hash);
    for (size_t i = 0; i < params->count && status == DDPM_OK; i++) {
        status = read_tensor(file, x, &params->param[i], group);
        if (status == DDPM_OK) chain_add(hash, x, params->param[i].count);
    }
    ddpm_memory_free(x);
    return status;
}
