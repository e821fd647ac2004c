/* The report's inside, for what fills it and what prints it. */
#ifndef DDPM_APP_DOCTOR_REPORT_H
#define DDPM_APP_DOCTOR_REPORT_H
#include "doctor.h"

typedef struct {
    const char *check;
    ddpm_verdict verdict;
    ddpm_status code;
    char found[DDPM_DOCTOR_MESSAGE], remedy[DDPM_DOCTOR_MESSAGE];
    bool *ranks;    /* [of the world]: who it is about */
    bool is_varied; /* said with other words of some of them, all of them fine */
} ddpm_doctor_finding;

struct ddpm_doctor_report {
    const ddpm_doctor_facts *facts;
    int ranks;
    ddpm_doctor_finding *finding;
    size_t count, room;
    bool is_incomplete; /* there was no memory for a finding */
    /* Of the group at hand. */
    const char *check;
    const ddpm_doctor_group *group;
    bool has_problem;
};
#endif
