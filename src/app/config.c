/* ddpm-dist config: the configuration as the program understands it. */
#include "app.h"

#include "ddpm/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    ddpm_app_options common;
    bool explain;
} arguments;

static const struct argp_option options[] = {
    { "explain", 'e', NULL, 0, "Every key with its value, where it was set, and its meaning", 0 },
    { 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    (void)argument;
    arguments *args = state->input;
    if (key != 'e') return ARGP_ERR_UNKNOWN;
    args->explain = true;
    return 0;
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc =
        "Prints the whole configuration that FILE, --set and the defaults come to, as an INI file.",
};

static ddpm_status explain(const ddpm_config *config)
{
    char section[DDPM_CONFIG_WORD] = "", value[DDPM_CONFIG_PATH];
    char origin[DDPM_CONFIG_PATH + 32];
    for (size_t i = 0; i < ddpm_config_key_count; i++) {
        const ddpm_config_key *key = &ddpm_config_keys[i];
        const int length = (int)strcspn(key->name, ".");
        if (strncmp(section, key->name, (size_t)length) != 0 || section[length]) {
            printf("%s[%.*s]\n", i ? "\n" : "", length, key->name);
            snprintf(section, sizeof section, "%.*s", length, key->name);
        }
        ddpm_config_value(config, i, value, sizeof value);
        ddpm_config_origin(config, i, origin, sizeof origin);
        printf("%s = %s\n    %s", key->name + length + 1, value, key->help);
        if (key->choices) printf("; one of: %s", key->choices);
        printf("\n    %s; default %s%s\n", origin, *key->standard ? key->standard : "empty",
               key->fixed ? "; stays the same for the whole run" : "");
    }
    return DDPM_OK;
}

static ddpm_status print(const ddpm_config *config)
{
    char *text = ddpm_config_text(config);
    if (!text) return ddpm_fail(DDPM_EOS, "no memory for the configuration");
    fputs(text, stdout);
    free(text);
    return DDPM_OK;
}

int ddpm_app__config(int argc, char **argv)
{
    arguments args = { .explain = false };
    ddpm_command_parse(&argp, &ddpm_app__config_argp, argc, argv, &args);
    ddpm_command_hold();
    static ddpm_config config;
    ddpm_status status = ddpm_app__load(&config, &args.common, false);
    ddpm_app__options_free(&args.common);
    if (status == DDPM_OK) ddpm_app__warn_idle(&config);
    if (status == DDPM_OK) status = args.explain ? explain(&config) : print(&config);
    return ddpm_app__conclude_alone(status);
}
