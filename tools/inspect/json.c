#include "ddpm/base/log.h"
#include "inspect.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

int inspect_print_json(json_t *object)
{
    /* 15 digits give 0.0002 for 0.0002, and every decimal text of a configuration back. */
    const size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(15);
    const bool printed = object && json_dumpf(object, stdout, flags) == 0 && putchar('\n') != EOF &&
                         fflush(stdout) == 0;
    json_decref(object);
    if (printed) return DDPM_OK;
    return ddpm_log_failure(
        ddpm_fail(DDPM_EIO, "cannot write JSON to standard output: %s", strerror(errno)));
}

json_t *inspect_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *value_of(const ddpm_config *config, const ddpm_config_key *key)
{
    const void *at = (const char *)config + key->offset;
    json_t *list = NULL;
    switch (key->type) {
    case DDPM_KEY_INT: return json_integer(*(const int64_t *)at);
    case DDPM_KEY_REAL:
    case DDPM_KEY_DURATION: return inspect_json_real(*(const double *)at);
    case DDPM_KEY_BOOL: return json_boolean(*(const bool *)at);
    case DDPM_KEY_TEXT:
    case DDPM_KEY_CHOICE: return json_string(at);
    case DDPM_KEY_INT_LIST: {
        const ddpm_int_list *ints = at;
        list = json_array();
        for (size_t i = 0; i < ints->count; i++)
            json_array_append_new(list, json_integer(ints->at[i]));
        break;
    }
    case DDPM_KEY_REAL_LIST: {
        const ddpm_real_list *reals = at;
        list = json_array();
        for (size_t i = 0; i < reals->count; i++)
            json_array_append_new(list, inspect_json_real(reals->at[i]));
        break;
    }
    }
    return list;
}

json_t *inspect_json_config(const ddpm_config *config)
{
    json_t *sections = json_object();
    for (size_t i = 0; i < ddpm_config_key_count; i++) {
        const char *name = ddpm_config_keys[i].name, *dot = strchr(name, '.');
        char section[64];
        snprintf(section, sizeof section, "%.*s", (int)(dot - name), name);
        json_t *keys = json_object_get(sections, section);
        if (!keys) {
            keys = json_object();
            json_object_set_new(sections, section, keys);
        }
        json_object_set_new(keys, dot + 1, value_of(config, &ddpm_config_keys[i]));
    }
    return sections;
}

json_t *inspect_json_shape(const ddpm_param *param)
{
    json_t *shape = json_array();
    for (size_t i = 0; i < param->rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)param->shape[i]));
    return shape;
}
