#include "damage.h"

#include <string.h>

enum { PAGE_BYTES = 4096, HEADER_BYTES = 512 };

const char *const damage_names[DAMAGE_KINDS] = { "bit", "bytes", "page", "truncate", "header" };

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static size_t below(uint64_t *state, size_t limit)
{
    return (size_t)(next(state) % limit);
}

/* The first byte is sure to change. */
static void scramble(unsigned char *at, size_t count, uint64_t *state)
{
    at[0] ^= (unsigned char)(1 + below(state, 255));
    for (size_t i = 1; i < count; i++) at[i] = (unsigned char)next(state);
}

static void spoil_page(unsigned char *data, size_t bytes, uint64_t *state)
{
    const size_t pages = bytes / PAGE_BYTES;
    unsigned char *page = data + below(state, pages) * PAGE_BYTES;
    const unsigned char *other = data + below(state, pages) * PAGE_BYTES;
    static const unsigned char zeros[PAGE_BYTES];
    if (next(state) & 1) other = zeros;
    if (memcmp(page, other, PAGE_BYTES) == 0)
        page[0] ^= 1;
    else
        memcpy(page, other, PAGE_BYTES);
}

void damage(unsigned char *data, size_t *bytes, damage_kind kind, uint64_t seed)
{
    uint64_t state = seed * DAMAGE_KINDS + kind;
    size_t count;
    switch (kind) {
    case DAMAGE_BIT: data[below(&state, *bytes)] ^= (unsigned char)(1u << below(&state, 8)); break;
    case DAMAGE_BYTES:
        count = 2 + below(&state, 63);
        scramble(data + below(&state, *bytes - count), count, &state);
        break;
    case DAMAGE_PAGE: spoil_page(data, *bytes, &state); break;
    case DAMAGE_TRUNCATE: *bytes = below(&state, *bytes); break;
    case DAMAGE_HEADER:
    case DAMAGE_KINDS:
        count = 1 + below(&state, 16);
        scramble(data + below(&state, HEADER_BYTES - count), count, &state);
        break;
    }
}
