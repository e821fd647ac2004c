/** @file base/arena.h
 *  A block that is cut into pieces from the front. With a NULL base it only counts, so that the
 *  same code first says how much it wants and then takes it. Not thread-safe. */
#ifndef DDPM_BASE_ARENA_H
#define DDPM_BASE_ARENA_H
#include <stddef.h>

typedef struct {
    unsigned char *base; /**< NULL: count only */
    size_t capacity_bytes, used_bytes, peak_bytes;
} ddpm_arena;

/** `base` must be aligned to 64 bytes and outlive the arena; NULL counts without bound. */
void ddpm_arena_init(ddpm_arena *arena, void *base, size_t capacity_bytes);
/** The next count * size bytes, aligned to 64; NULL while counting. Asserts that they fit. */
void *ddpm_arena_take(ddpm_arena *arena, size_t count, size_t size);
/** A mark to give back to with everything taken after it. */
size_t ddpm_arena_mark(const ddpm_arena *arena);
void ddpm_arena_release(ddpm_arena *arena, size_t mark);
#endif
