/** @file fuzz.h
 *  What fuzz targets share. A target is one file with the function that libFuzzer calls (preset
 *  fuzz); linked with replay.c it runs once over every file of a folder, in any build. */
#ifndef FUZZ_H
#define FUZZ_H
#include "ddpm/base/status.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/** Inputs that this process has tried. */
extern unsigned long fuzz_inputs;
/** The path of a file with this content, there until the next call. */
const char *fuzz_input(const void *data, size_t bytes);
/** A path in an empty folder that goes when the process ends; the same for the same name.
 *  The text is there until the fourth call from now. */
const char *fuzz_scratch(const char *name);

/** Aborts unless the status is DDPM_OK or bad data with a message: a hostile file is never out of
 *  memory, an input error or an internal one. */
void fuzz_check(ddpm_status status);
#define FUZZ_REQUIRE(condition) ((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))
_Noreturn void fuzz_fail(const char *what, const char *file, int line);
#endif
