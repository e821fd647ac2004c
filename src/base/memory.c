#include "ddpm/base/memory.h"

#include "ddpm/base/text.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *const kind_names[DDPM_MEMORY_KINDS] = {
    [DDPM_MEMORY_WEIGHTS] = "weights",
    [DDPM_MEMORY_GRADIENTS] = "gradients",
    [DDPM_MEMORY_OPTIMIZER] = "optimizer",
    [DDPM_MEMORY_EMA] = "ema",
    [DDPM_MEMORY_ACTIVATIONS] = "activations",
    [DDPM_MEMORY_SCRATCH] = "scratch",
    [DDPM_MEMORY_DATA] = "data",
    [DDPM_MEMORY_COMMUNICATION] = "communication",
    [DDPM_MEMORY_CHECKPOINT] = "checkpoint",
    [DDPM_MEMORY_OTHER] = "other",
};

static _Atomic uint64_t live_bytes[DDPM_MEMORY_KINDS], live_blocks;

/* Stands in the 64 bytes before every block. */
typedef struct {
    size_t bytes;
    ddpm_memory_kind kind;
} header;
static_assert(sizeof(header) <= DDPM_ALIGNMENT_BYTES, "the header fits in front of a block");

enum { HUGE_PAGE_BYTES = 2 << 20 };
/* No machine has more; asking the allocator would only be another way to fail. */
#define MOST_BYTES ((size_t)1 << 46)

const char *ddpm_memory_kind_name(ddpm_memory_kind kind)
{
    return kind_names[kind];
}

ddpm_status ddpm_memory_alloc(void *out_pointer, size_t count, size_t size, ddpm_memory_kind kind)
{
    const size_t bytes = ddpm_size_mul(count, size);
    /* Large blocks begin on a huge page, so that the kernel can back them by huge pages. */
    const size_t alignment = bytes >= HUGE_PAGE_BYTES ? HUGE_PAGE_BYTES : DDPM_ALIGNMENT_BYTES;
    unsigned char *block = NULL;
    if (bytes <= MOST_BYTES) {
        const size_t whole = (bytes + DDPM_ALIGNMENT_BYTES + alignment - 1) / alignment * alignment;
        block = aligned_alloc(alignment, whole);
        if (block && alignment == HUGE_PAGE_BYTES) madvise(block, whole, MADV_HUGEPAGE);
        if (block) memset(block, 0, whole);
    }
    if (!block) {
        char text[32];
        return ddpm_fail(DDPM_EOS, "out of memory: no %s for %s (%zu elements of %zu bytes)",
                         ddpm_text_bytes(text, bytes), ddpm_memory_kind_name(kind), count, size);
    }
    *(header *)(void *)block = (header){ .bytes = bytes, .kind = kind };
    atomic_fetch_add(&live_bytes[kind], bytes);
    atomic_fetch_add(&live_blocks, 1);
    void *pointer = block + DDPM_ALIGNMENT_BYTES;
    memcpy(out_pointer, &pointer, sizeof pointer);
    return DDPM_OK;
}

void ddpm_memory_free(void *pointer)
{
    if (!pointer) return;
    unsigned char *block = (unsigned char *)pointer - DDPM_ALIGNMENT_BYTES;
    const header *head = (const header *)(const void *)block;
    atomic_fetch_sub(&live_bytes[head->kind], head->bytes);
    atomic_fetch_sub(&live_blocks, 1);
    free(block);
}

uint64_t ddpm_memory_live_bytes(ddpm_memory_kind kind)
{
    return atomic_load(&live_bytes[kind]);
}

uint64_t ddpm_memory_live_total_bytes(void)
{
    uint64_t total = 0;
    for (int kind = 0; kind < DDPM_MEMORY_KINDS; kind++) total += atomic_load(&live_bytes[kind]);
    return total;
}

uint64_t ddpm_memory_live_blocks(void)
{
    return atomic_load(&live_blocks);
}

uint64_t ddpm_memory_peak_rss_bytes(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
    return (uint64_t)usage.ru_maxrss * 1024;
}

/* "max" or an absent file is no limit. */
static uint64_t limit_in(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file) return UINT64_MAX;
    char line[64] = "";
    const bool read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    int64_t limit;
    if (!read || !ddpm_text_int64(&limit, line, 1, INT64_MAX)) return UINT64_MAX;
    return (uint64_t)limit;
}

/* The limits of this process' cgroup and of those above it; version 2 is the one line that begins
 * with "0::", version 1 the line of the memory controller. */
static uint64_t cgroup_limit(void)
{
    uint64_t limit = UINT64_MAX;
    FILE *file = fopen("/proc/self/cgroup", "r");
    if (!file) return limit;
    char line[1024];
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group) continue;
        *group++ = '\0';
        const bool version2 = controllers[1] == '\0';
        if (!version2 && !strstr(controllers, "memory")) continue;
        const char *const root = version2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
        const char *const name = version2 ? "memory.max" : "memory.limit_in_bytes";
        for (;;) {
            char path[2048];
            snprintf(path, sizeof path, "%s%s/%s", root, group, name);
            const uint64_t here = limit_in(path);
            if (here < limit) limit = here;
            char *slash = strrchr(group, '/');
            if (!slash) break;
            *slash = '\0';
        }
    }
    fclose(file);
    return limit;
}

uint64_t ddpm_memory_limit_bytes(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    const uint64_t machine = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX;
    const uint64_t group = cgroup_limit();
    return group < machine ? group : machine;
}
