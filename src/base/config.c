#include "ddpm/base/config.h"

#include "config_internal.h"
#include "ddpm/base/text.h"

#include <stdlib.h>
#include <string.h>

void ddpm_config_init(ddpm_config *config)
{
    memset(config, 0, sizeof *config);
    for (size_t i = 0; i < ddpm_config_key_count; i++)
        if (!ddpm_base__parse_value(config, &ddpm_config_keys[i], ddpm_config_keys[i].standard))
            abort();
}

const char *ddpm_config_origin(const ddpm_config *config, size_t index, char *text, size_t size)
{
    switch (config->source[index].kind) {
    case DDPM_SOURCE_FILE:
        snprintf(text, size, "%s:%d", config->file, config->source[index].line);
        break;
    case DDPM_SOURCE_COMMAND_LINE: snprintf(text, size, "command line"); break;
    case DDPM_SOURCE_DEFAULT: snprintf(text, size, "default"); break;
    }
    return text;
}

bool ddpm_config_is_set(const ddpm_config *config, const char *name)
{
    for (size_t i = 0; i < ddpm_config_key_count; i++)
        if (strcmp(ddpm_config_keys[i].name, name) == 0)
            return config->source[i].kind != DDPM_SOURCE_DEFAULT;
    return false;
}

ddpm_config_quoted ddpm_config_quote(const ddpm_config *config, const char *name)
{
    ddpm_config_quoted quoted = { "" };
    char value[256], origin[DDPM_CONFIG_PATH + 16];
    for (size_t i = 0; i < ddpm_config_key_count; i++)
        if (strcmp(ddpm_config_keys[i].name, name) == 0)
            snprintf(quoted.text, sizeof quoted.text, "%s = %s (%s)", name,
                     ddpm_config_value(config, i, value, sizeof value),
                     ddpm_config_origin(config, i, origin, sizeof origin));
    return quoted;
}

static ddpm_status unknown_key(const char *where, const char *name)
{
    const char *names[DDPM_CONFIG_KEYS];
    for (size_t i = 0; i < ddpm_config_key_count; i++) names[i] = ddpm_config_keys[i].name;
    const char *nearest = ddpm_text_nearest(name, names, ddpm_config_key_count);
    if (nearest)
        return ddpm_fail(DDPM_ECONFIG, "%s: unknown key '%s'; did you mean '%s'?", where, name,
                         nearest);
    return ddpm_fail(DDPM_ECONFIG,
                     "%s: unknown key '%s'; `ddpm-dist config --explain` lists the keys", where,
                     name);
}

/* Sets a key by name; `where` begins the message of a failure. */
ddpm_status ddpm_base__config_assign(ddpm_config *config, const char *name, const char *value,
                                     ddpm_config_source source, const char *where)
{
    size_t i = 0;
    while (i < ddpm_config_key_count && strcmp(ddpm_config_keys[i].name, name) != 0) i++;
    if (i == ddpm_config_key_count) return unknown_key(where, name);
    const ddpm_config_key *key = &ddpm_config_keys[i];
    if (source.kind == DDPM_SOURCE_FILE && config->source[i].kind == DDPM_SOURCE_FILE)
        return ddpm_fail(DDPM_ECONFIG, "%s: %s is given twice; line %d has it already", where, name,
                         config->source[i].line);
    if (!ddpm_base__parse_value(config, key, value)) {
        char wanted[256];
        return ddpm_fail(DDPM_ECONFIG, "%s: %s = '%s' must be %s", where, name, value,
                         ddpm_base__describe_key(key, wanted, sizeof wanted));
    }
    config->source[i] = source;
    return DDPM_OK;
}

ddpm_status ddpm_config_set(ddpm_config *config, const char *assignment)
{
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment)
        return ddpm_fail(DDPM_ECONFIG, "--set %s: expected section.key=value", assignment);
    char name[256];
    snprintf(name, sizeof name, "%.*s", (int)(equals - assignment), assignment);
    const ddpm_config_source source = { .kind = DDPM_SOURCE_COMMAND_LINE };
    return ddpm_base__config_assign(config, name, equals + 1, source, "--set");
}

char *ddpm_config_text(const ddpm_config *config)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) return NULL;
    char section[64] = "", value[DDPM_CONFIG_PATH];
    for (size_t i = 0; i < ddpm_config_key_count; i++) {
        const char *name = ddpm_config_keys[i].name, *dot = strchr(name, '.');
        const size_t length = (size_t)(dot - name);
        if (strncmp(section, name, length) != 0 || section[length] != '\0') {
            snprintf(section, sizeof section, "%.*s", (int)length, name);
            fprintf(out, "%s[%s]\n", i ? "\n" : "", section);
        }
        fprintf(out, "%s = %s\n", dot + 1, ddpm_config_value(config, i, value, sizeof value));
    }
    const bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

int ddpm_config_first_difference(const ddpm_config *a, const ddpm_config *b)
{
    char text_a[DDPM_CONFIG_PATH], text_b[DDPM_CONFIG_PATH];
    for (size_t i = 0; i < ddpm_config_key_count; i++) {
        if (!ddpm_config_keys[i].fixed) continue;
        if (strcmp(ddpm_config_value(a, i, text_a, sizeof text_a),
                   ddpm_config_value(b, i, text_b, sizeof text_b)) != 0)
            return (int)i;
    }
    return -1;
}
