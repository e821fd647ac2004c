#include "sample_fixture.h"

#include "check.h"
#include "golden.h"
#include "weights.h"

#include "ddpm/data/dataset.h"
#include "ddpm/io/h5.h"
#include "ddpm/io/sealed_file.h"
#include "ddpm/train/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

char directory[] = "/tmp/ddpm-sample-XXXXXX";

/* Runs "ddpm-sample <arguments>" in the directory; its output is in out and err there. */
__attribute__((format(printf, 2, 3))) int sample(const char *before, const char *format, ...)
{
    char arguments[1024], command[2048];
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    snprintf(command, sizeof command, "cd %s && %s %s %s >out 2>err", directory, before,
             DDPM_SAMPLE, arguments);
    const int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

char *contents(const char *name)
{
    char path[128], *text = NULL;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    CHECK_OK(ddpm_read_file(&text, NULL, path, 1 << 20));
    return text;
}

void check_succeeds(int code)
{
    if (code == 0) return;
    char *error = contents("err");
    print_error("exit %d: %s\n", code, error);
    free(error);
    fail();
}

void check_fails(int code, int expected, const char *part)
{
    char *error = contents("err");
    const bool told = strstr(error, part) != NULL;
    if (code != expected || !told)
        print_error("exit %d, expected %d with '%s'; said: %s\n", code, expected, part, error);
    free(error);
    assert_int_equal(code, expected);
    assert_true(told);
}

bool exists(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return access(path, F_OK) == 0;
}

/* Images of an HDF5 file that the program wrote; `images` [MOST, FLOATS]. */
size_t read_images(float *images, const char *name)
{
    char path[128];
    ddpm_dataset *set = NULL;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    CHECK_OK(ddpm_dataset_open(&set, path));
    CHECK_OK(ddpm_dataset_verify(set));
    const size_t count = ddpm_dataset_get_info(set)->shape.n;
    uint64_t index[MOST];
    assert_in_range(count, 1, MOST);
    for (size_t i = 0; i < count; i++) index[i] = i;
    CHECK_OK(ddpm_dataset_read(set, images, NULL, index, NULL, count));
    ddpm_dataset_close(set);
    return count;
}

void write_checkpoint(const char *name, uint64_t step)
{
    ddpm_config config;
    ddpm_config_init(&config);
    static const char *const settings[] = {
        "model.channels=32",      "model.channel_mult=1,2", "model.blocks=1",
        "model.attention=4",      "model.groups=8",         "model.image_size=8",
        "model.image_channels=3", "ema.rates=0.9999,0.9",
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        CHECK_OK(ddpm_config_set(&config, settings[i]));
    golden *file = golden_open("unet_tiny");
    const ddpm_unet_config network = load_golden_config(file, "tiny");
    ddpm_unet *unet = NULL;
    CHECK_OK(ddpm_unet_create(&unet, &network, 1, DDPM_UNET_INFERENCE));
    const ddpm_params *params = ddpm_unet_params(unet);
    float *flat[5];
    for (int i = 0; i < 5; i++) {
        flat[i] = calloc(params->total, sizeof(float));
        assert_non_null(flat[i]);
    }
    load_golden_weights(file, "tiny/params", params, flat[0]);
    for (size_t i = 0; i < params->total; i++) {
        flat[3][i] = 1.01f * flat[0][i];
        flat[4][i] = 0.99f * flat[0][i];
    }
    const ddpm_state state = { .weights = flat[0],
                               .m = flat[1],
                               .v = flat[2],
                               .ema_count = 2,
                               .ema = { flat[3], flat[4] },
                               .ema_decay = { 0.9999, 0.9 } };
    ddpm_progress progress = { .step = step, .loss = 0.1, .ranks = 1, .threads = 1 };
    snprintf(progress.run_id, sizeof progress.run_id, "test");
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    CHECK_OK(ddpm_checkpoint_write(path, &config, params, &state, &progress));
    for (int i = 0; i < 5; i++) free(flat[i]);
    ddpm_unet_free(unet);
    golden_close(file);
}

void write_noise(const char *name, const float *x, const size_t size[4])
{
    char path[128];
    ddpm_h5 *file = NULL;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    CHECK_OK(ddpm_h5_create(&file, path));
    CHECK_OK(ddpm_h5_write(file, "/x_T", DDPM_H5_F32, x, 4, size));
    CHECK_OK(ddpm_h5_publish(file));
}

int make_run(void **state)
{
    (void)state;
    char path[128];
    if (!mkdtemp(directory)) return -1;
    setenv("OMPI_MCA_ess_singleton_isolated", "1", 1); /* without mpirun no daemon is started */
    snprintf(path, sizeof path, "%s/run/checkpoints", directory);
    CHECK_OK(ddpm_make_directory(path));
    write_checkpoint("run/checkpoints/step-000000100.h5", STEP);
    return 0;
}

int remove_run(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command);
}
