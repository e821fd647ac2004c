#include "ddpm/base/arena.h"

#include "ddpm/base/memory.h"

#include <assert.h>

void ddpm_arena_init(ddpm_arena *arena, void *base, size_t capacity_bytes)
{
    *arena = (ddpm_arena){ .base = base, .capacity_bytes = base ? capacity_bytes : SIZE_MAX };
}

void *ddpm_arena_take(ddpm_arena *arena, size_t count, size_t size)
{
    const size_t bytes = ddpm_size_mul(count, size);
    assert(bytes <= SIZE_MAX - DDPM_ALIGNMENT_BYTES);
    const size_t whole = (bytes + DDPM_ALIGNMENT_BYTES - 1) & ~(size_t)(DDPM_ALIGNMENT_BYTES - 1);
    assert(whole <= arena->capacity_bytes - arena->used_bytes);
    void *piece = arena->base ? arena->base + arena->used_bytes : NULL;
    arena->used_bytes += whole;
    if (arena->used_bytes > arena->peak_bytes) arena->peak_bytes = arena->used_bytes;
    return piece;
}

size_t ddpm_arena_mark(const ddpm_arena *arena)
{
    return arena->used_bytes;
}

void ddpm_arena_release(ddpm_arena *arena, size_t mark)
{
    assert(mark <= arena->used_bytes);
    arena->used_bytes = mark;
}
