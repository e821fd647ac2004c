/* ddpm-dist doctor: what is wrong with this place for training, and how to mend it. */
#include "doctor.h"
#include "app.h"

#include "ddpm/base/log.h"
#include "ddpm/data/dataset.h"
#include "ddpm/train/model.h"
#include "ddpm/train/threads.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { JSON = 0x100 };

typedef struct {
    ddpm_app_options common;
    const char *run;
    bool json;
} arguments;

static const struct argp_option options[] = {
    { "run", 'r', "DIR", 0,
      "Try out the file system of this run directory; the working directory by default", 1 },
    { "json", JSON, NULL, 0, "As JSON", 1 },
    { 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    arguments *args = state->input;
    switch (key) {
    case 'r':
        if (!*argument) argp_error(state, "--run needs the name of a directory");
        args->run = argument;
        return 0;
    case JSON: args->json = true; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc =
        "Says what is wrong with this place for training, and how to mend it: cores and binding, "
        "environment, kernels, transport, sums over the ranks, memory, clocks, the run directory. "
        "Start it as the job would be: alone, or with the same mpirun or srun. Takes some "
        "seconds.\v"
        "Exit codes: 0 all is well but for warnings; 78 ranks, program or configuration would not "
        "train; 66 or 65 data, 71 memory, 73 or 74 the run directory: the first error's.",
};

/* One process' part of the plan; what fails is told by rank 0. */
typedef struct {
    ddpm_config config;
    ddpm_plan plan;
    bool has_config, has_plan;
} job_facts;

static void hash_config(char hex[DDPM_XXH128_HEX], const ddpm_config *config)
{
    char *text = ddpm_config_text(config);
    if (text) ddpm_xxh128_hex(hex, text, strlen(text));
    free(text);
}

static ddpm_status check_readable(const char *path)
{
    if (access(path, R_OK) == 0) return DDPM_OK;
    return ddpm_fail(DDPM_ENOINPUT, "%s cannot be read", path);
}

static ddpm_status read_data(ddpm_config *config, ddpm_plan_data *data)
{
    if (!*config->data.path) return ddpm_fail(DDPM_ECONFIG, "data.path is not set");
    DDPM_TRY(ddpm_app__fit_data(config, data));
    DDPM_TRY(check_readable(config->data.path));
    return config->eval.every > 0 ? check_readable(config->eval.data) : DDPM_OK;
}

static void read_job(job_facts *job, ddpm_doctor_facts *facts, const arguments *args, int ranks,
                     int node_ranks)
{
    ddpm_config *config = &job->config;
    ddpm_plan_data data = { 0 };
    ddpm_app__doctor_keep(&facts->config, ddpm_app__load(config, &args->common, false));
    if (facts->config.status != DDPM_OK) ddpm_config_init(config);
    hash_config(facts->config_hash, config);
    job->has_config = args->common.file && facts->config.status == DDPM_OK;
    if (!job->has_config) return;
    facts->reads_data = true;
    ddpm_app__doctor_keep(&facts->data, read_data(config, &data));
    if (config->model.image_size == 0 || config->model.image_channels == 0) return;
    const ddpm_status status = ddpm_plan_make(&job->plan, config, ranks, &data);
    job->has_plan = status == DDPM_OK;
    ddpm_app__doctor_keep(&facts->config, status);
    if (!job->has_plan) return;
    facts->memory.plan_bytes = job->plan.memory_total_bytes;
    ddpm_app__doctor_keep(&facts->memory.plan, ddpm_plan_check_memory(&job->plan, node_ranks));
    facts->storage.checkpoint_bytes = job->plan.checkpoint_bytes;
    facts->storage.checkpoints = (uint64_t)config->checkpoint.keep + 1;
}

static ddpm_status collect(ddpm_doctor_facts *facts, job_facts *job, ddpm_comm *comm,
                           const arguments *args)
{
    cpu_set_t mask;
    CPU_ZERO(&mask);
    if (sched_getaffinity(0, sizeof mask, &mask) != 0) CPU_SET(0, &mask);
    facts->rank = ddpm_comm_rank(comm);
    snprintf(facts->host, sizeof facts->host, "%s", ddpm_comm_host(comm));
    facts->launch = ddpm_launch_find();
    read_job(job, facts, args, ddpm_comm_size(comm), ddpm_comm_node_size(comm));
    ddpm_app__collect_program(&facts->program, comm,
                              strcmp(job->config.train.precision, "bf16") == 0);
    ddpm_app__collect_cores(&facts->cores, &mask, "");
    ddpm_app__collect_environment(facts->variable);
    ddpm_app__collect_network(&facts->network, "");
    ddpm_app__collect_memory(&facts->memory, "");
    ddpm_app__collect_clock(&facts->clock);
    if (facts->rank == 0) ddpm_app__collect_storage(&facts->storage, args->run ? args->run : ".");
    return ddpm_threads_set(&facts->cores.threads, comm, job->config.train.threads);
}

/* Other builds may know other facts: this much is exchanged first, and stays as it is. */
typedef struct {
    char program[DDPM_SHA256_HEX], host[64];
} introduction;

static ddpm_status compare_programs(bool *same, ddpm_doctor_facts *all, ddpm_comm *comm)
{
    const size_t ranks = (size_t)ddpm_comm_size(comm);
    introduction mine = { 0 }, *others = calloc(ranks, sizeof *others);
    size_t *bytes = calloc(ranks, sizeof *bytes);
    ddpm_status status = others && bytes ? DDPM_OK
                                         : ddpm_fail(DDPM_EOS, "no memory to compare programs");
    status = ddpm_comm_agree(comm, status);
    if (status != DDPM_OK) goto done;
    assert(others && bytes);
    ddpm_sha256_program(mine.program);
    snprintf(mine.host, sizeof mine.host, "%s", ddpm_comm_host(comm));
    status = ddpm_comm_gather(comm, others, &mine, sizeof mine, bytes);
    *same = true;
    for (size_t r = 0; status == DDPM_OK && all && r < ranks; r++) {
        all[r].rank = (int)r;
        snprintf(all[r].host, sizeof all[r].host, "%s", others[r].host);
        snprintf(all[r].program.program, DDPM_SHA256_HEX, "%s", others[r].program);
        *same &= strcmp(others[r].program, others[0].program) == 0;
    }
    if (status == DDPM_OK) status = ddpm_comm_broadcast(comm, same, sizeof *same, 0);
done:
    free(others);
    free(bytes);
    return status;
}

/* Judges on rank 0; of different programs nothing else is known than that they are. */
static ddpm_status tell(ddpm_status *code, ddpm_doctor_facts *facts, const job_facts *job,
                        const ddpm_comm *comm, bool json, bool same)
{
    const int ranks = ddpm_comm_size(comm);
    ddpm_doctor_report *report = ddpm_app__report_create(facts, ranks);
    if (!report) return ddpm_fail(DDPM_EOS, "no memory for the report");
    const ddpm_doctor_group all = { .world = ranks,
                                    .nodes = ddpm_comm_node_count(comm),
                                    .config = job->has_config ? &job->config : NULL,
                                    .plan = job->has_plan ? &job->plan : NULL };
    ddpm_app__derive_cores(facts, ranks);
    for (size_t i = 0; i < ddpm_app__doctor_check_count; i++)
        if (same || ddpm_app__doctor_checks[i].judge == ddpm_app__judge_program)
            ddpm_app__report_judge(report, &ddpm_app__doctor_checks[i], &all);
    const ddpm_status status = ddpm_app__report_print(report, json);
    *code = ddpm_app__report_code(report);
    ddpm_app__report_free(report);
    return status;
}

static ddpm_status examine(ddpm_status *code, ddpm_comm *comm, const arguments *args)
{
    static job_facts job;
    const size_t ranks = (size_t)ddpm_comm_size(comm);
    ddpm_doctor_facts *mine = calloc(1, sizeof *mine), *all = NULL;
    size_t *bytes = calloc(ranks, sizeof *bytes);
    ddpm_status status = DDPM_OK;
    if (ddpm_comm_rank(comm) == 0) all = calloc(ranks, sizeof *all);
    if (!mine || !bytes || (ddpm_comm_rank(comm) == 0 && !all))
        status = ddpm_fail(DDPM_EOS, "no memory for what %zu ranks found", ranks);
    status = ddpm_comm_agree(comm, status);
    if (status != DDPM_OK) goto done;
    assert(mine && bytes);
    bool same;
    status = compare_programs(&same, all, comm);
    if (status != DDPM_OK) goto done;
    if (same) {
        status = collect(mine, &job, comm, args);
        if (status == DDPM_OK) status = ddpm_app__measure(mine, comm);
        if (status == DDPM_OK) status = ddpm_comm_gather(comm, all, mine, sizeof *mine, bytes);
    }
    if (status == DDPM_OK && all) status = tell(code, all, &job, comm, args->json, same);
    status = ddpm_comm_agree(comm, status);
    if (status == DDPM_OK) status = ddpm_comm_broadcast(comm, code, sizeof *code, 0);
done:
    free(mine);
    free(all);
    free(bytes);
    return status;
}

static void judge_start(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    const ddpm_doctor_outcome *start = &group->rank[0]->config;
    ddpm_app__wrong(report, start->status, NULL, "%s", start->message);
}

/* MPI did not start, or not as one world: of processes that do not know each other the first tells
 * the others' story too. */
static int refuse(ddpm_status status, bool json)
{
    static const ddpm_doctor_check check = { "ranks", DDPM_SCOPE_WORLD, judge_start };
    static ddpm_doctor_facts facts;
    if (ddpm_launch_find().rank > 0) return (int)status;
    ddpm_app__doctor_keep(&facts.config, status);
    ddpm_doctor_report *report = ddpm_app__report_create(&facts, 1);
    if (!report) return ddpm_log_failure(status);
    ddpm_app__report_judge(report, &check, &(ddpm_doctor_group){ .world = 1, .nodes = 1 });
    const ddpm_status printed = ddpm_app__report_print(report, json);
    ddpm_app__report_free(report);
    return printed == DDPM_OK ? (int)status : ddpm_log_failure(printed);
}

int ddpm_app__doctor(int argc, char **argv)
{
    arguments args = { 0 };
    ddpm_command_parse(&argp, &ddpm_app__config_argp, argc, argv, &args);
    ddpm_comm *comm;
    ddpm_status code = DDPM_OK, status = ddpm_comm_start(&comm, &argc, &argv);
    if (status != DDPM_OK) {
        ddpm_app__options_free(&args.common);
        return refuse(status, args.json);
    }
    status = examine(&code, comm, &args);
    ddpm_app__options_free(&args.common);
    const int failed = ddpm_app__conclude(comm, status);
    return failed ? failed : (int)code;
}
