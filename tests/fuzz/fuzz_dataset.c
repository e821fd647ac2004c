/* A dataset file: opened, read in both ways, verified. */
#include "fuzz.h"

#include "ddpm/data/dataset.h"

#include <math.h>
#include <stdlib.h>

static void read_some(const char *path, uint64_t hold_below)
{
    enum { IMAGES = 3 };
    ddpm_dataset *set;
    ddpm_status status = ddpm_dataset_open(&set, path);
    fuzz_check(status);
    if (status != DDPM_OK) return;
    const ddpm_shape shape = ddpm_dataset_get_info(set)->shape;
    const size_t values = shape.h * shape.w * shape.c;
    const uint64_t index[IMAGES] = { 0, shape.n / 2, shape.n - 1 };
    const bool flip[IMAGES] = { false, true, false };
    int64_t labels[IMAGES] = { 0 };
    const bool labelled = ddpm_dataset_labels(set) != NULL;
    ddpm_dataset_hold_below(set, hold_below);
    double *moments = calloc(2 * shape.c, sizeof *moments), number;
    float *x = calloc(IMAGES * values, sizeof *x);
    FUZZ_REQUIRE(moments && x);
    fuzz_check(ddpm_dataset_moments(set, moments, moments + shape.c));
    free(ddpm_dataset_text(set, "class_names"));
    (void)ddpm_dataset_number(&number, set, "gaussian_mean");
    status = ddpm_dataset_read(set, x, labelled ? labels : NULL, index, flip, IMAGES);
    fuzz_check(status);
    for (size_t i = 0; status == DDPM_OK && i < IMAGES * values; i++) FUZZ_REQUIRE(isfinite(x[i]));
    if (status == DDPM_OK && hold_below == 0) fuzz_check(ddpm_dataset_verify(set));
    free(x);
    free(moments);
    ddpm_dataset_close(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    read_some(fuzz_input(data, bytes), bytes % 2 ? 0 : DDPM_DATASET_MEMORY_BYTES);
    return 0;
}
