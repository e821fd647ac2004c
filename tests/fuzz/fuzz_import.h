/** @file fuzz_import.h  An importer over one file; the set that it makes must be one. */
#ifndef FUZZ_IMPORT_H
#define FUZZ_IMPORT_H
#include "fuzz.h"

#include "ddpm/data/dataset.h"
#include "ddpm/data/import.h"

#include <stdio.h>
#include <unistd.h>

/** options: what the importer takes beside input and output. */
static inline void fuzz_import(const char *importer, ddpm_import_options options,
                               const uint8_t *data, size_t bytes)
{
    const char *input = fuzz_input(data, bytes), *output = fuzz_scratch("set.h5");
    options.inputs = &input;
    options.input_count = 1;
    options.output = output;
    options.source = "fuzz";
    const ddpm_status status = ddpm_importer_find(importer)->run(&options);
    /* Which of two arrays, or which layout, is for the user to say. */
    if (status == DDPM_EUSAGE) return;
    fuzz_check(status);
    FUZZ_REQUIRE((access(output, F_OK) == 0) == (status == DDPM_OK));
    if (status != DDPM_OK) return;
    ddpm_dataset *set;
    FUZZ_REQUIRE(ddpm_dataset_open(&set, output) == DDPM_OK);
    FUZZ_REQUIRE(ddpm_dataset_verify(set) == DDPM_OK);
    ddpm_dataset_close(set);
    unlink(output);
}
#endif
