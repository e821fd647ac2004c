/* The main of a fuzz target without libFuzzer: replay FOLDER|FILE... runs it over every file, in
 * the order of their names. A folder without files is an error: it would test nothing. */
#include "fuzz.h"

#include "ddpm/io/sealed_file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char *current;

/* A file that crashes the target is named, whatever way it does so. */
static void name_it(void)
{
    if (current) fprintf(stderr, "while reading %s\n", current);
}

void __asan_on_error(void);
void __asan_on_error(void)
{
    name_it();
}

static size_t replay_file(const char *path)
{
    char *data;
    size_t bytes;
    current = path;
    if (ddpm_read_file(&data, &bytes, path, (size_t)1 << 26) != DDPM_OK) {
        fprintf(stderr, "%s\n", ddpm_status_message());
        exit(66);
    }
    if (getenv("DDPM_FUZZ_VERBOSE")) fprintf(stderr, "%s\n", path);
    LLVMFuzzerTestOneInput((const uint8_t *)data, bytes);
    free(data);
    current = NULL;
    return 1;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static size_t replay(const char *path)
{
    struct stat about;
    if (stat(path, &about) != 0 || !S_ISDIR(about.st_mode)) return replay_file(path);
    struct dirent **entry;
    const int count = scandir(path, &entry, is_visible, alphasort);
    for (int i = 0; i < count; i++) {
        char file[4096];
        snprintf(file, sizeof file, "%s/%s", path, entry[i]->d_name);
        replay_file(file);
        free(entry[i]);
    }
    if (count >= 0) free(entry);
    return count > 0 ? (size_t)count : 0;
}

int main(int argc, char **argv)
{
    size_t inputs = 0;
    for (int i = 1; i < argc; i++) {
        const size_t found = replay(argv[i]);
        if (found == 0) {
            fprintf(stderr, "%s: there is no input in it\n", argv[i]);
            return 66;
        }
        inputs += found;
    }
    if (inputs == 0) {
        fprintf(stderr, "usage: %s FOLDER|FILE...\n", argv[0]);
        return 64;
    }
    printf("%zu inputs\n", inputs);
    return 0;
}
