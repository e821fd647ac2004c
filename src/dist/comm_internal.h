/* What the files of this layer share: the communicator's inside, and checked MPI calls. */
#ifndef DDPM_DIST_COMM_INTERNAL_H
#define DDPM_DIST_COMM_INTERNAL_H
#include "ddpm/dist/comm.h"

#include <mpi.h>

enum {
    DDPM_COMM_TEXT = 256,
    /* One message of tens of megabytes spends its time in page faults of MPI's temporaries. */
    DDPM_COMM_PIECE_BYTES = 8 << 20
};

typedef struct ddpm_watch ddpm_watch;
typedef struct ddpm_check ddpm_check;

struct ddpm_comm {
    MPI_Comm all;  /* a duplicate of MPI_COMM_WORLD: our tags meet nobody else's */
    MPI_Comm node; /* the ranks that share this node's memory */
    int rank, size, node_rank, node_size, node_count;
    bool threads;      /* MPI_THREAD_MULTIPLE was granted */
    bool broken;       /* an MPI call has failed here: the other ranks can no longer be reached */
    ddpm_watch *watch; /* where the main thread is; NULL: nobody wants to know */
    ddpm_check *check; /* NULL: collective calls are not checked */
    char host[DDPM_COMM_TEXT], library[DDPM_COMM_TEXT];
};

/* DDPM_OK, or the failure of `call` in MPI's words; marks the communicator as broken. */
DDPM_NODISCARD ddpm_status ddpm_dist__check(ddpm_comm *comm, int mpi_code, const char *call);
/* "Open MPI v4.1.4, transport ob1/tcp,vader". */
void ddpm_dist__library_name(char *text, size_t size);

/* DDPM_ECONFIG where whoever started this process started more than the `ranks` that MPI knows. */
DDPM_NODISCARD ddpm_status ddpm_dist__check_launcher(int ranks);
/* Before MPI starts; the same. */
DDPM_NODISCARD ddpm_status ddpm_dist__prepare_start(void);

#define DDPM_MPI(comm, call) ddpm_dist__check((comm), (call), #call)
#endif
