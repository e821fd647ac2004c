#include "checkpoint_table.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    ddpm_h5 *file;
    ddpm_params *params;
    size_t capacity;
} reading;

static ddpm_status read_layout(ddpm_param *param, ddpm_h5 *file, const char *path)
{
    static const struct {
        ddpm_layout layout;
        size_t rank;
    } layouts[] = { { DDPM_LAYOUT_VECTOR, 1 }, { DDPM_LAYOUT_IO, 2 }, { DDPM_LAYOUT_HWIO, 4 } };

    char *text = NULL;
    DDPM_TRY(ddpm_h5_attribute_text(file, path, "layout", &text));
    size_t i = 0;
    const size_t count = sizeof layouts / sizeof *layouts;
    while (i < count && strcmp(text, ddpm_layout_name(layouts[i].layout)) != 0) i++;
    ddpm_status status = DDPM_OK;
    if (i == count)
        status = ddpm_fail(DDPM_EDATA, "%s: %s has the layout \"%.32s\", which is not known",
                           ddpm_h5_name(file), path, text);
    else if (layouts[i].rank != param->rank)
        status = ddpm_fail(DDPM_EDATA, "%s: %s has %zu dimensions, and its layout %s has %zu",
                           ddpm_h5_name(file), path, param->rank, text, layouts[i].rank);
    else
        param->layout = layouts[i].layout;
    free(text);
    return status;
}

static ddpm_status grow(reading *into)
{
    if (into->params->count < into->capacity) return DDPM_OK;
    const size_t capacity = into->capacity ? 2 * into->capacity : 64;
    ddpm_param *grown = realloc(into->params->param, capacity * sizeof *grown);
    if (!grown) return ddpm_fail(DDPM_EOS, "out of memory for a table of %zu tensors", capacity);
    into->params->param = grown;
    into->capacity = capacity;
    return DDPM_OK;
}

static ddpm_status read_tensor(const char *path, const ddpm_h5_info *info, void *context)
{
    reading *into = context;
    const char *file = ddpm_h5_name(into->file);
    ddpm_param param = { .rank = info->rank, .count = info->count, .init = DDPM_INIT_ZERO };
    if (!ddpm_train__tensor_name(param.name, sizeof param.name, "/model", path))
        return ddpm_fail(DDPM_EDATA, "%s: %s is not a name of a tensor", file, path);
    const size_t most = sizeof param.shape / sizeof *param.shape;
    if (info->type != DDPM_H5_F32 || info->rank == 0 || info->rank > most || info->count == 0)
        return ddpm_fail(DDPM_EDATA, "%s: %s is not a float32 tensor of 1 to %zu dimensions", file,
                         path, most);
    memcpy(param.shape, info->size, info->rank * sizeof *param.shape);
    DDPM_TRY(read_layout(&param, into->file, path));

    uint64_t offset, is_conv1x1;
    DDPM_TRY(ddpm_h5_attribute(into->file, path, "offset", DDPM_H5_U64, &offset, 1));
    DDPM_TRY(ddpm_h5_attribute(into->file, path, "conv1x1", DDPM_H5_U64, &is_conv1x1, 1));
    param.offset = offset;
    param.is_conv1x1 = is_conv1x1 != 0;

    DDPM_TRY(grow(into));
    into->params->param[into->params->count++] = param;
    return DDPM_OK;
}

static int by_offset(const void *a, const void *b)
{
    const ddpm_param *p = a, *q = b;
    return (p->offset > q->offset) - (p->offset < q->offset);
}

static ddpm_status check_total(ddpm_h5 *file, const char *name, size_t found)
{
    uint64_t claimed;
    DDPM_TRY(ddpm_h5_attribute(file, "/", name, DDPM_H5_U64, &claimed, 1));
    if (claimed == found) return DDPM_OK;
    return ddpm_fail(DDPM_EDATA, "%s: says %s = %llu, and has %zu", ddpm_h5_name(file), name,
                     (unsigned long long)claimed, found);
}

/* The padding between tensors: generous, yet too little for an absurd allocation. */
enum { MOST_PADDING = 1024 };

static ddpm_status check_table(ddpm_params *params, ddpm_h5 *file)
{
    size_t end = 0;
    params->parameters = 0;
    for (size_t i = 0; i < params->count; i++) {
        const ddpm_param *param = &params->param[i];
        if (param->offset < end || param->offset - end > MOST_PADDING)
            return ddpm_fail(DDPM_EDATA, "%s: tensor %s is at offset %zu, and %s ends at %zu",
                             ddpm_h5_name(file), param->name, param->offset,
                             i ? params->param[i - 1].name : "the beginning", end);
        end = param->offset + param->count;
        params->parameters += param->count;
    }
    DDPM_TRY(check_total(file, "tensors", params->count));
    DDPM_TRY(check_total(file, "parameters", params->parameters));
    uint64_t total;
    DDPM_TRY(ddpm_h5_attribute(file, "/", "flat_length", DDPM_H5_U64, &total, 1));
    if (total < end || total - end > MOST_PADDING)
        return ddpm_fail(DDPM_EDATA, "%s: says flat_length = %llu, and its tensors end at %zu",
                         ddpm_h5_name(file), (unsigned long long)total, end);
    params->total = total;
    return DDPM_OK;
}

ddpm_status ddpm_train__table_read(ddpm_params *params, ddpm_h5 *file)
{
    *params = (ddpm_params){ 0 };
    reading into = { file, params, 0 };
    ddpm_status status = ddpm_h5_each(file, "/model", read_tensor, &into);
    if (status == DDPM_OK && params->count == 0)
        status = ddpm_fail(DDPM_EDATA, "%s: /model is empty", ddpm_h5_name(file));
    if (status == DDPM_OK) {
        qsort(params->param, params->count, sizeof *params->param, by_offset);
        status = check_table(params, file);
    }
    if (status != DDPM_OK) {
        free(params->param);
        *params = (ddpm_params){ 0 };
    }
    return status;
}
