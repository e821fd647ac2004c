/* What /proc and /sys say, as numbers; and ranks, as people write them. */
#ifndef DDPM_APP_DOCTOR_TEXT_H
#define DDPM_APP_DOCTOR_TEXT_H
#include "ddpm/base/status.h"

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The beginning of a file below `root`, without a final newline; false: not to be read. */
DDPM_PRINTF(4, 5)
bool ddpm_app__read_text(char *text, size_t size, const char *root, const char *path, ...);
/* "0-3,8" -> a set; false, and an empty set, where it is no such list. */
bool ddpm_app__parse_cpus(cpu_set_t *cpus, const char *list);
/* "MemAvailable:  123 kB" of /proc/meminfo in bytes; 0 where it is not there. */
uint64_t ddpm_app__meminfo_bytes(const char *text, const char *name);
/* "always [madvise] never" -> "madvise"; "" where nothing is in brackets. */
void ddpm_app__bracketed(char *word, size_t size, const char *text);
/* "200000 100000" of cpu.max -> 2.0 cores; 0: "max", or no such text. */
double ddpm_app__parse_quota(const char *text);
/* The group of this process in /proc/self/cgroup's text: of version 1's `controller`, or of version
 * 2 with NULL; false where it has none. */
bool ddpm_app__cgroup(char *group, size_t size, const char *text, const char *controller);
/* member[count] as "0-3, 8". */
void ddpm_app__number_list(char *text, size_t size, const bool *member, size_t count);
#endif
