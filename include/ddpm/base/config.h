/** @file base/config.h
 *  The configuration: one typed struct, and one table of keys that parsing, checking, printing,
 *  help, tests and checkpoints read. INI files by inih. */
#ifndef DDPM_BASE_CONFIG_H
#define DDPM_BASE_CONFIG_H
#include "ddpm/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    DDPM_CONFIG_LIST = 8,    /**< most elements of a list */
    DDPM_CONFIG_PATH = 1024, /**< longest string, with its 0 */
    DDPM_CONFIG_WORD = 32,   /**< longest word of a choice, with its 0 */
    DDPM_CONFIG_KEYS = 96    /**< room for keys */
};

typedef struct {
    size_t count;
    int64_t at[DDPM_CONFIG_LIST];
} ddpm_int_list;
typedef struct {
    size_t count;
    double at[DDPM_CONFIG_LIST];
} ddpm_real_list;

typedef struct {
    enum { DDPM_SOURCE_DEFAULT, DDPM_SOURCE_FILE, DDPM_SOURCE_COMMAND_LINE } kind;
    int line; /**< in the file, counted from 1 */
} ddpm_config_source;

/** Every key in its section: config.train.batch is `train.batch`. Sizes are in what the key's help
 *  says. Words of a choice are kept as text; who uses them looks them up in its own table. */
typedef struct {
    struct {
        char path[DDPM_CONFIG_PATH];
        bool flip;
        int64_t prefetch; /**< batches read ahead */
    } data;
    struct {
        int64_t channels, blocks, groups, image_size, image_width, image_channels, classes;
        ddpm_int_list channel_mult, attention;
        double dropout;
    } model;
    struct {
        int64_t steps;
        char process[DDPM_CONFIG_WORD], schedule[DDPM_CONFIG_WORD];
        double beta_start, beta_end;
    } diffusion;
    struct {
        char prediction[DDPM_CONFIG_WORD], loss[DDPM_CONFIG_WORD], variance[DDPM_CONFIG_WORD];
        char timesteps[DDPM_CONFIG_WORD];
        double min_snr; /**< gamma; 0: none */
    } objective;
    struct {
        int64_t batch, micro_batch, steps, warmup, seed, threads, audit_every;
        double time_limit;                    /**< seconds; 0: none */
        double wall_clock, wall_clock_margin; /**< seconds; 0: none */
        double label_dropout;
        double lr, beta1, beta2, epsilon;
        double clip; /**< 0: none */
        bool recompute;
        char precision[DDPM_CONFIG_WORD];
    } train;
    struct {
        ddpm_real_list rates;
    } ema;
    struct {
        int64_t every, keep, keep_every, attempts;
        double retry; /**< seconds */
    } checkpoint;
    struct {
        int64_t every, count, steps;
        char sampler[DDPM_CONFIG_WORD];
        double eta;
    } sample;
    struct {
        int64_t every, images, draws; /**< 0: never, all, no bound */
        char data[DDPM_CONFIG_PATH], metric[DDPM_CONFIG_WORD];
    } eval;
    struct {
        char allreduce[DDPM_CONFIG_WORD];
        bool overlap, shared_memory, sharded_optimizer, check_collectives;
        double timeout; /**< seconds; 0: none */
        double straggler;
    } dist;
    struct {
        int64_t every;
    } log;
    char file[DDPM_CONFIG_PATH]; /**< the INI file it was read from; "" if none */
    ddpm_config_source source[DDPM_CONFIG_KEYS];
} ddpm_config;

typedef enum {
    DDPM_KEY_INT,
    DDPM_KEY_REAL,
    DDPM_KEY_BOOL,
    DDPM_KEY_TEXT,
    DDPM_KEY_CHOICE,
    DDPM_KEY_DURATION,
    DDPM_KEY_INT_LIST,
    DDPM_KEY_REAL_LIST
} ddpm_key_type;

/** One row of the table. */
typedef struct {
    const char *name; /**< "section.key" */
    ddpm_key_type type;
    size_t offset;        /**< of the value in ddpm_config */
    const char *standard; /**< default, as it would stand in a file */
    double min, max;      /**< of a number, of each number of a list, of a duration in seconds */
    const char *choices;  /**< "linear cosine ..." */
    bool fixed;           /**< part of what a run is: may not change when it is resumed */
    const char *help;
} ddpm_config_key;

extern const ddpm_config_key ddpm_config_keys[];
extern const size_t ddpm_config_key_count;

/** All defaults. Cannot fail. */
void ddpm_config_init(ddpm_config *config);
/** Reads an INI file over what is there. DDPM_ENOINPUT: no such file; DDPM_ECONFIG: an unknown key
 *  (with the nearest known one), a bad value, a key given twice; each with file:line. */
DDPM_NODISCARD ddpm_status ddpm_config_read(ddpm_config *config, const char *path);
/** The same from text, e.g. of a checkpoint; `name` stands for the file in messages. */
DDPM_NODISCARD ddpm_status ddpm_config_parse(ddpm_config *config, const char *text,
                                             const char *name);
/** "section.key=value" of the command line. DDPM_ECONFIG. */
DDPM_NODISCARD ddpm_status ddpm_config_set(ddpm_config *config, const char *assignment);
/** Contradictions between keys (batch and micro-batch, channels and groups, sizes and levels, parts
 *  of an objective, ...).
 *  DDPM_ECONFIG names both keys and where each was set. */
DDPM_NODISCARD ddpm_status ddpm_config_check(const ddpm_config *config);

/** Whether anything looks at a key. A flow does not look at diffusion.schedule, beta_start,
 * beta_end and objective.variance; a noise schedule need not look at beta_start or beta_end. */
bool ddpm_config_has_part(const ddpm_config *config, const char *name);

/** The value of row `key` as it would stand in a file; returns `text`. */
const char *ddpm_config_value(const ddpm_config *config, size_t key, char *text, size_t size);
/** "default", "file.ini:12", "command line"; returns `text`. */
const char *ddpm_config_origin(const ddpm_config *config, size_t key, char *text, size_t size);
/** Whether a file or the command line says it. */
bool ddpm_config_is_set(const ddpm_config *config, const char *name);
/** "train.batch = 100 (run.ini:4)", for messages. */
typedef struct {
    char text[DDPM_CONFIG_PATH + 256];
} ddpm_config_quoted;
ddpm_config_quoted ddpm_config_quote(const ddpm_config *config, const char *name);
/** The whole configuration as an INI text, malloc'ed; NULL when out of memory. Reading it back
 *  gives the same configuration. */
char *ddpm_config_text(const ddpm_config *config);
/** The first row of the table with `fixed` whose value differs, or -1. */
int ddpm_config_first_difference(const ddpm_config *a, const ddpm_config *b);
#endif
