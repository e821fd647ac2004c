/* compare: the results of runs in one table, and as plots over training and sampling steps. */
#include "compare.h"

#include "ddpm/base/log.h"
#include "ddpm/base/path.h"
#include "ddpm/eval/results.h"
#include "ddpm/io/sealed_file.h"

#include <stdio.h>
#include <stdlib.h>

enum { RUNS_MOST = 64 };

typedef struct {
    eval_common common;
    const char *run[RUNS_MOST];
    size_t runs;
} arguments;

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *to = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (to->runs == RUNS_MOST) argp_error(state, "at most %d runs", RUNS_MOST);
        to->run[to->runs++] = text;
        return 0;
    case ARGP_KEY_END:
        if (to->runs == 0) argp_error(state, "a run is needed, or a file or directory of results");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static ddpm_status publish_table(const char *directory, const compare_rows *rows)
{
    char path[EVAL_PATH], *content = NULL;
    size_t bytes = 0;
    DDPM_TRY(ddpm_path_print(path, sizeof path, "%s/compare.tsv", directory));
    FILE *file = open_memstream(&content, &bytes);
    if (!file) return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    compare_table(file, rows, true);
    ddpm_status status = fclose(file) == 0 ? DDPM_OK
                                           : ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    if (status == DDPM_OK) status = ddpm_publish_file(path, content, bytes);
    free(content);
    return status;
}

/* All results; `all` keeps what the rows point into. */
static ddpm_status collect(compare_rows *rows, json_t *all, const arguments *a)
{
    for (size_t k = 0; k < a->runs; k++) {
        json_t *results;
        DDPM_TRY(ddpm_results_read(&results, a->run[k]));
        json_array_append_new(all, results);
        if (json_array_size(results) == 0) ddpm_log_warning("%s has no results", a->run[k]);
        for (size_t i = 0; i < json_array_size(results); i++)
            DDPM_TRY(compare_rows_add(rows, json_array_get(results, i), a->run[k]));
    }
    if (rows->count == 0) return ddpm_fail(DDPM_EDATA, "there are no results");
    compare_rows_finish(rows);
    return DDPM_OK;
}

static ddpm_status report(const arguments *a, const compare_rows *rows, const json_t *all)
{
    if (a->common.directory) {
        DDPM_TRY(ddpm_make_directory(a->common.directory));
        DDPM_TRY(publish_table(a->common.directory, rows));
        DDPM_TRY(compare_plots(a->common.directory, rows));
    }
    if (a->common.json) return eval_print_json(all);
    compare_table(stdout, rows, false);
    return DDPM_OK;
}

static ddpm_status perform(ddpm_comm *comm, const void *arguments_given)
{
    const arguments *given = arguments_given;
    ddpm_status status = DDPM_OK;
    if (ddpm_comm_rank(comm) == 0) {
        compare_rows rows = { 0 };
        json_t *all = json_array();
        status = all ? collect(&rows, all, given) : ddpm_fail(DDPM_EOS, "out of memory");
        if (status == DDPM_OK) status = report(given, &rows, all);
        compare_rows_free(&rows);
        json_decref(all);
    }
    return ddpm_comm_agree(comm, status);
}

int eval_compare(int argc, char **argv)
{
    static const struct argp argp = {
        .parser = parse,
        .args_doc = "RUN...",
        .doc = "The results of runs in one table, evaluations in the course of training among "
               "them; with --out DIR also as compare.tsv, and plots of each metric over training "
               "steps and over sampling steps.",
    };
    arguments given = { 0 };
    ddpm_command_parse(&argp, &eval_common_argp, argc, argv, &given);
    return eval_run(perform, &given, &given.common);
}
