/* What a benchmark measures, whatever it runs. */
#ifndef DDPM_APP_BENCH_H
#define DDPM_APP_BENCH_H
#include "ddpm/base/config.h"
#include "ddpm/dist/comm.h"
#include "ddpm/nn/unet.h"

enum { DDPM_BENCH_PHASES = 8 };

typedef struct {
    double images_per_second, best_images_per_second; /* over all ranks; of the fastest step */
    double step_seconds;                              /* mean */
    size_t phase_count;
    const char *phase[DDPM_BENCH_PHASES];
    double phase_seconds[DDPM_BENCH_PHASES]; /* means a step, of rank 0 */
    bool communicates; /* the following are means a step, of the rank that waited least */
    double communication_seconds, exposed_seconds, sent_bytes;
} ddpm_bench_result;

typedef struct {
    size_t steps; /* timed, after one that is not */
    size_t batch; /* images a rank draws at once; training has train.batch */
} ddpm_bench_options;

/* Collective; the result counts on rank 0. */
typedef ddpm_status ddpm_bench(ddpm_bench_result *result, ddpm_comm *comm,
                               const ddpm_config *config, const ddpm_bench_options *options);
ddpm_bench ddpm_app__bench_train;
ddpm_bench ddpm_app__bench_sample;
/* Prints the planner's pick for every 3x3 convolution of a network for passes of `batch` images. */
DDPM_NODISCARD ddpm_status ddpm_app__bench_explain(const ddpm_config *config, size_t batch,
                                                   ddpm_unet_mode mode, bool json);
#endif
