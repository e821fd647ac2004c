#include "eval.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/base/path.h"
#include "ddpm/base/text.h"
#include "ddpm/eval/results.h"
#include "ddpm/io/sealed_file.h"
#include "ddpm/kernels/isa.h"
#include "ddpm/train/threads.h"

#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_THREADS = 1024 };

static const struct argp_option options[] = {
    { NULL, 0, NULL, 0, "Output and work:", 10 },
    { "out", 'o', "DIR", 0, "Where results.jsonl and pictures go", 10 },
    { "json", 'j', NULL, 0, "Print the result as JSON", 10 },
    { "quiet", 'q', NULL, 0, "Say nothing but results, warnings and errors", 10 },
    { "threads", OPTION_THREADS, "N", 0, "Threads a process; default: its share of cores", 10 },
    { 0 },
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    eval_common *common = state->input;
    switch (key) {
    case 'o': common->directory = text; return 0;
    case 'j': common->json = true; return 0;
    case 'q': common->quiet = true; return 0;
    case OPTION_THREADS:
        common->threads = (int)eval_number(text, 0, 4096, "--threads", state);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

const struct argp eval_common_argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

int64_t eval_number(const char *text, int64_t min, int64_t max, const char *option,
                    struct argp_state *state)
{
    int64_t value = 0;
    if (!ddpm_text_int64(&value, text, min, max))
        argp_error(state, "%s %s: a whole number from %" PRId64 " to %" PRId64 " is needed", option,
                   text, min, max);
    return value;
}

uint64_t eval_seed(const char *text, struct argp_state *state)
{
    static const int64_t most = ((int64_t)1 << 53) - 1; /* JSON's numbers hold it */
    return (uint64_t)eval_number(text, 0, most, "--seed", state);
}

void eval_take(const char **first, const char **second, const char *text,
               const struct argp_state *state)
{
    if (state->arg_num > 1) argp_error(state, "%s is one too many", text);
    *(state->arg_num == 0 ? first : second) = text;
}

int eval_run(eval_perform *perform, const void *arguments, const eval_common *common)
{
    ddpm_comm *comm = NULL;
    if (common->quiet) ddpm_log_init("ddpm-eval", DDPM_LOG_WARNING);
    ddpm_status status = ddpm_comm_start(&comm, NULL, NULL);
    if (status == DDPM_OK) status = perform(comm, arguments);
    /* Every rank has the same failure; one tells. */
    const bool speaks = !comm || ddpm_comm_rank(comm) == 0;
    const int code = speaks ? ddpm_log_failure(status) : (int)status;
    ddpm_comm_stop(comm);
    return code;
}

static char kernels[256];

const char *eval_kernels(void)
{
    return kernels;
}

ddpm_status eval_prepare(ddpm_comm *comm, const eval_common *common)
{
    int threads;
    const ddpm_status status = ddpm_comm_agree(comm, ddpm_kernels_init());
    if (status != DDPM_OK) return status;
    DDPM_TRY(ddpm_threads_set(&threads, comm, common->threads));
    snprintf(kernels, sizeof kernels, "%s, %s, %s", DDPM_VERSION, ddpm_isa_of_results(false),
             ddpm_blas_name());
    return ddpm_comm_require_same(comm, "the program and its kernels", kernels);
}

void eval_key(char key[EVAL_KEY], const char *identity)
{
    unsigned char digest[DDPM_SHA256_BYTES];
    ddpm_sha256_of(digest, identity, strlen(identity));
    ddpm_hex(key, digest, (EVAL_KEY - 1) / 2);
}

json_t *eval_json_text(const char *text)
{
    const size_t size = 4 * strlen(text) + 1;
    char *valid = malloc(size);
    json_t *json = valid ? json_string(ddpm_text_utf8(valid, size, text)) : NULL;
    free(valid);
    return json;
}

json_t *eval_describe_data(const ddpm_dataset *set, const char *path)
{
    const ddpm_dataset_info *info = ddpm_dataset_get_info(set);
    return json_pack("{s:o,s:o,s:s,s:I}", "path", eval_json_text(path), "name",
                     eval_json_text(info->name), "content_hash", info->content_hash, "images",
                     (json_int_t)info->shape.n);
}

json_t *eval_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

void eval_sign(json_t *result)
{
    char created[32];
    ddpm_clock_utc(created, sizeof created);
    json_object_set_new(result, "created", json_string(created));
    json_object_set_new(result, "program", json_string("ddpm-eval " DDPM_VERSION));
}

ddpm_status eval_print_json(const json_t *result)
{
    if (json_dumpf(result, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) == 0 &&
        putchar('\n') != EOF)
        return DDPM_OK;
    return ddpm_fail(DDPM_EIO, "cannot write to standard output: %s", strerror(errno));
}

ddpm_status eval_directory(char directory[EVAL_PATH], const eval_common *common, const char *path)
{
    char copy[EVAL_PATH];
    if (common->directory) {
        DDPM_TRY(ddpm_path_print(directory, EVAL_PATH, "%s", common->directory));
    } else {
        DDPM_TRY(ddpm_path_print(copy, sizeof copy, "%s", path));
        DDPM_TRY(ddpm_path_print(directory, EVAL_PATH, "%s/eval", dirname(copy)));
    }
    return ddpm_make_directory(directory);
}

ddpm_status eval_publish(json_t *result, const eval_common *common, const char *directory)
{
    if (!result) return ddpm_fail(DDPM_EOS, "out of memory");
    eval_sign(result);
    ddpm_status status = ddpm_results_append(directory, result);
    if (status == DDPM_OK && common->json) status = eval_print_json(result);
    json_decref(result);
    return status;
}

ddpm_status eval_agree(ddpm_comm *comm, ddpm_status mine, const char *identity)
{
    const ddpm_status status = ddpm_comm_agree(comm, mine);
    if (status != DDPM_OK) return status;
    return ddpm_comm_require_same(comm, "what is compared", identity);
}
