#include "ddpm/eval/parts.h"

#include "append_file.h"
#include "ddpm/base/hash.h"
#include "ddpm/base/log.h"
#include "ddpm/io/sealed_file.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* {"format":"ddpm-eval parts 1","identity":"..."}
 * {"unit":0,"values":[...],"seal":"0123456789abcdef"}
 * The seal is XXH3-64 of that of the identity and that of the line up to `,"seal"`. */
static const char format[] = "ddpm-eval parts 1";
enum { SEAL_TAIL = sizeof ",\"seal\":\"0123456789abcdef\"}" - 1, NUMBER = 25 };
static const size_t file_limit = (size_t)1 << 32;

struct ddpm_eval_parts {
    append_file file;
    size_t units, values;
    uint64_t identity;
    double **unit; /* [units] */
    char *line;
};

static void tail_of(char tail[SEAL_TAIL + 1], const ddpm_eval_parts *parts, const char *line,
                    size_t length)
{
    const uint64_t seal[2] = { parts->identity, ddpm_xxh64_of(line, length) };
    snprintf(tail, SEAL_TAIL + 1, ",\"seal\":\"%016" PRIx64 "\"}",
             ddpm_xxh64_of(seal, sizeof seal));
}

static ddpm_status keep(ddpm_eval_parts *parts, size_t unit, const double *values)
{
    assert(parts->values > 0);
    double *copy = malloc(parts->values * sizeof *copy);
    if (!copy) return ddpm_fail(DDPM_EOS, "%s: out of memory", parts->file.path);
    memcpy(copy, values, parts->values * sizeof *copy);
    free(parts->unit[unit]);
    parts->unit[unit] = copy;
    return DDPM_OK;
}

/* Whether a whole line is one of ours; its numbers into `values`. */
static bool parse_line(size_t *unit, double *values, const ddpm_eval_parts *parts, const char *line,
                       size_t length)
{
    char tail[SEAL_TAIL + 1];
    if (length <= SEAL_TAIL) return false;
    tail_of(tail, parts, line, length - SEAL_TAIL);
    if (memcmp(line + length - SEAL_TAIL, tail, SEAL_TAIL) != 0) return false;
    json_t *json = json_loadb(line, length, 0, NULL);
    const json_t *number = json_object_get(json, "unit"), *list = json_object_get(json, "values");
    const bool fits = json_is_integer(number) && json_integer_value(number) >= 0 &&
                      json_array_size(list) == parts->values;
    if (fits) {
        *unit = (size_t)json_integer_value(number);
        for (size_t i = 0; i < parts->values; i++)
            values[i] = json_number_value(json_array_get(list, i));
    }
    json_decref(json);
    return fits;
}

static ddpm_status check_head(const ddpm_eval_parts *parts, const char *line, size_t length,
                              const char *identity)
{
    json_t *json = json_loadb(line, length, 0, NULL);
    const char *is = json_string_value(json_object_get(json, "format"));
    const char *of = json_string_value(json_object_get(json, "identity"));
    ddpm_status status = DDPM_OK;
    if (!is || strcmp(is, format) != 0 || !of)
        status = ddpm_fail(DDPM_EDATA,
                           "%s is no file of partial results of this program; move it away",
                           parts->file.path);
    else if (strcmp(of, identity) != 0)
        status = ddpm_fail(DDPM_ECONFIG,
                           "%s has partial results of another evaluation:\n%s\nand this one is:\n"
                           "%s\nmove it away",
                           parts->file.path, of, identity);
    json_decref(json);
    return status;
}

/* Takes up what is there; *end: where the last whole line ends. */
static ddpm_status take_up(ddpm_eval_parts *parts, size_t *end, const char *text, size_t bytes,
                           const char *identity)
{
    double *values = malloc(parts->values * sizeof *values);
    if (!values) return ddpm_fail(DDPM_EOS, "%s: out of memory", parts->file.path);
    ddpm_status status = DDPM_OK;
    size_t damaged = 0;
    for (size_t at = 0; at < bytes && status == DDPM_OK;) {
        const char *line = text + at, *stop = memchr(line, '\n', bytes - at);
        if (!stop) break;
        const size_t length = (size_t)(stop - line);
        size_t unit = 0;
        if (at == 0)
            status = check_head(parts, line, length, identity);
        else if (!parse_line(&unit, values, parts, line, length))
            damaged++;
        else if (unit < parts->units)
            status = keep(parts, unit, values);
        at += length + 1;
        *end = at;
    }
    free(values);
    if (damaged)
        ddpm_log_warning("%s: %zu lines are damaged; what they held is computed again",
                         parts->file.path, damaged);
    return status;
}

static ddpm_status write_head(const ddpm_eval_parts *parts, const char *identity)
{
    json_t *json = json_pack("{s:s,s:s}", "format", format, "identity", identity);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!text) return ddpm_fail(DDPM_EOS, "%s: out of memory", parts->file.path);
    ddpm_status status = append_file_write(&parts->file, text, strlen(text));
    if (status == DDPM_OK) status = append_file_write(&parts->file, "\n", 1);
    free(text);
    return status;
}

static ddpm_status open_file(ddpm_eval_parts *parts, const char *path, const char *identity)
{
    DDPM_TRY(append_file_open(&parts->file, path, false));
    char *text;
    size_t bytes, end = 0;
    DDPM_TRY(ddpm_read_file(&text, &bytes, path, file_limit));
    ddpm_status status = take_up(parts, &end, text, bytes, identity);
    free(text);
    if (status == DDPM_OK && end < bytes) status = append_file_cut(&parts->file, end);
    if (status == DDPM_OK && end == 0) status = write_head(parts, identity);
    return status;
}

ddpm_status ddpm_eval_parts_open(ddpm_eval_parts **out, const char *path, const char *identity,
                                 size_t units, size_t values)
{
    ddpm_eval_parts *parts = calloc(1, sizeof *parts);
    if (!parts) return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    *parts = (ddpm_eval_parts){ .file.fd = -1,
                                .units = units,
                                .values = values,
                                .identity = ddpm_xxh64_of(identity, strlen(identity)),
                                .unit = calloc(units, sizeof *parts->unit),
                                .line = malloc(64 + values * NUMBER + SEAL_TAIL) };
    ddpm_status status = DDPM_OK;
    if (!parts->unit || !parts->line) status = ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    if (status == DDPM_OK) status = open_file(parts, path, identity);
    if (status == DDPM_OK)
        *out = parts;
    else
        ddpm_eval_parts_close(parts);
    return status;
}

void ddpm_eval_parts_close(ddpm_eval_parts *parts)
{
    if (!parts) return;
    append_file_close(&parts->file);
    for (size_t u = 0; parts->unit && u < parts->units; u++) free(parts->unit[u]);
    free(parts->unit);
    free(parts->line);
    free(parts);
}

const double *ddpm_eval_parts_get(const ddpm_eval_parts *parts, size_t unit)
{
    return unit < parts->units ? parts->unit[unit] : NULL;
}

ddpm_status ddpm_eval_parts_add(ddpm_eval_parts *parts, size_t unit, const double *values)
{
    char *line = parts->line;
    size_t used = (size_t)sprintf(line, "{\"unit\":%zu,\"values\":[", unit);
    for (size_t i = 0; i < parts->values; i++) {
        if (!isfinite(values[i]))
            return ddpm_fail(DDPM_EDATA,
                             "a result of unit %zu is not finite: these weights are no good", unit);
        /* 17 digits read back as the same double; "-0" would as an integer. */
        const bool negative_zero = values[i] == 0.0 && signbit(values[i]);
        used += (size_t)sprintf(line + used, negative_zero ? "%s%.1f" : "%s%.17g", i ? "," : "",
                                values[i]);
    }
    line[used++] = ']';
    char tail[SEAL_TAIL + 1];
    tail_of(tail, parts, line, used);
    memcpy(line + used, tail, SEAL_TAIL);
    line[used + SEAL_TAIL] = '\n';
    DDPM_TRY(append_file_write(&parts->file, line, used + SEAL_TAIL + 1));
    return keep(parts, unit, values);
}
