/* ddpm-dist doctor: every rank collects facts about its place, rank 0 judges those of all. What
 * collects reads below `root` ("" but in tests); what judges is a function of the facts alone. */
#ifndef DDPM_APP_DOCTOR_H
#define DDPM_APP_DOCTOR_H
#ifndef _GNU_SOURCE
#error "cpu_set_t needs _GNU_SOURCE"
#endif
#include "ddpm/base/config.h"
#include "ddpm/base/hash.h"
#include "ddpm/base/launch.h"
#include "ddpm/dist/comm.h"
#include "ddpm/train/plan.h"

#include <sched.h>

enum { DDPM_DOCTOR_TEXT = 128, DDPM_DOCTOR_MESSAGE = 640, DDPM_DOCTOR_VARIABLES = 16 };

/* A status that is told later, by another rank. */
typedef struct {
    ddpm_status status;
    char message[DDPM_DOCTOR_MESSAGE];
} ddpm_doctor_outcome;
void ddpm_app__doctor_keep(ddpm_doctor_outcome *outcome, ddpm_status status);

typedef struct {
    char program[DDPM_SHA256_HEX], version[32], isa[32], best_isa[32], results_isa[32],
        blas[DDPM_DOCTOR_TEXT];
    char library[DDPM_DOCTOR_TEXT];
    bool threads; /* MPI_THREAD_MULTIPLE */
    ddpm_doctor_outcome kernels;
    double flops; /* a second, of our matrix product on this rank's threads; 0: not measured */
} ddpm_doctor_program;

typedef struct {
    cpu_set_t mask;   /* hardware threads that this rank may run on */
    cpu_set_t cores;  /* the first hardware thread of each of their cores */
    cpu_set_t usable; /* the same of all that the job has on this node */
    int numa_domains; /* that the mask has a part of */
    int threads;      /* that training will use */
    int slurm_cpus;   /* that SLURM gives a task; 0: not known */
    double quota;     /* cores' worth of time that the cgroup grants; 0: no limit */
    /* Found on rank 0, from the facts of the node's ranks. */
    int sharers;         /* ranks with the same mask, this one too */
    bool oversubscribed; /* the node, or this rank, has more threads than cores */
} ddpm_doctor_cores;

typedef struct {
    bool set;
    char value[64];
} ddpm_doctor_variable;

typedef struct {
    char infiniband[DDPM_DOCTOR_TEXT]; /* active devices: "mlx5_0 mlx5_1" */
    int ptrace_scope;                  /* of Yama; 0 also where there is none */
    /* Sums over the ranks of `bytes`, and of a few: over all of them, and within the node. */
    uint64_t bytes;
    double sum_seconds, latency_seconds, node_sum_seconds;
} ddpm_doctor_network;

typedef struct {
    uint64_t limit, available, swap_used, shared_free; /* bytes */
    char huge_pages[16];                               /* "always", "madvise", "never"; "" */
    int overcommit;
    uint64_t address_space, locked, stack, files, core; /* soft limits; UINT64_MAX: none */
    ddpm_doctor_outcome plan;                           /* whether the node's ranks fit */
    uint64_t plan_bytes;                                /* of a rank; 0: no configuration */
} ddpm_doctor_memory;

typedef struct {
    double offset_seconds; /* of the wall clock, against rank 0's */
    uint64_t resolution_ns;
    int64_t seconds_left; /* to SLURM_JOB_END_TIME; INT64_MAX: no such */
} ddpm_doctor_clock;

/* How a call on the run directory went: 0, or its errno. */
typedef struct {
    ddpm_doctor_outcome directory; /* it can be made, and a file in it */
    char path[DDPM_DOCTOR_MESSAGE / 2], type[32];
    uint64_t free_bytes, checkpoint_bytes, checkpoints;
    int exclusive, lock, rename, sync, sync_directory;
    bool lock_excludes;                  /* a second open file does not get the lock */
    double small_seconds, large_seconds; /* write and fsync of 1 and 64 MiB */
} ddpm_doctor_storage;

typedef struct {
    int rank;
    char host[64];
    ddpm_launch launch; /* its text is this process' own */
    ddpm_doctor_program program;
    ddpm_doctor_cores cores;
    ddpm_doctor_variable variable[DDPM_DOCTOR_VARIABLES];
    ddpm_doctor_network network;
    ddpm_doctor_memory memory;
    ddpm_doctor_clock clock;
    ddpm_doctor_storage storage; /* rank 0's */
    ddpm_doctor_outcome config, data;
    char config_hash[DDPM_XXH128_HEX];
    bool reads_data; /* there is a configuration, and with it data to be read */
} ddpm_doctor_facts;

/* The facts of some ranks of one world. */
typedef struct {
    const ddpm_doctor_facts *const *rank;
    int count;
    int world, nodes;
    const ddpm_config *config; /* NULL: none was given */
    const ddpm_plan *plan;     /* NULL: none could be made */
} ddpm_doctor_group;

typedef enum { DDPM_DOCTOR_OK, DDPM_DOCTOR_WARNING, DDPM_DOCTOR_ERROR, DDPM_VERDICTS } ddpm_verdict;
typedef struct ddpm_doctor_report ddpm_doctor_report;

/* Says what was found about the group at hand. `fine` counts only where nothing else was said of
 * it, so it comes last. `remedy` may be NULL. */
DDPM_PRINTF(2, 3) void ddpm_app__fine(ddpm_doctor_report *report, const char *format, ...);
DDPM_PRINTF(3, 4)
void ddpm_app__warn(ddpm_doctor_report *report, const char *remedy, const char *format, ...);
DDPM_PRINTF(4, 5)
void ddpm_app__wrong(ddpm_doctor_report *report, ddpm_status code, const char *remedy,
                     const char *format, ...);

typedef void ddpm_doctor_judge(ddpm_doctor_report *report, const ddpm_doctor_group *group);
typedef enum { DDPM_SCOPE_RANK, DDPM_SCOPE_NODE, DDPM_SCOPE_WORLD } ddpm_doctor_scope;
typedef struct {
    const char *name;
    ddpm_doctor_scope scope; /* whose facts the judge gets at a time */
    ddpm_doctor_judge *judge;
} ddpm_doctor_check;
extern const ddpm_doctor_check ddpm_app__doctor_checks[];
extern const size_t ddpm_app__doctor_check_count;

/* doctor_report.c. The facts of `ranks` ranks, which must outlive the report; NULL: no memory. */
ddpm_doctor_report *ddpm_app__report_create(const ddpm_doctor_facts *facts, int ranks);
void ddpm_app__report_free(ddpm_doctor_report *report);
/* Lets a check judge every group of its scope; world, nodes, config and plan are `all`'s. */
void ddpm_app__report_judge(ddpm_doctor_report *report, const ddpm_doctor_check *check,
                            const ddpm_doctor_group *all);
/* How often a verdict was given; the exit code: that of the first error, or 0. */
size_t ddpm_app__report_count(const ddpm_doctor_report *report, ddpm_verdict verdict);
ddpm_status ddpm_app__report_code(const ddpm_doctor_report *report);
/* doctor_print.c */
DDPM_NODISCARD ddpm_status ddpm_app__report_print(const ddpm_doctor_report *report, bool json);

/* The collectors and the judges, by subject. */
void ddpm_app__collect_cores(ddpm_doctor_cores *cores, const cpu_set_t *mask, const char *root);
void ddpm_app__derive_cores(ddpm_doctor_facts *facts, int ranks);
void ddpm_app__collect_environment(ddpm_doctor_variable variable[DDPM_DOCTOR_VARIABLES]);
void ddpm_app__collect_program(ddpm_doctor_program *program, const ddpm_comm *comm, bool bf16);
void ddpm_app__collect_network(ddpm_doctor_network *network, const char *root);
void ddpm_app__collect_memory(ddpm_doctor_memory *memory, const char *root);
void ddpm_app__collect_storage(ddpm_doctor_storage *storage, const char *directory);
void ddpm_app__collect_clock(ddpm_doctor_clock *clock);
/* Collective: what is measured by all ranks at once. */
DDPM_NODISCARD ddpm_status ddpm_app__measure(ddpm_doctor_facts *facts, ddpm_comm *comm);

ddpm_doctor_judge ddpm_app__judge_ranks, ddpm_app__judge_program, ddpm_app__judge_config;
ddpm_doctor_judge ddpm_app__judge_binding, ddpm_app__judge_node_cores, ddpm_app__judge_numa;
ddpm_doctor_judge ddpm_app__judge_environment, ddpm_app__judge_isa, ddpm_app__judge_blas;
ddpm_doctor_judge ddpm_app__judge_speed, ddpm_app__judge_transport, ddpm_app__judge_overlap;
ddpm_doctor_judge ddpm_app__judge_sums, ddpm_app__judge_single_copy, ddpm_app__judge_memory;
ddpm_doctor_judge ddpm_app__judge_shared_memory, ddpm_app__judge_pages, ddpm_app__judge_limits;
ddpm_doctor_judge ddpm_app__judge_clock, ddpm_app__judge_data, ddpm_app__judge_directory;
ddpm_doctor_judge ddpm_app__judge_lock, ddpm_app__judge_durability;
#endif
