#include "ddpm/eval/rows.h"

#include "append_file.h"
#include "ddpm/base/hash.h"
#include "ddpm/base/log.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The head, then records {unit, seal, the unit's bytes}: of whole units but for the last, so that a
 * record says by its number how long it is. The seal is XXH3-64 of {that of the identity, the
 * number, that of the bytes}. */
static const char magic[32] = "ddpm-eval rows 1\n";
typedef struct {
    char magic[sizeof magic];
    unsigned char identity[DDPM_SHA256_BYTES];
} head;
typedef struct {
    uint64_t unit, seal;
} record;

struct ddpm_eval_rows {
    append_file file;
    uint64_t identity;
    char *buffer;
    size_t bytes, unit_bytes, units;
    bool *has;             /* [units] */
    unsigned char *record; /* [sizeof(record) + unit_bytes]: one on its way from or to the file */
};

static size_t size_of(const ddpm_eval_rows *rows, uint64_t unit)
{
    const size_t left = rows->bytes - (size_t)unit * rows->unit_bytes;
    return left < rows->unit_bytes ? left : rows->unit_bytes;
}

static uint64_t seal_of(const ddpm_eval_rows *rows, uint64_t unit, const void *data)
{
    const uint64_t all[3] = { rows->identity, unit, ddpm_xxh64_of(data, size_of(rows, unit)) };
    return ddpm_xxh64_of(all, sizeof all);
}

/* *got: as many of the bytes at this place as there are. */
static ddpm_status read_at(size_t *got, const ddpm_eval_rows *rows, uint64_t at, void *data,
                           size_t bytes)
{
    for (*got = 0; *got < bytes;) {
        const ssize_t more = pread(rows->file.fd, (char *)data + *got, bytes - *got,
                                   (off_t)(at + *got));
        if (more < 0 && errno == EINTR) continue;
        if (more < 0) return ddpm_fail(DDPM_EIO, "%s: %s", rows->file.path, strerror(errno));
        if (more == 0) break;
        *got += (size_t)more;
    }
    return DDPM_OK;
}

static void make_head(head *of, const char *identity)
{
    memcpy(of->magic, magic, sizeof magic);
    ddpm_sha256_of(of->identity, identity, strlen(identity));
}

/* *end: where it ends. A file with a part of our head has nothing in it that would be lost. */
static ddpm_status take_head(uint64_t *end, const ddpm_eval_rows *rows, const char *identity)
{
    head want, is = { 0 };
    size_t got;
    make_head(&want, identity);
    DDPM_TRY(read_at(&got, rows, 0, &is, sizeof is));
    if (memcmp(is.magic, magic, got < sizeof magic ? got : sizeof magic) != 0)
        return ddpm_fail(DDPM_EDATA,
                         "%s is no file of partial results of this program; move it away",
                         rows->file.path);
    *end = sizeof want;
    if (got < sizeof want) {
        DDPM_TRY(append_file_cut(&rows->file, 0));
        return append_file_write(&rows->file, &want, sizeof want);
    }
    if (memcmp(&is, &want, sizeof want) == 0) return DDPM_OK;
    return ddpm_fail(DDPM_ECONFIG, "%s has partial results of another evaluation; move it away",
                     rows->file.path);
}

/* Record after record up to one that is not whole. Behind a damaged number nothing is known of what
 * follows. */
static ddpm_status take_records(uint64_t *end, size_t *damaged, ddpm_eval_rows *rows)
{
    for (;;) {
        record of;
        size_t got;
        DDPM_TRY(read_at(&got, rows, *end, &of, sizeof of));
        if (got < sizeof of) return DDPM_OK;
        if (of.unit >= rows->units) {
            ++*damaged;
            return DDPM_OK;
        }
        const size_t bytes = size_of(rows, of.unit);
        DDPM_TRY(read_at(&got, rows, *end + sizeof of, rows->record, bytes));
        if (got < bytes) return DDPM_OK;
        *end += sizeof of + bytes;
        if (seal_of(rows, of.unit, rows->record) != of.seal) {
            ++*damaged;
            continue;
        }
        memcpy(rows->buffer + of.unit * rows->unit_bytes, rows->record, bytes);
        rows->has[of.unit] = true;
    }
}

static ddpm_status open_file(ddpm_eval_rows *rows, const char *path, const char *identity)
{
    uint64_t end;
    size_t damaged = 0;
    DDPM_TRY(append_file_open(&rows->file, path, false));
    DDPM_TRY(take_head(&end, rows, identity));
    DDPM_TRY(take_records(&end, &damaged, rows));
    if (damaged)
        ddpm_log_warning("%s: %zu records are damaged; what they held is computed again", path,
                         damaged);
    return append_file_cut(&rows->file, end);
}

ddpm_status ddpm_eval_rows_open(ddpm_eval_rows **out, const char *path, const char *identity,
                                void *buffer, size_t bytes, size_t unit_bytes)
{
    ddpm_eval_rows *rows = malloc(sizeof *rows);
    if (!rows) return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    const size_t units = (bytes + unit_bytes - 1) / unit_bytes;
    *rows = (ddpm_eval_rows){ .file.fd = -1,
                              .identity = ddpm_xxh64_of(identity, strlen(identity)),
                              .buffer = buffer,
                              .bytes = bytes,
                              .unit_bytes = unit_bytes,
                              .units = units,
                              .has = calloc(units, sizeof *rows->has),
                              .record = malloc(sizeof(record) + unit_bytes) };
    ddpm_status status = DDPM_OK;
    if (!rows->has || !rows->record) status = ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    if (status == DDPM_OK) status = open_file(rows, path, identity);
    if (status == DDPM_OK)
        *out = rows;
    else
        ddpm_eval_rows_close(rows);
    return status;
}

void ddpm_eval_rows_close(ddpm_eval_rows *rows)
{
    if (!rows) return;
    append_file_close(&rows->file);
    free(rows->has);
    free(rows->record);
    free(rows);
}

bool ddpm_eval_rows_has(const ddpm_eval_rows *rows, size_t unit)
{
    return rows->has[unit];
}

ddpm_status ddpm_eval_rows_add(ddpm_eval_rows *rows, size_t unit)
{
    const char *data = rows->buffer + unit * rows->unit_bytes;
    const record of = { .unit = unit, .seal = seal_of(rows, unit, data) };
    memcpy(rows->record, &of, sizeof of);
    memcpy(rows->record + sizeof of, data, size_of(rows, unit));
    DDPM_TRY(append_file_write(&rows->file, rows->record, sizeof of + size_of(rows, unit)));
    rows->has[unit] = true;
    return DDPM_OK;
}
