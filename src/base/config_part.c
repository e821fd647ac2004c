/* Keys that a diffusion or its noise schedule does not look at. They stay in the configuration,
 * where runs have them already, and a value that differs from the default is worth a warning. */
#include "ddpm/base/config.h"

#include <string.h>

typedef struct {
    const char *key;
    const char *schedules[6]; /* that look at it; none named: all of them */
} part;

/* A flow looks at none of these. */
static const part of_diffusion[] = {
    { "diffusion.schedule", { NULL } },
    { "diffusion.beta_start", { "linear", "quad", "warmup10", "warmup50", NULL } },
    { "diffusion.beta_end", { "linear", "quad", "const", "warmup10", "warmup50", NULL } },
    { "objective.variance", { NULL } },
};

bool ddpm_config_has_part(const ddpm_config *config, const char *name)
{
    const part *of = NULL;
    for (size_t i = 0; i < sizeof of_diffusion / sizeof *of_diffusion; i++)
        if (strcmp(of_diffusion[i].key, name) == 0) of = &of_diffusion[i];
    if (!of) return true;
    if (strcmp(config->diffusion.process, "flow") == 0) return false;
    if (!of->schedules[0]) return true;
    for (size_t i = 0; of->schedules[i]; i++)
        if (strcmp(of->schedules[i], config->diffusion.schedule) == 0) return true;
    return false;
}
