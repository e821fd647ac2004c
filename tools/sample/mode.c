#include "mode.h"

#include "job.h"

static ddpm_status prepare(sample_job *job)
{
    (void)job;
    return DDPM_OK;
}

const sample_mode sample_plain = {
    .name = "plain", .count = 64, .takes = SAMPLE_TAKES_INIT_NOISE, .prepare = prepare
};

const sample_mode *const sample_modes[SAMPLE_MODES + 1] = {
    &sample_progressive, &sample_prefix, &sample_forward, &sample_vary, &sample_interpolate,
    &sample_inpaint,     NULL,
};
