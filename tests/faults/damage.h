/* Damage to a file's bytes, decided by a seed. */
#ifndef FAULTS_DAMAGE_H
#define FAULTS_DAMAGE_H
#include <stddef.h>
#include <stdint.h>

typedef enum {
    DAMAGE_BIT,      /* one bit, anywhere */
    DAMAGE_BYTES,    /* 2 to 64 bytes in a row */
    DAMAGE_PAGE,     /* one page of 4096 bytes is zeros, or another page */
    DAMAGE_TRUNCATE, /* the end is missing */
    DAMAGE_HEADER,   /* 1 to 16 bytes of the first 512 */
    DAMAGE_KINDS
} damage_kind;
extern const char *const damage_names[DAMAGE_KINDS];

/* Changes `data`, and *bytes where it cuts; the result differs from what was there. At least 8192
 * bytes. */
void damage(unsigned char *data, size_t *bytes, damage_kind kind, uint64_t seed);
#endif
