#include "doctor_text.h"

#include "ddpm/base/text.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool ddpm_app__read_text(char *text, size_t size, const char *root, const char *path, ...)
{
    char whole[PATH_MAX];
    const size_t used = (size_t)snprintf(whole, sizeof whole, "%s", root);
    text[0] = '\0';
    if (used >= sizeof whole) return false;
    va_list arguments;
    va_start(arguments, path);
    const int length = vsnprintf(whole + used, sizeof whole - used, path, arguments);
    va_end(arguments);
    if (length < 0 || used + (size_t)length >= sizeof whole) return false;
    FILE *file = fopen(whole, "r");
    if (!file) return false;
    const size_t bytes = fread(text, 1, size - 1, file);
    const bool good = !ferror(file);
    fclose(file);
    text[good ? bytes : 0] = '\0';
    if (good && bytes > 0 && text[bytes - 1] == '\n') text[bytes - 1] = '\0';
    return good;
}

bool ddpm_app__parse_cpus(cpu_set_t *cpus, const char *list)
{
    CPU_ZERO(cpus);
    const char *at = list;
    do {
        char *end;
        if (*at < '0' || *at > '9') break;
        const unsigned long first = strtoul(at, &end, 10);
        unsigned long last = first;
        if (*end == '-') {
            if (end[1] < '0' || end[1] > '9') break;
            last = strtoul(end + 1, &end, 10);
        }
        if (last < first || last >= CPU_SETSIZE) break;
        for (unsigned long cpu = first; cpu <= last; cpu++) CPU_SET(cpu, cpus);
        if (*end == '\0' || *end == '\n') return true;
        at = *end == ',' ? end + 1 : "";
    } while (*at);
    CPU_ZERO(cpus);
    return false;
}

uint64_t ddpm_app__meminfo_bytes(const char *text, const char *name)
{
    const size_t length = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (strncmp(line, name, length) == 0 && line[length] == ':')
            return 1024 * strtoull(line + length + 1, NULL, 10);
    }
    return 0;
}

void ddpm_app__bracketed(char *word, size_t size, const char *text)
{
    const char *open = strchr(text, '['), *close = open ? strchr(open, ']') : NULL;
    snprintf(word, size, "%.*s", close ? (int)(close - open - 1) : 0, close ? open + 1 : "");
}

double ddpm_app__parse_quota(const char *text)
{
    char *end;
    const double quota = strtod(text, &end), period = strtod(end, NULL);
    return quota > 0.0 && period > 0.0 ? quota / period : 0.0;
}

/* Whether "cpu,cpuacct" has the word "cpu". */
static bool has_word(const char *list, size_t length, const char *word)
{
    const size_t wanted = strlen(word);
    for (size_t begin = 0; begin < length;) {
        size_t end = begin;
        while (end < length && list[end] != ',') end++;
        if (end - begin == wanted && strncmp(list + begin, word, wanted) == 0) return true;
        begin = end + 1;
    }
    return false;
}

bool ddpm_app__cgroup(char *group, size_t size, const char *text, const char *controller)
{
    for (const char *line = text; *line;) {
        const size_t length = strcspn(line, "\n");
        const char *first = memchr(line, ':', length);
        const char *second = first ? memchr(first + 1, ':', length - (size_t)(first + 1 - line))
                                   : NULL;
        if (second) {
            const size_t names = (size_t)(second - first - 1);
            if (controller ? has_word(first + 1, names, controller)
                           : names == 0 && strncmp(line, "0:", 2) == 0) {
                const size_t path = length - (size_t)(second + 1 - line);
                snprintf(group, size, "%.*s", (int)path, second + 1);
                return true;
            }
        }
        line += length + (line[length] == '\n');
    }
    return false;
}

void ddpm_app__number_list(char *text, size_t size, const bool *member, size_t count)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count && used < size; i++) {
        if (!member[i]) continue;
        size_t last = i;
        while (last + 1 < count && member[last + 1]) last++;
        const char *comma = used ? ", " : "";
        const int length = last == i ? snprintf(text + used, size - used, "%s%zu", comma, i)
                                     : snprintf(text + used, size - used, "%s%zu%s%zu", comma, i,
                                                last == i + 1 ? ", " : "-", last);
        used += (size_t)length;
        i = last;
    }
}
