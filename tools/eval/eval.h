/** @file eval.h
 *  ddpm-eval: a table of subcommands, one file or a few each. Every one is called on all ranks with
 *  its own arguments (argv[0] is "ddpm-eval bpd"), starts MPI once these make sense (*comm, which
 *  the caller stops), and comes to the same status on all ranks. Rank 0 reports. */
#ifndef EVAL_H
#define EVAL_H
#include "ddpm/base/hash.h"
#include "ddpm/data/dataset.h"
#include "ddpm/dist/comm.h"

#include <argp.h>
#include <jansson.h>
#include <stdint.h>

ddpm_status eval_bpd(ddpm_comm **comm, int argc, char **argv);
ddpm_status eval_fid(ddpm_comm **comm, int argc, char **argv);
ddpm_status eval_kid(ddpm_comm **comm, int argc, char **argv);
ddpm_status eval_prdc(ddpm_comm **comm, int argc, char **argv);
ddpm_status eval_features(ddpm_comm **comm, int argc, char **argv);
ddpm_status eval_swd(ddpm_comm **comm, int argc, char **argv);
ddpm_status eval_classifier_distance(ddpm_comm **comm, int argc, char **argv);
ddpm_status eval_memorization(ddpm_comm **comm, int argc, char **argv);
ddpm_status eval_compare(ddpm_comm **comm, int argc, char **argv);

enum { EVAL_PATH = 4096, EVAL_KEY = 17 };
/** The options that all of them have. */
typedef struct {
    const char *directory; /**< --out, or NULL */
    int threads;
    bool json, quiet;
} eval_common;
extern const struct argp eval_common_argp; /**< a child whose input is an eval_common */

int64_t eval_number(const char *text, int64_t min, int64_t max, const char *option,
                    struct argp_state *state);

/** Starts MPI, names this rank in messages. */
DDPM_NODISCARD ddpm_status eval_start(ddpm_comm **comm, const eval_common *common);
/** The same, then kernels and threads, alike on every rank. Collective. */
DDPM_NODISCARD ddpm_status eval_prepare(ddpm_comm **comm, const eval_common *common);
/** The key of an evaluation: the first 64 bits of its identity's SHA-256, in hexadecimal. */
void eval_key(char key[EVAL_KEY], const char *identity);
/** {"path", "name", "content_hash", "images"} of a data set. */
json_t *eval_describe_data(const ddpm_dataset *set, const char *path);
/** JSON has no NaN and no infinity: null stands for them. */
json_t *eval_json_real(double value);
/** "created" and "program" into a result. */
void eval_sign(json_t *result);
/** --out, or eval/ beside `path`; made where it is not there. */
DDPM_NODISCARD ddpm_status eval_directory(char directory[EVAL_PATH], const eval_common *common,
                                          const char *path);
/** The whole object on standard output. */
DDPM_NODISCARD ddpm_status eval_print_json(const json_t *result);
/** Signs a result, appends it to results.jsonl in `directory`, and with --json prints it; it is
 *  released. NULL: there was no memory for it. */
DDPM_NODISCARD ddpm_status eval_publish(json_t *result, const eval_common *common,
                                        const char *directory);

/** ddpm_comm_agree, and then that all ranks are at the same evaluation, by its identity: a file may
 *  be another one where another rank looks. Collective. */
DDPM_NODISCARD ddpm_status eval_agree(ddpm_comm *comm, ddpm_status mine, const char *identity);
#endif
