/* A file that grows by whole records while one process writes it. */
#ifndef EVAL_APPEND_FILE_H
#define EVAL_APPEND_FILE_H
#include "ddpm/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    int fd; /* -1: closed */
    char *path;
} append_file;

/* Opens or makes it. DDPM_ECREATE; DDPM_EAGAIN: another process has it, and `waits` is false (a
 * file system without locks lets all have it). append_file_close in any case. */
DDPM_NODISCARD ddpm_status append_file_open(append_file *file, const char *path, bool waits);
void append_file_close(append_file *file);
/* Appends, and waits for the disk. DDPM_EIO. */
DDPM_NODISCARD ddpm_status append_file_write(const append_file *file, const void *data,
                                             size_t bytes);
/* Cuts off what is behind the first `bytes`. DDPM_EIO. */
DDPM_NODISCARD ddpm_status append_file_cut(const append_file *file, uint64_t bytes);
#endif
