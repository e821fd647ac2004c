/** @file eval.h
 *  ddpm-eval: a table of subcommands, one file or a few each. Every one parses its arguments
 *  (ddpm_command_parse, argv[0] is "ddpm-eval bpd") and has the rest run by eval_run. */
#ifndef EVAL_H
#define EVAL_H
#include "ddpm/base/command.h"
#include "ddpm/base/hash.h"
#include "ddpm/data/dataset.h"
#include "ddpm/dist/comm.h"

#include <jansson.h>
#include <stdint.h>

int eval_bpd(int argc, char **argv);
int eval_fid(int argc, char **argv);
int eval_kid(int argc, char **argv);
int eval_prdc(int argc, char **argv);
int eval_features(int argc, char **argv);
int eval_swd(int argc, char **argv);
int eval_classifier_distance(int argc, char **argv);
int eval_memorization(int argc, char **argv);
int eval_compare(int argc, char **argv);

enum { EVAL_PATH = 4096, EVAL_KEY = 17 };
/** The options that almost all of them have, at the beginning of their own structures. */
typedef struct {
    const char *directory; /**< --out, or NULL */
    int threads;
    bool json, quiet;
} eval_common;
extern const struct argp eval_common_argp; /**< what ddpm_command_parse calls shared */

int64_t eval_number(const char *text, int64_t min, int64_t max, const char *option,
                    struct argp_state *state);
/** The value of --seed. */
uint64_t eval_seed(const char *text, struct argp_state *state);
/** An argument of a subcommand that has two. */
void eval_take(const char **first, const char **second, const char *text,
               const struct argp_state *state);

/** A subcommand's work, on all ranks with their own arguments; all come to the same status. Rank 0
 *  reports. */
typedef ddpm_status eval_perform(ddpm_comm *comm, const void *arguments);
/** Starts MPI, performs, tells a failure, and stops MPI; returns the exit code. */
int eval_run(eval_perform *perform, const void *arguments, const eval_common *common);
/** Kernels and threads, alike on every rank. Collective. */
DDPM_NODISCARD ddpm_status eval_prepare(ddpm_comm *comm, const eval_common *common);
/** After that: program version, instruction set and BLAS, "0.1.0, avx2, OpenBLAS 0.3.21 Haswell".
 *  The last bits of what is computed depend on them. */
const char *eval_kernels(void);
/** The key of an evaluation: the first 64 bits of its identity's SHA-256, in hexadecimal. */
void eval_key(char key[EVAL_KEY], const char *identity);
/** A text for JSON: bytes that are no UTF-8 (a path may hold any) are escaped. NULL: no memory. */
json_t *eval_json_text(const char *text);
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
