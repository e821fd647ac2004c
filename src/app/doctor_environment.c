/* Variables that slow the program down, or say something else than the configuration does. */
#include "doctor.h"

#include "ddpm/base/text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef bool hurts(const char *value, const ddpm_doctor_facts *facts);

static bool always(const char *value, const ddpm_doctor_facts *facts)
{
    (void)value, (void)facts;
    return true;
}

static bool is_not_the_threads(const char *value, const ddpm_doctor_facts *facts)
{
    int64_t threads;
    return !ddpm_text_int64(&threads, value, 1, INT32_MAX) || threads != facts->cores.threads;
}

static bool is_fewer_than_the_threads(const char *value, const ddpm_doctor_facts *facts)
{
    int64_t threads;
    return ddpm_text_int64(&threads, value, 1, INT32_MAX) && threads < facts->cores.threads;
}

static bool is_not_one(const char *value, const ddpm_doctor_facts *facts)
{
    (void)facts;
    return strcmp(value, "1") != 0;
}

static bool pins_several_ranks(const char *value, const ddpm_doctor_facts *facts)
{
    return strcasecmp(value, "false") != 0 && facts->cores.sharers > 1;
}

static bool is_true(const char *value, const ddpm_doctor_facts *facts)
{
    (void)facts;
    return strcasecmp(value, "true") == 0;
}

/* Spinning is right where a core is the thread's own, sleeping where it is not. */
static bool is_the_wrong_wait(const char *value, const ddpm_doctor_facts *facts)
{
    const bool passive = strcasecmp(value, "passive") == 0;
    return facts->cores.threads > 1 && passive != facts->cores.oversubscribed;
}

static const struct {
    const char *name;
    hurts *hurts;
    const char *effect, *remedy;
} variables[] = {
    { "OMP_NUM_THREADS", is_not_the_threads,
      "counts for nothing: training uses train.threads, or the rank's cores",
      "unset it; --set train.threads=N says how many" },
    { "OMP_THREAD_LIMIT", is_fewer_than_the_threads, "leaves the kernels fewer threads than asked",
      "unset it" },
    { "OMP_DYNAMIC", is_true, "lets OpenMP run fewer threads than there are cores", "unset it" },
    { "OMP_PROC_BIND", pins_several_ranks,
      "pins the threads of ranks that are not bound to the same cores",
      "bind the ranks (mpirun --map-by slot:PE=CORES --bind-to core), or unset it" },
    { "OMP_PLACES", pins_several_ranks,
      "pins the threads of ranks that are not bound to the same cores",
      "bind the ranks (mpirun --map-by slot:PE=CORES --bind-to core), or unset it" },
    { "GOMP_CPU_AFFINITY", always, "pins threads whatever the launcher bound the ranks to",
      "unset it, and let mpirun or srun bind" },
    { "OMP_WAIT_POLICY", is_the_wrong_wait,
      "does not suit: waiting threads should spin (active, the default) where each has a core, and "
      "sleep (passive) where ranks and threads are more than cores",
      "unset it where each thread has a core; OMP_WAIT_POLICY=passive where not" },
    { "OPENBLAS_NUM_THREADS", is_not_one,
      "counts for nothing but idle threads: each call uses one, and the kernels share the work",
      "unset it" },
    { "GOTO_NUM_THREADS", is_not_one, "counts for nothing but idle threads of BLAS", "unset it" },
    { "OPENBLAS_CORETYPE", always,
      "makes BLAS use another processor's kernels, on a newer one at half the speed", "unset it" },
    { "OPENBLAS_L2_SIZE", always, "makes BLAS cut its blocks for another processor's cache",
      "unset it" },
    { "MALLOC_PERTURB_", is_not_one, "fills all memory that is allocated: for finding bugs only",
      "unset it" },
    { "LD_PRELOAD", always, "puts another library between the program and the system",
      "unset it, unless it is meant" },
};
enum { VARIABLES = sizeof variables / sizeof *variables };
static_assert(sizeof variables / sizeof *variables <= DDPM_DOCTOR_VARIABLES,
              "the facts have room for the variables");

void ddpm_app__collect_environment(ddpm_doctor_variable variable[DDPM_DOCTOR_VARIABLES])
{
    for (size_t i = 0; i < VARIABLES; i++) {
        const char *value = getenv(variables[i].name);
        variable[i].set = value && *value;
        snprintf(variable[i].value, sizeof variable[i].value, "%s", value ? value : "");
    }
}

void ddpm_app__judge_environment(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    const ddpm_doctor_facts *facts = group->rank[0];
    for (size_t i = 0; i < VARIABLES; i++) {
        const ddpm_doctor_variable *variable = &facts->variable[i];
        if (variable->set && variables[i].hurts(variable->value, facts))
            ddpm_app__warn(report, variables[i].remedy, "%s=%s %s", variables[i].name,
                           variable->value, variables[i].effect);
    }
    if (facts->cores.oversubscribed && facts->cores.threads > 1) {
        bool says = false;
        for (size_t i = 0; i < VARIABLES; i++)
            says |= facts->variable[i].set && strcmp(variables[i].name, "OMP_WAIT_POLICY") == 0;
        if (!says)
            ddpm_app__warn(report, "export OMP_WAIT_POLICY=passive, or use fewer threads",
                           "OMP_WAIT_POLICY is not set, and ranks and threads are more than cores: "
                           "waiting threads spin on cores that others need");
    }
    ddpm_app__fine(report, "nothing that slows or contradicts");
}
