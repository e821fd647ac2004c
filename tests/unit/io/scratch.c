#include "scratch.h"

#include "check.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[256];
static struct path {
    struct path *next;
    char text[512];
} * paths;

/* HDF5 1.10 itself leaks where it finds a file damaged. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

int scratch_make(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(directory, sizeof directory, "%s/ddpm-test-XXXXXX", base && *base ? base : "/tmp");
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *at)
{
    (void)about;
    (void)kind;
    (void)at;
    return remove(path);
}

int scratch_remove(void **state)
{
    (void)state;
    while (paths) {
        struct path *next = paths->next;
        free(paths);
        paths = next;
    }
    return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_path(const char *format, ...)
{
    struct path *entry = malloc(sizeof *entry);
    assert_non_null(entry);
    entry->next = paths;
    paths = entry;
    const int used = snprintf(entry->text, sizeof entry->text, "%s/", directory);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(entry->text + used, sizeof entry->text - (size_t)used, format, arguments);
    va_end(arguments);
    return entry->text;
}

void scratch_write(const char *path, const void *data, size_t bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

unsigned char *scratch_read(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("no file %s", path);
    fseek(file, 0, SEEK_END);
    *bytes = (size_t)ftell(file);
    rewind(file);
    unsigned char *data = malloc(*bytes + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *bytes, file), *bytes);
    fclose(file);
    return data;
}

bool scratch_exists(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0;
}

size_t scratch_count(void)
{
    DIR *list = opendir(directory);
    assert_non_null(list);
    size_t count = 0;
    for (const struct dirent *entry; (entry = readdir(list)) != NULL;)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(list);
    return count;
}
