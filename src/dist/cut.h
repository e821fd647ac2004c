/* How the flat buffer is cut. Buckets travel one after the other, from the end of the buffer to its
 * beginning, as the backward pass finishes them; each is cut into as many segments as there are
 * ranks, and every segment has one owner. Pure functions of numbers, the same on every rank. */
#ifndef DDPM_DIST_CUT_H
#define DDPM_DIST_CUT_H
#include "ddpm/dist/reducer.h"

typedef struct {
    size_t grain; /* buckets and segments begin on multiples of it, in floats */
    size_t count;
    ddpm_span *bucket;   /* [count], bucket 0 at the end of the buffer */
    size_t longest;      /* floats of the largest bucket */
    size_t most_segment; /* floats of the largest segment at most, for `size` owners */
} ddpm_cut;

/* Floats of a bucket where nothing else is asked for: 1 MiB on 2 ranks, 4 MiB on 8 and more. */
size_t ddpm_dist__bucket_floats(int size);
/* How many such buckets there are, where they may begin anywhere. */
size_t ddpm_dist__bucket_count(size_t floats, size_t bucket_floats);
/* Takes the list of buckets; DDPM_EOS. Freed by ddpm_dist__cut_free. */
DDPM_NODISCARD ddpm_status ddpm_dist__cut_create(ddpm_cut *cut, size_t floats, size_t bucket_floats,
                                                 size_t grain, int size);
void ddpm_dist__cut_free(ddpm_cut *cut);
/* Segment `index` of `size` of a bucket; may be empty. The offset is in the flat buffer. */
ddpm_span ddpm_dist__segment(const ddpm_cut *cut, size_t bucket, int index, int size);
#endif
