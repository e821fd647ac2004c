/** @file sample_fixture.h
 *  ddpm-sample as a user runs it, in a directory with a checkpoint of the golden network `tiny`:
 *  8 x 8 images of 3 channels. */
#ifndef DDPM_TEST_SAMPLE_FIXTURE_H
#define DDPM_TEST_SAMPLE_FIXTURE_H
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIDE = 8, CHANNELS = 3, FLOATS = SIDE * SIDE * CHANNELS, STEP = 100, MOST = 64 };

extern char directory[];

/** Group setup and teardown: run/checkpoints/step-000000100.h5 in the directory. */
int make_run(void **state);
int remove_run(void **state);

/** Runs "<before> ddpm-sample <arguments>" there; its output is in out and err. */
__attribute__((format(printf, 2, 3))) int sample(const char *before, const char *format, ...);
char *contents(const char *name);
void check_succeeds(int code);
void check_fails(int code, int expected, const char *part);
bool exists(const char *name);
/** Images of an HDF5 file that the program wrote; `images` [MOST, FLOATS]. */
size_t read_images(float *images, const char *name);
void write_checkpoint(const char *name, uint64_t step);
void write_noise(const char *name, const float *x, const size_t size[4]);
#endif
