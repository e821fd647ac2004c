#include "cut.h"

#include <assert.h>
#include <stdlib.h>

static size_t ceil_div(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

/* A segment of half a MiB: Open MPI's TCP sends and receives a large message by turns, at half the
 * speed of the line, and fills both directions only with many on their way. */
size_t ddpm_dist__bucket_floats(int size)
{
    enum { SEGMENT = 512 << 10, MOST = 4 << 20 };
    const size_t bytes = (size_t)SEGMENT * (size_t)size;
    return (bytes < MOST ? bytes : MOST) / sizeof(float);
}

/* The bucket that ends at `end`. The first layers' gradients come last, and their buckets cannot
 * hide behind any computation: towards the beginning buckets shrink to an eighth. */
static ddpm_span bucket_before(size_t end, size_t bucket_floats, size_t grain)
{
    const size_t least = bucket_floats / 8 ? bucket_floats / 8 : 1;
    size_t wanted = end / 2;
    if (wanted > bucket_floats) wanted = bucket_floats;
    if (wanted < least) wanted = least;
    const size_t begin = end > wanted ? (end - wanted) / grain * grain : 0;
    return (ddpm_span){ begin, end - begin };
}

static size_t count_buckets(size_t floats, size_t bucket_floats, size_t grain)
{
    size_t count = 0;
    for (size_t end = floats; end > 0; end = bucket_before(end, bucket_floats, grain).offset)
        count++;
    return count;
}

size_t ddpm_dist__bucket_count(size_t floats, size_t bucket_floats)
{
    return count_buckets(floats, bucket_floats, 1);
}

ddpm_status ddpm_dist__cut_create(ddpm_cut *cut, size_t floats, size_t bucket_floats, size_t grain,
                                  int size)
{
    assert(bucket_floats > 0 && grain > 0);
    *cut = (ddpm_cut){ .grain = grain, .count = count_buckets(floats, bucket_floats, grain) };
    cut->bucket = calloc(cut->count ? cut->count : 1, sizeof *cut->bucket);
    if (!cut->bucket) return ddpm_fail(DDPM_EOS, "no memory for the reduction's plan");
    size_t end = floats;
    for (size_t b = 0; b < cut->count; b++) {
        const ddpm_span bucket = cut->bucket[b] = bucket_before(end, bucket_floats, grain);
        end = bucket.offset;
        if (bucket.count > cut->longest) cut->longest = bucket.count;
    }
    const size_t grains = ceil_div(ceil_div(cut->longest, grain), (size_t)size);
    cut->most_segment = grains * grain < cut->longest ? grains * grain : cut->longest;
    return DDPM_OK;
}

void ddpm_dist__cut_free(ddpm_cut *cut)
{
    free(cut->bucket);
    *cut = (ddpm_cut){ .count = 0 };
}

ddpm_span ddpm_dist__segment(const ddpm_cut *cut, size_t bucket, int index, int size)
{
    const ddpm_span whole = cut->bucket[bucket];
    const size_t grains = ceil_div(whole.count, cut->grain);
    size_t begin = grains * (size_t)index / (size_t)size * cut->grain;
    size_t end = grains * ((size_t)index + 1) / (size_t)size * cut->grain;
    if (begin > whole.count) begin = whole.count;
    if (end > whole.count) end = whole.count;
    return (ddpm_span){ whole.offset + begin, end - begin };
}
