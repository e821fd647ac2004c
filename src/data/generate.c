#include "ddpm/data/generate.h"

#include "generate_private.h"

#include <string.h>

const ddpm_generator ddpm_generators[] = {
    {
        .name = "shapes",
        .help = "circles, rings, triangles, squares, stars and crosses in colour, with labels",
        .channels = 3,
        .run = ddpm_data__generate_shapes,
    },
    {
        .name = "gaussian",
        .help = "normal images of stated mean, deviation and correlation of neighbours, float32",
        .channels = 1,
        .run = ddpm_data__generate_gaussian,
    },
};
const size_t ddpm_generator_count = sizeof ddpm_generators / sizeof *ddpm_generators;

const ddpm_generator *ddpm_generator_find(const char *name)
{
    for (size_t i = 0; i < ddpm_generator_count; i++)
        if (strcmp(ddpm_generators[i].name, name) == 0) return &ddpm_generators[i];
    return NULL;
}
