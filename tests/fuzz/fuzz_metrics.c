/* metrics.jsonl as a resumed run finds it: what is left is whole lines of the file, in their order,
 * of steps up to that of the checkpoint; and doing it again changes nothing. */
#include "fuzz.h"

#include "ddpm/io/sealed_file.h"
#include "metrics.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STEP = 200, EVALUATED = 150 };

static void write_file(const char *path, const void *data, size_t bytes)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    FUZZ_REQUIRE(fd >= 0 && write(fd, data, bytes) == (ssize_t)bytes && close(fd) == 0);
}

static char *resume(size_t *bytes, const char *path, uint64_t step)
{
    ddpm_metrics *metrics;
    char *text;
    FUZZ_REQUIRE(ddpm_train__metrics_open(&metrics, path, step, EVALUATED) == DDPM_OK);
    ddpm_train__metrics_close(metrics);
    FUZZ_REQUIRE(ddpm_read_file(&text, bytes, path, SIZE_MAX / 2) == DDPM_OK);
    return text;
}

/* Whether `kept` are lines of the text, in its order. */
static int is_selection(const char *kept, size_t kept_bytes, const char *text, size_t bytes)
{
    const char *end = text + bytes;
    while (kept_bytes > 0) {
        const char *stop = memchr(kept, '\n', kept_bytes);
        if (!stop) return 0;
        const size_t length = (size_t)(stop - kept) + 1;
        for (;;) {
            const char *next = memchr(text, '\n', (size_t)(end - text));
            if (!next) return 0;
            const size_t candidate = (size_t)(next - text) + 1;
            const int same = candidate == length && memcmp(text, kept, length) == 0;
            text += candidate;
            if (same) break;
        }
        kept += length;
        kept_bytes -= length;
    }
    return 1;
}

/* How many whole lines belong to a run of STEP steps. */
static size_t count_wanted(const char *text, size_t bytes)
{
    size_t count = 0;
    const char *end = text + bytes;
    for (const char *stop; (stop = memchr(text, '\n', (size_t)(end - text))); text = stop + 1) {
        json_t *line = json_loadb(text, (size_t)(stop - text), 0, NULL);
        json_int_t step = -1;
        const json_int_t last = json_object_get(line, "eval_loss") ? EVALUATED : STEP;
        if (json_unpack(line, "{s:I}", "step", &step) == 0 && step >= 0 && step <= last) count++;
        json_decref(line);
    }
    return count;
}

static size_t count_lines(const char *text, size_t bytes)
{
    size_t count = 0;
    for (size_t i = 0; i < bytes; i++) count += text[i] == '\n';
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const char *path = fuzz_scratch("metrics.jsonl");
    write_file(path, data, bytes);
    size_t kept, again;
    char *text = resume(&kept, path, STEP), *text_again = resume(&again, path, STEP);
    FUZZ_REQUIRE(again == kept && memcmp(text, text_again, kept) == 0);
    FUZZ_REQUIRE(is_selection(text, kept, (const char *)data, bytes));
    FUZZ_REQUIRE(count_lines(text, kept) == count_wanted((const char *)data, bytes));
    FUZZ_REQUIRE(count_lines(text, kept) == count_wanted(text, kept));
    free(text_again);
    free(text);
    return 0;
}
