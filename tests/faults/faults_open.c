/* faults_open TRIALS SEED FILE: opens TRIALS damaged copies of a checkpoint for each kind of
 * damage, as every program does. Each must be refused as bad data, by a message that names the
 * file; what was read without a word, or refused for another reason, is printed. Exits 1 where that
 * happened. */
#include "damage.h"

#include "ddpm/train/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char copy_name[] = "damaged.h5";

static int put(const unsigned char *data, size_t bytes)
{
    FILE *file = fopen(copy_name, "wb");
    if (!file) return 0;
    const int whole = fwrite(data, 1, bytes, file) == bytes;
    return fclose(file) == 0 && whole;
}

/* What is wrong with how it was refused; NULL: nothing. */
static const char *judge(void)
{
    ddpm_checkpoint *checkpoint = NULL;
    const ddpm_status status = ddpm_checkpoint_open(&checkpoint, copy_name);
    if (status == DDPM_OK) {
        ddpm_checkpoint_close(checkpoint);
        return "was read as if it were whole";
    }
    if (status != DDPM_EDATA) return "was refused, but not as bad data";
    return strstr(ddpm_status_message(), copy_name) ? NULL : "was refused without its name";
}

static int try_kind(damage_kind kind, uint64_t trials, uint64_t seed, const unsigned char *whole,
                    size_t whole_bytes, unsigned char *copy)
{
    int wrong = 0;
    for (uint64_t i = 0; i < trials; i++) {
        size_t bytes = whole_bytes;
        memcpy(copy, whole, bytes);
        damage(copy, &bytes, kind, seed + i);
        if (!put(copy, bytes)) {
            perror(copy_name);
            exit(74);
        }
        const char *complaint = judge();
        if (!complaint) continue;
        wrong++;
        printf("faults_damage %s %" PRIu64 ": %s\n", damage_names[kind], seed + i, complaint);
    }
    printf("%s: %" PRIu64 " tried, %d wrong\n", damage_names[kind], trials, wrong);
    return wrong;
}

/* An untouched copy must be good, or nothing that follows means anything. */
static int whole_is_good(const unsigned char *whole, size_t bytes)
{
    ddpm_checkpoint *checkpoint = NULL;
    if (!put(whole, bytes)) return 0;
    if (ddpm_checkpoint_open(&checkpoint, copy_name) != DDPM_OK) {
        printf("the whole checkpoint is refused: %s\n", ddpm_status_message());
        return 0;
    }
    ddpm_checkpoint_close(checkpoint);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 4) return 64;
    const uint64_t trials = strtoull(argv[1], NULL, 10), seed = strtoull(argv[2], NULL, 10);
    FILE *file = fopen(argv[3], "rb");
    if (!file) return 66;
    unsigned char *whole = NULL, *copy = NULL;
    size_t bytes = 0;
    int code = 66;
    if (fseek(file, 0, SEEK_END) == 0) bytes = (size_t)ftell(file);
    rewind(file);
    whole = malloc(bytes + 1);
    copy = malloc(bytes + 1);
    if (!whole || !copy || bytes < 8192 || fread(whole, 1, bytes, file) != bytes) goto done;
    code = !whole_is_good(whole, bytes);
    for (int kind = 0; kind < DAMAGE_KINDS && code == 0; kind++)
        code = try_kind((damage_kind)kind, trials, seed, whole, bytes, copy) != 0;
    remove(copy_name);
done:
    fclose(file);
    free(whole);
    free(copy);
    return code;
}
