#include "ddpm/nn/unet.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

/* Bounds under which no size overflows: beyond any image, far from any integer's end. */
enum { SIDE_MOST = 4096, CHANNELS_MOST = 4096, BLOCKS_MOST = 64, TOKENS_MOST = 65536 };

static ddpm_status check_range(const char *what, size_t value, size_t min, size_t max)
{
    if (value >= min && value <= max) return DDPM_OK;
    return ddpm_fail(DDPM_ECONFIG, "the network's %s is %zu; it must be from %zu to %zu", what,
                     value, min, max);
}

static ddpm_status check_ranges(const ddpm_unet_config *config)
{
    DDPM_TRY(check_range("image height (model.image_size)", config->height, 1, SIDE_MOST));
    DDPM_TRY(check_range("image width", config->width, 1, SIDE_MOST));
    DDPM_TRY(check_range("number of image channels (model.image_channels)", config->in_channels, 1,
                         CHANNELS_MOST));
    DDPM_TRY(check_range("number of output channels", config->out_channels, 1, CHANNELS_MOST));
    DDPM_TRY(check_range("model.channels", config->channels, 1, CHANNELS_MOST));
    DDPM_TRY(check_range("number of levels (entries of model.channel_mult)", config->levels, 1,
                         DDPM_UNET_LEVELS));
    for (size_t i = 0; i < config->levels; i++) {
        char what[64];
        snprintf(what, sizeof what, "channels of level %zu (model.channel_mult)", i + 1);
        DDPM_TRY(check_range("model.channel_mult", config->mult[i], 1, CHANNELS_MOST));
        DDPM_TRY(check_range(what, config->channels * config->mult[i], 1, CHANNELS_MOST));
    }
    DDPM_TRY(check_range("model.blocks", config->blocks, 1, BLOCKS_MOST));
    DDPM_TRY(check_range("model.groups", config->groups, 1, CHANNELS_MOST));
    DDPM_TRY(check_range("number of attention heights (model.attention)", config->attention_count,
                         0, DDPM_UNET_LEVELS));
    if (!(config->dropout >= 0.0f && config->dropout < 1.0f))
        return ddpm_fail(DDPM_ECONFIG, "model.dropout is %g; it must be at least 0 and below 1",
                         (double)config->dropout);
    if (!(config->epsilon > 0.0f && isfinite(config->epsilon)))
        return ddpm_fail(DDPM_ECONFIG, "GroupNorm's epsilon is %g; it must be positive",
                         (double)config->epsilon);
    return DDPM_OK;
}

static ddpm_status check_side(const char *what, size_t side, size_t levels)
{
    assert(levels > 0);
    const size_t unit = (size_t)1 << (levels - 1);
    if (side % unit == 0) return DDPM_OK;
    return ddpm_fail(DDPM_ECONFIG,
                     "the image %s %zu cannot be halved %zu times, which the %zu levels of "
                     "model.channel_mult ask for: pad or scale the images to a multiple of %zu "
                     "(%zu), or take fewer levels",
                     what, side, levels - 1, levels, unit, (side + unit - 1) / unit * unit);
}

/* Channels that are normalised: channels (conv_in's), channels * mult (every block's), and sums of
 * two of them (joined skips). Groups divide all of them if and only if they divide the first. */
static ddpm_status check_groups(const ddpm_unet_config *config)
{
    const size_t c = config->channels, g = config->groups;
    if (c % g == 0) return DDPM_OK;
    size_t fewer = g;
    while (c % fewer != 0) fewer--;
    return ddpm_fail(DDPM_ECONFIG,
                     "model.channels = %zu is not divisible by model.groups = %zu: GroupNorm cuts "
                     "the channels of every layer, joined skips included, into equal groups; take "
                     "groups = %zu, or channels = %zu",
                     c, g, fewer, (c + g - 1) / g * g);
}

static ddpm_status check_attention(const ddpm_unet_config *config)
{
    for (size_t i = 0; i < config->attention_count; i++) {
        char heights[160] = "";
        size_t length = 0;
        bool found = false;
        for (size_t level = 0; level < config->levels; level++) {
            const size_t height = config->height >> level;
            found |= height == config->attention[i];
            length += (size_t)snprintf(heights + length, sizeof heights - length, "%s%zu",
                                       level ? ", " : "", height);
        }
        if (!found)
            return ddpm_fail(DDPM_ECONFIG,
                             "model.attention names height %zu, but no level has it; the levels' "
                             "heights are %s",
                             config->attention[i], heights);
    }
    for (size_t level = 0; level < config->levels; level++) {
        const size_t h = config->height >> level, w = config->width >> level;
        bool has = level + 1 == config->levels;
        for (size_t i = 0; i < config->attention_count; i++) has |= config->attention[i] == h;
        if (has && h * w > TOKENS_MOST)
            return ddpm_fail(DDPM_ECONFIG,
                             "attention over %zu x %zu pixels would keep %zu squared numbers an "
                             "image; the most is %d pixels: name lower heights in model.attention "
                             "(the middle always has it) or add levels to model.channel_mult",
                             h, w, h * w, TOKENS_MOST);
    }
    return DDPM_OK;
}

ddpm_status ddpm_unet_check(const ddpm_unet_config *config)
{
    DDPM_TRY(check_ranges(config));
    DDPM_TRY(check_side("height", config->height, config->levels));
    DDPM_TRY(check_side("width", config->width, config->levels));
    DDPM_TRY(check_groups(config));
    return check_attention(config);
}
