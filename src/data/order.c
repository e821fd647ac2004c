#include "ddpm/data/order.h"

#include "ddpm/base/philox.h"

#include <assert.h>

uint64_t ddpm_order_image(uint64_t seed, uint64_t sample_index, uint64_t image_count)
{
    assert(image_count > 0);
    const ddpm_random random = { .seed = seed,
                                 .index = sample_index / image_count,
                                 .purpose = DDPM_RANDOM_ORDER };
    return ddpm_random_permute(sample_index % image_count, image_count, &random);
}

bool ddpm_order_flip(uint64_t seed, uint64_t sample_index)
{
    const ddpm_random random = { .seed = seed, .index = sample_index, .purpose = DDPM_RANDOM_FLIP };
    uint32_t word;
    ddpm_random_bits(&word, 1, &random);
    return word >> 31;
}
