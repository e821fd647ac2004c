/** @file doctor_case.h
 *  A world of ranks in which all is well, to be spoilt by a test, and what a check says of it. */
#ifndef DOCTOR_CASE_H
#define DOCTOR_CASE_H
#include "check.h"
#include "doctor_report.h"

#include <stdio.h>
#include <string.h>

enum { CASE_RANKS = 8, CASE_NODE_RANKS = 4, CASE_NODE_CORES = 8 };

typedef struct {
    ddpm_doctor_facts facts[CASE_RANKS];
    ddpm_doctor_group all;
    ddpm_config config;
    ddpm_plan plan;
} doctor_case;

static inline void cpu_range(cpu_set_t *cpus, size_t first, size_t count)
{
    CPU_ZERO(cpus);
    for (size_t i = 0; i < count; i++) CPU_SET(first + i, cpus);
}

/** 8 ranks on 2 nodes of 8 cores in 4 NUMA domains, 2 threads on 2 cores each. */
static inline void case_init(doctor_case *c)
{
    *c = (doctor_case){ .all = { .world = CASE_RANKS, .nodes = 2 } };
    ddpm_config_init(&c->config);
    for (int r = 0; r < CASE_RANKS; r++) {
        ddpm_doctor_facts *f = &c->facts[r];
        f->rank = r;
        f->launch = (ddpm_launch){ .launcher = "mpirun", .processes = CASE_RANKS };
        snprintf(f->host, sizeof f->host, "node%d", r / CASE_NODE_RANKS);
        f->program = (ddpm_doctor_program){ .program = "abc",
                                            .version = "1",
                                            .isa = "avx2",
                                            .best_isa = "avx2",
                                            .results_isa = "avx2",
                                            .blas = "OpenBLAS 0.3.21 Haswell",
                                            .library = "Open MPI v4.1.4, transport ob1/tcp,vader",
                                            .threads = true,
                                            .flops = 50e9 };
        cpu_range(&f->cores.mask, 2 * (size_t)(r % CASE_NODE_RANKS), 2);
        f->cores.cores = f->cores.mask;
        cpu_range(&f->cores.usable, 0, CASE_NODE_CORES);
        f->cores.numa_domains = 1;
        f->cores.threads = 2;
        f->network = (ddpm_doctor_network){ .bytes = 64 << 20,
                                            .sum_seconds = 0.064,
                                            .latency_seconds = 1e-4,
                                            .node_sum_seconds = 0.032 };
        f->memory = (ddpm_doctor_memory){ .limit = (uint64_t)64 << 30,
                                          .available = (uint64_t)60 << 30,
                                          .shared_free = (uint64_t)32 << 30,
                                          .huge_pages = "madvise",
                                          .address_space = UINT64_MAX,
                                          .locked = UINT64_MAX,
                                          .stack = 8 << 20,
                                          .files = 1024 };
        f->clock = (ddpm_doctor_clock){ .resolution_ns = 1, .seconds_left = INT64_MAX };
        f->storage = (ddpm_doctor_storage){ .path = "runs/x",
                                            .type = "xfs",
                                            .free_bytes = (uint64_t)1 << 40,
                                            .lock_excludes = true,
                                            .small_seconds = 0.01,
                                            .large_seconds = 0.1 };
    }
}

/** What the check of that name says; free it with ddpm_app__report_free. */
static inline ddpm_doctor_report *case_report(doctor_case *c, const char *name)
{
    ddpm_doctor_report *report = ddpm_app__report_create(c->facts, CASE_RANKS);
    assert_non_null(report);
    ddpm_app__derive_cores(c->facts, CASE_RANKS);
    bool found = false;
    for (size_t i = 0; i < ddpm_app__doctor_check_count; i++)
        if (strcmp(ddpm_app__doctor_checks[i].name, name) == 0) {
            ddpm_app__report_judge(report, &ddpm_app__doctor_checks[i], &c->all);
            found = true;
        }
    assert_true(found);
    return report;
}

/** Fails unless the check finds exactly one thing but for what is fine, of that verdict, in those
 *  words, about `ranks` ranks, with a remedy where it is a warning. */
static inline void expect(doctor_case *c, const char *name, ddpm_verdict verdict, const char *words,
                          int ranks)
{
    ddpm_doctor_report *report = case_report(c, name);
    int matches = 0, others = 0, about = 0;
    for (size_t i = 0; i < report->count; i++) {
        const ddpm_doctor_finding *f = &report->finding[i];
        if (f->verdict == DDPM_DOCTOR_OK && verdict != DDPM_DOCTOR_OK) continue;
        if (f->verdict == verdict && strstr(f->found, words)) {
            matches++;
            for (int r = 0; r < CASE_RANKS; r++) about += f->ranks[r];
            if (f->verdict == DDPM_DOCTOR_WARNING) assert_true(*f->remedy);
        } else {
            others++;
            print_error("%s also says: %s\n", name, f->found);
        }
    }
    ddpm_app__report_free(report);
    if (matches != 1 || others != 0 || about != ranks)
        fail_msg("'%s': %d findings with '%s' about %d ranks instead of %d, %d others", name,
                 matches, words, about, ranks, others);
}
#endif
