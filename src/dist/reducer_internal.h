/* A reducer with pieces of a chosen size, so that tests see many of them. */
#ifndef DDPM_DIST_REDUCER_INTERNAL_H
#define DDPM_DIST_REDUCER_INTERNAL_H
#include "ddpm/dist/reducer.h"

DDPM_NODISCARD ddpm_status ddpm_dist__reducer_create(ddpm_reducer **out, ddpm_comm *comm,
                                                     size_t floats, size_t leaves,
                                                     size_t piece_floats);
#endif
