/* What the files of the configuration share. */
#ifndef DDPM_BASE_CONFIG_INTERNAL_H
#define DDPM_BASE_CONFIG_INTERNAL_H
#include "ddpm/base/config.h"

/* False, and nothing changed, where the text is no value of the key. */
bool ddpm_base__parse_value(ddpm_config *config, const ddpm_config_key *key, const char *text);
/* "a whole number from 1 to 1024": what the key wants. Returns `text`. */
const char *ddpm_base__describe_key(const ddpm_config_key *key, char *text, size_t size);
/* Sets a key by name; `where` begins the message of a failure (DDPM_ECONFIG). */
DDPM_NODISCARD ddpm_status ddpm_base__config_assign(ddpm_config *config, const char *name,
                                                    const char *value, ddpm_config_source source,
                                                    const char *where);
/* Contradictions within a training objective: part of ddpm_config_check. */
DDPM_NODISCARD ddpm_status ddpm_base__check_objective(const ddpm_config *config);
#endif
