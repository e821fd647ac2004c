/** @file bpd_units.h  What calls of the network add up to, one after the other in this process. */
#ifndef BPD_UNITS_H
#define BPD_UNITS_H
#include "ddpm/diffusion/held_out.h"

#include <assert.h>

/** values [ddpm_bpd_unit_values]: segment `segment` of images first .. first + count - 1. */
static inline void bpd_unit(double *values, float *scratch, const float *x0, uint64_t first,
                            size_t count, size_t segment, const ddpm_bpd_options *options)
{
    double call[16 * 8];
    assert(ddpm_bpd_call_values(options) <= sizeof call / sizeof *call);
    for (size_t k = 0; k < options->strata_count; k++) {
        if (ddpm_bpd_segment(k, options) != segment) continue;
        ddpm_bpd_call(call, scratch, x0, first, k, options);
        ddpm_bpd_add(values, call, first, count, k, options);
    }
}

/** sums [DDPM_QUARTILES] */
static inline void held_out_unit(double *sums, float *scratch, const float *x0, uint64_t first,
                                 size_t count, const ddpm_held_out_options *options)
{
    for (size_t q = 0; q < DDPM_QUARTILES; q++)
        sums[q] = ddpm_held_out_call(scratch, x0, first, count, q, options);
}
#endif
