/** @file generate_private.h  The generators' entries in the table. */
#ifndef GENERATE_PRIVATE_H
#define GENERATE_PRIVATE_H
#include "ddpm/data/generate.h"

ddpm_status ddpm_data__generate_shapes(const ddpm_generate_options *options);
ddpm_status ddpm_data__generate_gaussian(const ddpm_generate_options *options);
#endif
