/* What was found: equal findings about several ranks are one. */
#include "doctor_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ddpm_doctor_report *ddpm_app__report_create(const ddpm_doctor_facts *facts, int ranks)
{
    ddpm_doctor_report *report = calloc(1, sizeof *report);
    if (report) *report = (ddpm_doctor_report){ .facts = facts, .ranks = ranks };
    return report;
}

void ddpm_app__report_free(ddpm_doctor_report *report)
{
    if (!report) return;
    for (size_t i = 0; i < report->count; i++) free(report->finding[i].ranks);
    free(report->finding);
    free(report);
}

/* All that is well with a check is one line, whatever the numbers of each rank are. */
static bool is_same(const ddpm_doctor_finding *a, const ddpm_doctor_finding *b)
{
    if (strcmp(a->check, b->check) != 0 || a->verdict != b->verdict) return false;
    return a->verdict == DDPM_DOCTOR_OK ||
           (strcmp(a->found, b->found) == 0 && strcmp(a->remedy, b->remedy) == 0);
}

static ddpm_doctor_finding *find_or_append(ddpm_doctor_report *report,
                                           const ddpm_doctor_finding *wanted)
{
    for (size_t i = 0; i < report->count; i++)
        if (is_same(&report->finding[i], wanted)) return &report->finding[i];
    if (report->count == report->room) {
        const size_t room = report->room ? 2 * report->room : 32;
        ddpm_doctor_finding *grown = realloc(report->finding, room * sizeof *grown);
        if (!grown) return NULL;
        report->finding = grown;
        report->room = room;
    }
    bool *ranks = calloc((size_t)report->ranks, sizeof *ranks);
    if (!ranks) return NULL;
    ddpm_doctor_finding *finding = &report->finding[report->count++];
    *finding = *wanted;
    finding->ranks = ranks;
    return finding;
}

static void add(ddpm_doctor_report *report, const ddpm_doctor_finding *wanted)
{
    ddpm_doctor_finding *finding = find_or_append(report, wanted);
    if (!finding) {
        report->is_incomplete = true;
        return;
    }
    finding->is_varied |= strcmp(finding->found, wanted->found) != 0;
    for (int i = 0; i < report->group->count; i++)
        finding->ranks[report->group->rank[i]->rank] = true;
}

#define SAY(a_verdict, a_code, a_remedy)                                                           \
    do {                                                                                           \
        ddpm_doctor_finding wanted = { .check = report->check,                                     \
                                       .verdict = (a_verdict),                                     \
                                       .code = (a_code) };                                         \
        const char *mend = (a_remedy);                                                             \
        va_list arguments;                                                                         \
        va_start(arguments, format);                                                               \
        vsnprintf(wanted.found, sizeof wanted.found, format, arguments);                           \
        va_end(arguments);                                                                         \
        snprintf(wanted.remedy, sizeof wanted.remedy, "%s", mend ? mend : "");                     \
        add(report, &wanted);                                                                      \
    } while (0)

void ddpm_app__fine(ddpm_doctor_report *report, const char *format, ...)
{
    if (!report->has_problem) SAY(DDPM_DOCTOR_OK, DDPM_OK, NULL);
}

void ddpm_app__warn(ddpm_doctor_report *report, const char *remedy, const char *format, ...)
{
    report->has_problem = true;
    SAY(DDPM_DOCTOR_WARNING, DDPM_OK, remedy);
}

void ddpm_app__wrong(ddpm_doctor_report *report, ddpm_status code, const char *remedy,
                     const char *format, ...)
{
    report->has_problem = true;
    SAY(DDPM_DOCTOR_ERROR, code, remedy);
}

static bool belongs(ddpm_doctor_scope scope, const ddpm_doctor_facts *first,
                    const ddpm_doctor_facts *other)
{
    return scope == DDPM_SCOPE_WORLD || first == other ||
           (scope == DDPM_SCOPE_NODE && strcmp(first->host, other->host) == 0);
}

void ddpm_app__report_judge(ddpm_doctor_report *report, const ddpm_doctor_check *check,
                            const ddpm_doctor_group *all)
{
    const size_t ranks = (size_t)report->ranks;
    const ddpm_doctor_facts **member = calloc(ranks, sizeof(const ddpm_doctor_facts *));
    bool *is_done = calloc(ranks, sizeof *is_done);
    report->is_incomplete |= !member || !is_done;
    for (size_t r = 0; member && is_done && r < ranks; r++) {
        if (is_done[r]) continue;
        ddpm_doctor_group group = *all;
        group.rank = member;
        group.count = 0;
        for (size_t i = r; i < ranks; i++)
            if (!is_done[i] && belongs(check->scope, &report->facts[r], &report->facts[i])) {
                is_done[i] = true;
                member[group.count++] = &report->facts[i];
            }
        report->check = check->name;
        report->group = &group;
        report->has_problem = false;
        check->judge(report, &group);
        report->group = NULL;
    }
    free(member);
    free(is_done);
}

size_t ddpm_app__report_count(const ddpm_doctor_report *report, ddpm_verdict verdict)
{
    size_t count = 0;
    for (size_t i = 0; i < report->count; i++) count += report->finding[i].verdict == verdict;
    return count;
}

ddpm_status ddpm_app__report_code(const ddpm_doctor_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        if (report->finding[i].verdict == DDPM_DOCTOR_ERROR) return report->finding[i].code;
    return DDPM_OK;
}
