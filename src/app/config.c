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
    arguments *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &args->common; return 0;
    case 'e': args->explain = true; return 0;
    case ARGP_KEY_ARG: argp_error(state, "unexpected argument '%s'", argument); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = { { &ddpm_app__config_argp, 0, NULL, 0 }, { 0 } };
static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc =
        "Prints the whole configuration that FILE, --set and the defaults come to, as an INI file.",
    .children = children,
};

static void explain(const ddpm_config *config)
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
}

int ddpm_app__config(int argc, char **argv)
{
    arguments args = { .explain = false };
    if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0) return DDPM_EUSAGE;
    static ddpm_config config;
    const ddpm_status status = ddpm_app__load(&config, &args.common, false);
    ddpm_app__options_free(&args.common);
    if (status != DDPM_OK) return ddpm_log_failure(status);
    ddpm_app__warn_idle(&config);
    if (args.explain) {
        explain(&config);
        return 0;
    }
    char *text = ddpm_config_text(&config);
    if (!text) return ddpm_log_failure(ddpm_fail(DDPM_EOS, "no memory for the configuration"));
    fputs(text, stdout);
    free(text);
    return 0;
}
