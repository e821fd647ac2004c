#include "checkpoint_format.h"

#include "ddpm/base/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define FIELD_AS(name, member, type, dataset, attribute, optional)                                 \
    {                                                                                              \
        name, offsetof(ddpm_progress, member), sizeof(((ddpm_progress *)0)->member), type,         \
            dataset, attribute, optional                                                           \
    }
#define FIELD(member, type, dataset, attribute)                                                    \
    FIELD_AS(#member, member, type, dataset, attribute, false)

// clang-format off
const ddpm_progress_field ddpm_train__progress_fields[] = {
    FIELD(step,           DDPM_FIELD_U64,  true,  true),
    FIELD(images_seen,    DDPM_FIELD_U64,  true,  false),
    FIELD(skipped_steps,  DDPM_FIELD_U64,  true,  false),
    FIELD(loss,           DDPM_FIELD_F64,  true,  true),
    FIELD(train_seconds,  DDPM_FIELD_F64,  true,  false),
    FIELD(run_id,         DDPM_FIELD_TEXT, false, true),
    FIELD(dataset_hash,   DDPM_FIELD_TEXT, false, true),
    FIELD(dataset_name,   DDPM_FIELD_TEXT, false, true),
    FIELD(dataset_images, DDPM_FIELD_U64,  false, true),
    FIELD(created,        DDPM_FIELD_TEXT, false, true),
    FIELD(host,           DDPM_FIELD_TEXT, false, true),
    FIELD(ranks,          DDPM_FIELD_INT,  false, true),
    FIELD(threads,        DDPM_FIELD_INT,  false, true),
    FIELD_AS("evaluated",  evaluated,  DDPM_FIELD_U64,  false, true, true),
    FIELD_AS("best_step",  best.step,  DDPM_FIELD_U64,  false, true, true),
    FIELD_AS("best_value", best.value, DDPM_FIELD_F64,  false, true, true),
    FIELD_AS("best_by",    best.by,    DDPM_FIELD_TEXT, false, true, true),
};
// clang-format on
const size_t ddpm_train__progress_field_count = sizeof ddpm_train__progress_fields /
                                                sizeof *ddpm_train__progress_fields;

const char *ddpm_train__part_group(char group[DDPM_CHECKPOINT_GROUP], ddpm_checkpoint_part part,
                                   double decay)
{
    char rate[32];
    switch (part) {
    case DDPM_PART_MODEL: snprintf(group, DDPM_CHECKPOINT_GROUP, "/model"); break;
    case DDPM_PART_M: snprintf(group, DDPM_CHECKPOINT_GROUP, "/optimizer/m"); break;
    case DDPM_PART_V: snprintf(group, DDPM_CHECKPOINT_GROUP, "/optimizer/v"); break;
    case DDPM_PART_EMA:
        snprintf(group, DDPM_CHECKPOINT_GROUP, "/ema/%s", ddpm_text_real(rate, decay));
        break;
    }
    return group;
}

const char *ddpm_train__tensor_path(char path[DDPM_CHECKPOINT_PATH], const char *group,
                                    const char *name)
{
    const int length = snprintf(path, DDPM_CHECKPOINT_PATH, "%s/%s", group, name);
    assert(length > 0 && length < DDPM_CHECKPOINT_PATH);
    (void)length;
    for (char *c = path + strlen(group); *c; c++)
        if (*c == '.') *c = '/';
    return path;
}

bool ddpm_train__tensor_name(char *name, size_t size, const char *group, const char *path)
{
    const size_t prefix = strlen(group);
    if (strncmp(path, group, prefix) != 0 || path[prefix] != '/') return false;
    const char *rest = path + prefix + 1;
    const size_t length = strlen(rest);
    if (length == 0 || length >= size || strchr(rest, '.')) return false;
    for (size_t i = 0; i <= length; i++) name[i] = rest[i] == '/' ? '.' : rest[i];
    return true;
}
