/* faults_damage KIND SEED FILE: damages the file where it lies. Kinds: damage.h. */
#include "damage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char *read_whole(size_t *bytes, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    unsigned char *data = NULL;
    if (fseek(file, 0, SEEK_END) == 0) {
        *bytes = (size_t)ftell(file);
        rewind(file);
        data = malloc(*bytes + 1);
        if (data && fread(data, 1, *bytes, file) != *bytes) {
            free(data);
            data = NULL;
        }
    }
    fclose(file);
    return data;
}

int main(int argc, char **argv)
{
    int kind = 0;
    size_t bytes = 0;
    if (argc != 4) return 64;
    while (kind < DAMAGE_KINDS && strcmp(argv[1], damage_names[kind]) != 0) kind++;
    if (kind == DAMAGE_KINDS) return 64;
    unsigned char *data = read_whole(&bytes, argv[3]);
    if (!data || bytes < 8192) return 66;
    damage(data, &bytes, (damage_kind)kind, strtoull(argv[2], NULL, 10));
    FILE *file = fopen(argv[3], "wb");
    if (!file || fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0) return 74;
    free(data);
    return 0;
}
