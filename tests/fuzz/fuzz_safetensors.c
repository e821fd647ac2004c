/* A file of tensors: those that are accepted tile the data, are found by their names and can be
 * read up to their last byte. */
#include "fuzz.h"

#include "ddpm/io/safetensors.h"

#include <stdlib.h>

static void read_one(const ddpm_safetensors *file, size_t index, size_t bytes)
{
    const ddpm_safetensors_info info = ddpm_safetensors_get(file, index);
    size_t count = 1;
    for (size_t i = 0; i < info.rank; i++) count *= info.size[i];
    FUZZ_REQUIRE(info.rank <= DDPM_SAFETENSORS_RANK && count == info.count && count <= bytes);
    FUZZ_REQUIRE(ddpm_safetensors_find(file, info.name) == index);
    float *data = malloc((count + 1) * sizeof *data);
    FUZZ_REQUIRE(data);
    data[count] = 1.0f;
    fuzz_check(ddpm_safetensors_read(file, index, data));
    FUZZ_REQUIRE(data[count] == 1.0f);
    free(data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    ddpm_safetensors *file;
    fuzz_inputs++;
    const ddpm_status status = ddpm_safetensors_open_image(&file, data, bytes, "input");
    fuzz_check(status);
    if (status != DDPM_OK) return 0;
    for (size_t i = 0; i < ddpm_safetensors_count(file); i++) read_one(file, i, bytes);
    FUZZ_REQUIRE(ddpm_safetensors_find(file, "") <= ddpm_safetensors_count(file));
    ddpm_safetensors_close(file);
    return 0;
}
