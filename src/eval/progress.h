/* How far work is that takes long: rank 0 rewrites a line on a terminal, elsewhere it says a line
 * every half minute. */
#ifndef EVAL_PROGRESS_H
#define EVAL_PROGRESS_H
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *name; /* NULL: says nothing */
    size_t all;
    uint64_t started_ns, told_ns;
} progress;

progress progress_begin(const char *name, size_t all);
void progress_tell(progress *p, size_t done); /* of `all`; done > 0 */
#endif
