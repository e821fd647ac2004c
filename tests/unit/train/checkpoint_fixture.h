/** @file checkpoint_fixture.h
 *  A small run to write checkpoints of: every layout, padding between the tensors, two averages. */
#ifndef CHECKPOINT_FIXTURE_H
#define CHECKPOINT_FIXTURE_H
#include "check.h"
#include "checkpoint_format.h"
#include "ddpm/io/sealed_file.h"
#include "ddpm/train/checkpoint.h"
#include "numeric.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIXTURE_TENSORS = 6, FIXTURE_FLOATS = 16 * 28, FIXTURE_PARTS = 5 };

typedef struct {
    ddpm_param param[FIXTURE_TENSORS];
    ddpm_params params;
    float part[FIXTURE_PARTS][FIXTURE_FLOATS]; /**< weights, m, v, two averages */
    ddpm_state state;
    ddpm_config config;
    ddpm_progress progress;
    char directory[64];
} fixture;

// clang-format off
#define VECTOR(name, c, offset) { name, DDPM_LAYOUT_VECTOR, 1, { c }, offset, c, 0, 0, false }
#define IO(name, i, o, offset, is_conv1x1) \
    { name, DDPM_LAYOUT_IO, 2, { i, o }, offset, (i) * (o), 0, 0, is_conv1x1 }
#define HWIO(name, i, o, offset) \
    { name, DDPM_LAYOUT_HWIO, 4, { 3, 3, i, o }, offset, 9 * (i) * (o), 0, 0, false }
static const ddpm_param fixture_tensors[FIXTURE_TENSORS] = {
    HWIO("conv_in.weight", 2, 5, 0),
    VECTOR("conv_in.bias", 5, 96),
    IO("time_embedding.linear_1.weight", 4, 7, 112, false),
    HWIO("down_blocks.0.resnets.0.conv1.weight", 5, 5, 144),
    IO("down_blocks.0.resnets.0.conv_shortcut.weight", 5, 3, 384, true),
    VECTOR("down_blocks.1.attentions.0.to_out.0.bias", 20, 400),
};
#undef VECTOR
#undef IO
#undef HWIO
// clang-format on

/* Padding is 0 in every flat buffer. */
static void fixture_fill(float *flat, const ddpm_params *params, uint64_t seed)
{
    memset(flat, 0, params->total * sizeof *flat);
    for (size_t i = 0; i < params->count; i++)
        fill_normal(flat + params->param[i].offset, params->param[i].count, seed + i);
}

static int fixture_setup(void **out)
{
    fixture *run = calloc(1, sizeof *run);
    assert_non_null(run);
    memcpy(run->param, fixture_tensors, sizeof run->param);
    run->params = (ddpm_params){ FIXTURE_TENSORS, FIXTURE_FLOATS, 0, run->param };
    for (size_t i = 0; i < FIXTURE_TENSORS; i++) run->params.parameters += run->param[i].count;
    for (size_t i = 0; i < FIXTURE_PARTS; i++)
        fixture_fill(run->part[i], &run->params, 100 * (i + 1));
    run->state = (ddpm_state){ .weights = run->part[0],
                               .m = run->part[1],
                               .v = run->part[2],
                               .ema_count = 2,
                               .ema = { run->part[3], run->part[4] },
                               .ema_decay = { 0.9999, 0.99 } };
    ddpm_config_init(&run->config);
    run->progress = (ddpm_progress){
        .step = 1200,
        .images_seen = 153600,
        .skipped_steps = 3,
        .loss = 0.1 + 0.2,
        .train_seconds = 1.0 / 3.0,
        .run_id = "5f0c1e22a9",
        .dataset_hash = "sha256:0123456789abcdef",
        .dataset_name = "na\xc3\xafve clothes",
        .dataset_images = 60000,
        .created = "2026-01-31T12:00:00Z",
        .host = "node017",
        .ranks = 4,
        .threads = 16,
        .evaluated = 1150,
        .best = { .step = 900, .value = 1.0 / 7.0, .by = "loss of 10 images of sha256:0123" }
    };
    const char *temporary = getenv("TMPDIR");
    snprintf(run->directory, sizeof run->directory, "%s/ddpm-checkpoint-XXXXXX",
             temporary && strlen(temporary) < 30 ? temporary : "/tmp");
    assert_non_null(mkdtemp(run->directory));
    *out = run;
    return 0;
}

static int fixture_teardown(void **state)
{
    fixture *run = *state;
    DIR *dir = opendir(run->directory);
    assert_non_null(dir);
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", run->directory, entry->d_name);
        if (entry->d_name[0] != '.' || entry->d_name[1] == 's') unlink(path);
    }
    closedir(dir);
    assert_int_equal(rmdir(run->directory), 0);
    free(run);
    return 0;
}

/** A test with a fixture of its own. */
#define FIXTURE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

typedef struct {
    char text[512];
} fixture_path;

static fixture_path path_of_step(const fixture *run, uint64_t step)
{
    fixture_path path;
    char name[64];
    ddpm_checkpoint_file_name(name, sizeof name, step);
    snprintf(path.text, sizeof path.text, "%s/%s", run->directory, name);
    return path;
}

/** Writes the run as it would be at that step. */
static inline fixture_path save_step(fixture *run, uint64_t step)
{
    const fixture_path path = path_of_step(run, step);
    run->progress.step = step;
    CHECK_OK(
        ddpm_checkpoint_write(path.text, &run->config, &run->params, &run->state, &run->progress));
    return path;
}

static inline ddpm_checkpoint *open_checkpoint(const char *path)
{
    ddpm_checkpoint *checkpoint = NULL;
    CHECK_OK(ddpm_checkpoint_open(&checkpoint, path));
    return checkpoint;
}

/** Fails unless the file is refused as bad data. */
static inline void check_refused(const char *path)
{
    ddpm_checkpoint *checkpoint = NULL;
    CHECK_STATUS(ddpm_checkpoint_open(&checkpoint, path), DDPM_EDATA);
    assert_null(checkpoint);
}

static inline void write_bytes(const char *path, const void *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

static inline unsigned char *read_bytes(size_t *count, const char *path)
{
    char *bytes = NULL;
    *count = 0;
    CHECK_OK(ddpm_read_file(&bytes, count, path, 1 << 24));
    return (unsigned char *)bytes;
}
#endif
