#include "alarm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MESSAGE_BYTES = 1024 };

typedef struct {
    int rank;
    char host[DDPM_COMM_TEXT], message[MESSAGE_BYTES];
} report;

struct ddpm_alarm {
    ddpm_comm *comm;
    MPI_Comm line;
    int tag;
    report heard, told;
    MPI_Request listening;
    MPI_Request *telling; /* [size] */
    bool still_telling;   /* MPI has the report and its requests for good */
};

ddpm_status ddpm_dist__alarm_create(ddpm_alarm **out, ddpm_comm *comm, MPI_Comm line, int tag)
{
    ddpm_alarm *alarm = calloc(1, sizeof *alarm);
    if (!alarm) return ddpm_fail(DDPM_EOS, "no memory for a reducer");
    *alarm = (ddpm_alarm){ .comm = comm, .line = line, .tag = tag };
    alarm->listening = MPI_REQUEST_NULL;
    alarm->telling = calloc((size_t)comm->size, sizeof(MPI_Request));
    ddpm_status status = alarm->telling ? DDPM_OK : ddpm_fail(DDPM_EOS, "no memory for a reducer");
    if (status == DDPM_OK)
        status = DDPM_MPI(comm, MPI_Irecv(&alarm->heard, sizeof alarm->heard, MPI_BYTE,
                                          MPI_ANY_SOURCE, tag, line, &alarm->listening));
    if (status == DDPM_OK)
        *out = alarm;
    else
        ddpm_dist__alarm_free(alarm);
    return status; /* NOLINT(clang-analyzer-optin.mpi.MPI-Checker): listens until it is freed */
}

void ddpm_dist__alarm_free(ddpm_alarm *alarm)
{
    if (!alarm || alarm->still_telling) return;
    if (alarm->listening != MPI_REQUEST_NULL && !alarm->comm->broken) {
        MPI_Cancel(&alarm->listening);
        MPI_Wait(&alarm->listening, MPI_STATUS_IGNORE);
    }
    free(alarm->telling);
    free(alarm);
}

ddpm_status ddpm_dist__alarm_listen(ddpm_alarm *alarm)
{
    int rings = 0;
    DDPM_TRY(DDPM_MPI(alarm->comm, MPI_Test(&alarm->listening, &rings, MPI_STATUS_IGNORE)));
    if (!rings) return DDPM_OK;
    alarm->comm->broken = true;
    return ddpm_fail(DDPM_EINTERNAL, "rank %d (%s): %s", alarm->heard.rank, alarm->heard.host,
                     alarm->heard.message);
}

void ddpm_dist__alarm_raise(ddpm_alarm *alarm)
{
    enum { PATIENCE = 1000 };
    static const struct timespec pause = { .tv_nsec = 1000000 };
    const ddpm_comm *comm = alarm->comm;
    alarm->told.rank = comm->rank;
    snprintf(alarm->told.host, sizeof alarm->told.host, "%s", comm->host);
    snprintf(alarm->told.message, sizeof alarm->told.message, "%s", ddpm_status_message());
    int told = 0;
    for (int r = 0; r < comm->size; r++)
        if (r != comm->rank && MPI_Isend(&alarm->told, sizeof alarm->told, MPI_BYTE, r, alarm->tag,
                                         alarm->line, &alarm->telling[told]) == MPI_SUCCESS)
            told++;
    int all = 0;
    for (int k = 0; k < PATIENCE && !all; k++) {
        if (MPI_Testall(told, alarm->telling, &all, MPI_STATUSES_IGNORE) != MPI_SUCCESS) break;
        if (!all) nanosleep(&pause, NULL);
    }
    alarm->still_telling = !all;
}
