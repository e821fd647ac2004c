/** @file base/memory.h
 *  Aligned memory that is counted by kind, so that a plan can be held against what was used.
 *  Thread-safe. For buffers that grow with the model or the data; small structs use calloc. */
#ifndef DDPM_BASE_MEMORY_H
#define DDPM_BASE_MEMORY_H
#include "ddpm/base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { DDPM_ALIGNMENT_BYTES = 64 };

typedef enum {
    DDPM_MEMORY_WEIGHTS,
    DDPM_MEMORY_GRADIENTS,
    DDPM_MEMORY_OPTIMIZER,
    DDPM_MEMORY_EMA,
    DDPM_MEMORY_ACTIVATIONS,
    DDPM_MEMORY_SCRATCH,
    DDPM_MEMORY_DATA,
    DDPM_MEMORY_COMMUNICATION,
    DDPM_MEMORY_CHECKPOINT,
    DDPM_MEMORY_OTHER,
    DDPM_MEMORY_KINDS
} ddpm_memory_kind;

/** "weights", "gradients", ... as in the JSON of `ddpm-dist plan`. */
const char *ddpm_memory_kind_name(ddpm_memory_kind kind);

/** Zeroed memory of count * size bytes on a 64-byte boundary, owned by the caller; free with
 *  ddpm_memory_free. Zero bytes give a pointer that may be freed. DDPM_EOS names the size. */
DDPM_NODISCARD ddpm_status ddpm_memory_alloc(void *out_pointer, size_t count, size_t size,
                                             ddpm_memory_kind kind);
/** Takes NULL. */
void ddpm_memory_free(void *pointer);

uint64_t ddpm_memory_live_bytes(ddpm_memory_kind kind);
uint64_t ddpm_memory_live_total_bytes(void);
/** Blocks that were allocated and not yet freed; 0 at the end of a program that leaks nothing. */
uint64_t ddpm_memory_live_blocks(void);
/** This process' peak resident size, from the operating system. */
uint64_t ddpm_memory_peak_rss_bytes(void);
/** The memory this process may use: the smaller of its cgroup's limit and the machine's memory. */
uint64_t ddpm_memory_limit_bytes(void);

/** a * b, or SIZE_MAX where that overflows: a size no allocation grants. */
static inline size_t ddpm_size_mul(size_t a, size_t b)
{
    size_t product;
    return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : product;
}
#endif
