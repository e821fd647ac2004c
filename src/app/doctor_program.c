/* Whether the ranks are one job of one program, and run the kernels that they should. */
#include "doctor.h"

#include "ddpm/kernels/isa.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double straggler_share = 0.75; /* of the median speed */

void ddpm_app__doctor_keep(ddpm_doctor_outcome *outcome, ddpm_status status)
{
    outcome->status = status;
    snprintf(outcome->message, sizeof outcome->message, "%s",
             status == DDPM_OK ? "" : ddpm_status_message());
}

void ddpm_app__collect_program(ddpm_doctor_program *program, const ddpm_comm *comm, bool bf16)
{
    ddpm_app__doctor_keep(&program->kernels, ddpm_kernels_init());
    ddpm_sha256_program(program->program);
    snprintf(program->version, sizeof program->version, "%s", DDPM_VERSION);
    snprintf(program->isa, sizeof program->isa, "%s", ddpm_isa_name());
    snprintf(program->results_isa, sizeof program->results_isa, "%s", ddpm_isa_of_results(bf16));
    snprintf(program->best_isa, sizeof program->best_isa, "%s", ddpm_isa_best());
    snprintf(program->blas, sizeof program->blas, "%s", ddpm_blas_name());
    snprintf(program->library, sizeof program->library, "%s", ddpm_comm_library(comm));
    program->threads = ddpm_comm_has_threads(comm);
}

void ddpm_app__judge_ranks(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    const ddpm_launch *launch = &group->rank[0]->launch;
    if (launch->slurm_tasks && launch->slurm_tasks != group->world) {
        if (!launch->launcher)
            ddpm_app__wrong(report, DDPM_ECONFIG,
                            "start it with srun --mpi=pmix or mpirun; where one rank is meant, ask "
                            "SLURM for one task (--ntasks=1)",
                            "SLURM gave this job %" PRId64 " tasks (SLURM_NTASKS), and this is one "
                            "rank by itself: the rest of the job would do nothing",
                            launch->slurm_tasks);
        else
            ddpm_app__warn(report, "as many ranks as SLURM has tasks, or ask SLURM for as many",
                           "SLURM gave this job %" PRId64
                           " tasks (SLURM_NTASKS), and %s started %d "
                           "ranks",
                           launch->slurm_tasks, launch->launcher, group->world);
    }
    int least = group->count, most = 0;
    for (int i = 0; i < group->count; i++) {
        int here = 0;
        for (int j = 0; j < group->count; j++)
            here += strcmp(group->rank[i]->host, group->rank[j]->host) == 0;
        if (here < least) least = here;
        if (here > most) most = here;
    }
    if (least != most)
        ddpm_app__warn(report, "mpirun --map-by ppr:N:node; srun --ntasks-per-node=N",
                       "nodes have from %d to %d ranks: the fullest ones hold the others up, and "
                       "their ranks do not add up gradients in shared memory",
                       least, most);
    ddpm_app__fine(report, "%d on %d node%s, %d a node; started %s%s", group->world, group->nodes,
                   group->nodes == 1 ? "" : "s", most, launch->launcher ? "by " : "alone",
                   launch->launcher ? launch->launcher : "");
}

static const char *program_of(const ddpm_doctor_facts *facts)
{
    return facts->program.program;
}
static const char *isa_of(const ddpm_doctor_facts *facts)
{
    return facts->program.results_isa;
}
static const char *blas_of(const ddpm_doctor_facts *facts)
{
    return facts->program.blas;
}

static const char *config_of(const ddpm_doctor_facts *facts)
{
    return facts->config_hash;
}

/* Training compares the same at its start. */
void ddpm_app__judge_program(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    static const struct {
        const char *what, *remedy;
        const char *(*of)(const ddpm_doctor_facts *);
    } same[] = {
        { "program (SHA-256)", "install one build where all nodes see it", program_of },
        { "configuration (its hash)", "put the file where every node sees the same", config_of },
        { "instruction set",
          "nodes of one kind (sbatch --constraint), or the poorest one's on all of them: mpirun -x "
          "DDPM_ISA=avx2",
          isa_of },
        { "BLAS kernels",
          "nodes of one kind (sbatch --constraint), or one kernel on all of them: mpirun -x "
          "OPENBLAS_CORETYPE=Haswell",
          blas_of },
    };
    const ddpm_doctor_facts *first = group->rank[0];
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        for (int r = 1; r < group->count; r++) {
            const ddpm_doctor_facts *other = group->rank[r];
            if (strcmp(same[i].of(first), same[i].of(other)) == 0) continue;
            ddpm_app__wrong(report, DDPM_ECONFIG, same[i].remedy,
                            "the %s of rank %d (%s) is '%.24s', that of rank 0 (%s) '%.24s': the "
                            "results would differ",
                            same[i].what, other->rank, other->host, same[i].of(other), first->host,
                            same[i].of(first));
            break;
        }
    ddpm_app__fine(report, "ddpm-dist %s, %s, %s%s", first->program.version, first->program.isa,
                   first->program.blas, group->count > 1 ? ", the same on all ranks" : "");
}

void ddpm_app__judge_isa(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    const ddpm_doctor_program *p = &group->rank[0]->program;
    if (p->kernels.status != DDPM_OK)
        ddpm_app__wrong(report, p->kernels.status, "unset DDPM_ISA", "%s", p->kernels.message);
    else if (strcmp(p->isa, p->best_isa) != 0)
        ddpm_app__warn(report, "unset DDPM_ISA, unless all nodes need the poorest one's",
                       "the kernels run %s, and this processor has %s", p->isa, p->best_isa);
#ifdef __x86_64__
    else if (strcmp(p->best_isa, "generic") == 0)
        ddpm_app__warn(report, "nodes with AVX2 or AVX-512, or a virtual machine that shows them",
                       "this processor has no AVX2: training takes several times as long");
#endif
    ddpm_app__fine(report, "%s, the best that the processor has", p->isa);
}

void ddpm_app__judge_blas(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    /* What OpenBLAS takes for processors that it does not know. */
    static const char *const old[] = { "Generic",    "Katmai",       "Coppermine", "Northwood",
                                       "Prescott",   "Banias",       "Core2",      "Penryn",
                                       "Dunnington", "Atom",         "Nehalem",    "Athlon",
                                       "Opteron",    "Opteron_SSE3", "Barcelona",  "Bobcat",
                                       "Nano" };
    const ddpm_doctor_program *p = &group->rank[0]->program;
    const char *space = strrchr(p->blas, ' '), *core = space ? space + 1 : p->blas;
    for (size_t i = 0; i < sizeof old / sizeof *old; i++)
        if (strcasecmp(core, old[i]) == 0 && strcmp(p->best_isa, "generic") != 0)
            ddpm_app__warn(report,
                           "unset OPENBLAS_CORETYPE; where it is not set, OpenBLAS is too old for "
                           "the processor or was built without DYNAMIC_ARCH",
                           "BLAS runs %s, kernels for a processor without AVX2, and this one has "
                           "%s",
                           p->blas, p->best_isa);
    ddpm_app__fine(report, "%s", p->blas);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Ranks that compute in step wait for the slowest of them, every step. */
void ddpm_app__judge_speed(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    double *sorted = malloc((size_t)group->count * sizeof *sorted);
    if (!sorted) {
        ddpm_app__warn(report, NULL, "no memory to compare the ranks");
        return;
    }
    for (int r = 0; r < group->count; r++) sorted[r] = group->rank[r]->program.flops;
    qsort(sorted, (size_t)group->count, sizeof *sorted, by_value);
    const double median = sorted[group->count / 2], slowest = sorted[0];
    free(sorted);
    for (int r = 0; r < group->count; r++) {
        const ddpm_doctor_facts *facts = group->rank[r];
        if (facts->program.flops < straggler_share * median)
            ddpm_app__warn(report,
                           "look for other programs there (top), a lower clock, fewer cores for "
                           "this rank, or leave the node out (sbatch --exclude)",
                           "rank %d on %s is a straggler: %.0f GFLOP/s where the median is %.0f, "
                           "and all others wait for it",
                           facts->rank, facts->host, facts->program.flops * 1e-9, median * 1e-9);
    }
    ddpm_app__fine(report, "matrix products at %.0f GFLOP/s a rank, the slowest at %.0f",
                   median * 1e-9, slowest * 1e-9);
}
