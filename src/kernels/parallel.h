/* How work is cut for OpenMP: always by sizes, never by the number of threads, so that results do
 * not depend on it. */
#ifndef DDPM_KERNELS_PARALLEL_H
#define DDPM_KERNELS_PARALLEL_H
#include <stdbool.h>
#include <stddef.h>

/* Elements of a piece of a flat buffer that one thread takes at a time. */
enum { DDPM_PIECE = 16384 };

/* Below this many elements starting threads (some microseconds) costs more than they save. */
static inline bool worth_threads(size_t elements)
{
    return elements >= 2 * (size_t)DDPM_PIECE;
}

static inline size_t piece_length(size_t start, size_t count)
{
    return count - start < DDPM_PIECE ? count - start : DDPM_PIECE;
}
#endif
