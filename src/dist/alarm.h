/* A failure of one rank's communication, told to all: else they would wait for it. */
#ifndef DDPM_DIST_ALARM_H
#define DDPM_DIST_ALARM_H
#include "comm_internal.h"

typedef struct ddpm_alarm ddpm_alarm;

/* On `line`, messages of `tag`; starts listening. DDPM_EOS, DDPM_EINTERNAL. */
DDPM_NODISCARD ddpm_status ddpm_dist__alarm_create(ddpm_alarm **out, ddpm_comm *comm, MPI_Comm line,
                                                   int tag);
void ddpm_dist__alarm_free(ddpm_alarm *alarm); /* takes NULL */
/* The failure of another rank, if one has told. */
DDPM_NODISCARD ddpm_status ddpm_dist__alarm_listen(ddpm_alarm *alarm);
/* Tells the others this thread's last failure, for as long as that takes, but not much longer than
 * a second. */
void ddpm_dist__alarm_raise(ddpm_alarm *alarm);
#endif
