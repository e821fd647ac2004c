#include "lock_holder.h"

#include "ddpm/base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { TEXT_BYTES = 512 };

static void read_line(char *line, size_t size, const char *path)
{
    snprintf(line, size, "?");
    FILE *file = fopen(path, "r");
    if (!file) return;
    if (fgets(line, (int)size, file)) line[strcspn(line, "\n")] = 0;
    fclose(file);
}

static void read_namespace(char *name, size_t size)
{
    const ssize_t length = readlink("/proc/self/ns/pid", name, size - 1);
    snprintf(name + (length > 0 ? length : 0), size - (size_t)(length > 0 ? length : 0), "%s",
             length > 0 ? "" : "?");
}

/* When a process began: field 22 of its stat; the name in field 2 may hold anything. 0: it is not
 * there. */
static uint64_t begin_of(long pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    read_line(text, sizeof text, path);
    const char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
    return at ? strtoull(at, NULL, 10) : 0;
}

void ddpm_train__lock_myself(ddpm_lock_holder *holder)
{
    char host[128] = "?", time[32];
    const char *job = getenv("SLURM_JOB_ID");
    *holder = (ddpm_lock_holder){ .pid = (long)getpid() };
    gethostname(host, sizeof host - 1);
    ddpm_clock_utc(time, sizeof time);
    snprintf(holder->who, sizeof holder->who, "host %s, pid %ld%s%.64s, since %s", host,
             holder->pid, job ? ", job " : "", job ? job : "", time);
    read_line(holder->boot, sizeof holder->boot, "/proc/sys/kernel/random/boot_id");
    read_namespace(holder->pids, sizeof holder->pids);
    holder->begun = begin_of(holder->pid);
    uint64_t number = ddpm_clock_ns() ^ (uint64_t)holder->pid << 32;
    if (getrandom(&number, sizeof number, 0) != sizeof number) number ^= holder->begun;
    snprintf(holder->nonce, sizeof holder->nonce, "%016" PRIx64, number);
}

/* The second line: words and their values. An older version wrote no such line: a holder of whom
 * nothing is known. */
static void read_words(ddpm_lock_holder *holder, char *line)
{
    char *rest = NULL, *value;
    for (char *word = strtok_r(line, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
        if (strcmp(word, "beat") == 0) { /* two values */
            value = strtok_r(NULL, " \n", &rest);
            snprintf(holder->nonce, sizeof holder->nonce, "%s", value ? value : "");
        }
        value = strtok_r(NULL, " \n", &rest);
        if (!value) return;
        if (strcmp(word, "boot") == 0) snprintf(holder->boot, sizeof holder->boot, "%s", value);
        if (strcmp(word, "pids") == 0) snprintf(holder->pids, sizeof holder->pids, "%s", value);
        if (strcmp(word, "pid") == 0) holder->pid = strtol(value, NULL, 10);
        if (strcmp(word, "begun") == 0) holder->begun = strtoull(value, NULL, 10);
        if (strcmp(word, "beat") == 0) holder->beat = strtoull(value, NULL, 10);
    }
}

bool ddpm_train__lock_read(ddpm_lock_holder *holder, int fd)
{
    char text[TEXT_BYTES] = "";
    *holder = (ddpm_lock_holder){ .pid = 0 };
    if (pread(fd, text, sizeof text - 1, 0) <= 0) return false;
    snprintf(holder->who, sizeof holder->who, "%.*s", (int)strcspn(text, "\n"), text);
    read_words(holder, text + strcspn(text, "\n"));
    return true;
}

ddpm_status ddpm_train__lock_write(int fd, const ddpm_lock_holder *holder)
{
    char text[TEXT_BYTES];
    const int length = snprintf(
        text, sizeof text, "%s\nboot %s pids %s pid %ld begun %" PRIu64 " beat %s %020" PRIu64 "\n",
        holder->who, holder->boot, holder->pids, holder->pid, holder->begun, holder->nonce,
        holder->beat);
    /* Written over, so that a beat needs no new space on a full disk. */
    if (length < TEXT_BYTES && pwrite(fd, text, (size_t)length, 0) == length &&
        ftruncate(fd, length) == 0)
        return DDPM_OK;
    return ddpm_fail(DDPM_EIO, "cannot write who holds the lock of the run directory: %s",
                     strerror(errno));
}

bool ddpm_train__lock_is_here(const ddpm_lock_holder *holder)
{
    char boot[40];
    read_line(boot, sizeof boot, "/proc/sys/kernel/random/boot_id");
    return boot[0] != '?' && strcmp(boot, holder->boot) == 0;
}

bool ddpm_train__lock_is_dead(const ddpm_lock_holder *holder)
{
    char pids[40];
    read_namespace(pids, sizeof pids);
    if (!ddpm_train__lock_is_here(holder) || strcmp(pids, holder->pids) != 0) return false;
    return begin_of(holder->pid) != holder->begun;
}
