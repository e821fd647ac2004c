#include "node.h"

#include "ddpm/base/log.h"

#include <assert.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/statvfs.h>

enum { PAGE_BYTES = 4096 };

/* In front of a window's data. A gate is the number of the last bucket that passed it. */
typedef struct {
    _Alignas(64) _Atomic uint64_t gate[DDPM_GATES][DDPM_NODE_SLOTS];
} header;
static_assert(sizeof(header) <= PAGE_BYTES, "a page has room for the gates");
static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "gates work between processes");

struct ddpm_node {
    ddpm_comm *comm;
    MPI_Comm local;
    MPI_Win window;
    int rank, ranks;
    size_t roots, slot_floats;
    char **base; /* [ranks] */
};

static size_t whole_pages(size_t bytes)
{
    return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

size_t ddpm_dist__node_bytes(size_t roots, size_t slot_floats)
{
    /* MPI puts a window where it likes; a page more leaves room to begin on a page. */
    return 2 * PAGE_BYTES + whole_pages(DDPM_NODE_SLOTS * roots * slot_floats * sizeof(float));
}

/* A window is mapped at whole pages, so that every rank of the node rounds to the same place. */
static char *page_begin(char *window)
{
    const uintptr_t beyond = (uintptr_t)window % PAGE_BYTES;
    return beyond ? window + (PAGE_BYTES - beyond) : window;
}

/* Containers often have 64 MB; Open MPI 4.1 would leave the other ranks waiting. */
static bool has_room(size_t bytes)
{
    struct statvfs shared;
    if (statvfs("/dev/shm", &shared) != 0) return false;
    return (double)shared.f_bavail * (double)shared.f_frsize > 1.25 * (double)bytes;
}

ddpm_status ddpm_dist__node_ranks(int *ranks, ddpm_comm *comm, int wanted, size_t bytes)
{
    enum { RANKS, MINUS_RANKS, FITS, HAS_ROOM, VALUES };
    int first = comm->rank;
    DDPM_TRY(DDPM_MPI(comm, MPI_Bcast(&first, 1, MPI_INT, 0, comm->node)));
    /* Alone on a node there is no wire to be spared, and MPI copies once where a window takes two.
     */
    const int n = wanted ? wanted : comm->node_count > 1 ? comm->node_size : 1;
    const bool fits = wanted ? comm->size % n == 0
                             : first % n == 0 && comm->rank == first + comm->node_rank;
    int least[VALUES] = { n, -n, fits, has_room((size_t)comm->node_size * bytes) };
    DDPM_TRY(
        DDPM_MPI(comm, MPI_Allreduce(MPI_IN_PLACE, least, VALUES, MPI_INT, MPI_MIN, comm->all)));
    *ranks = 1;
    if (n == 1 || least[RANKS] != n || least[MINUS_RANKS] != -n || !least[FITS]) return DDPM_OK;
    if (least[HAS_ROOM])
        *ranks = n;
    else if (comm->rank == 0)
        ddpm_log_warning("a node has too little shared memory in /dev/shm (%zu MiB are needed for "
                         "%d ranks): its ranks send messages instead",
                         (bytes >> 20) * (size_t)n, n);
    return DDPM_OK;
}

static header *gates_of(const ddpm_node *node, int rank)
{
    return (header *)(void *)node->base[rank];
}

static ddpm_status open_window(ddpm_node *node)
{
    ddpm_comm *comm = node->comm;
    const size_t bytes = ddpm_dist__node_bytes(node->roots, node->slot_floats);
    void *mine;
    DDPM_TRY(DDPM_MPI(comm, MPI_Win_allocate_shared((MPI_Aint)bytes, 1, MPI_INFO_NULL, node->local,
                                                    &mine, &node->window)));
    for (int r = 0; r < node->ranks; r++) {
        MPI_Aint size;
        int unit;
        char *window;
        DDPM_TRY(DDPM_MPI(comm, MPI_Win_shared_query(node->window, r, &size, &unit, &window)));
        node->base[r] = page_begin(window);
    }
    DDPM_TRY(DDPM_MPI(comm, MPI_Win_lock_all(MPI_MODE_NOCHECK, node->window)));
    header *gates = gates_of(node, node->rank);
    for (int g = 0; g < DDPM_GATES; g++)
        for (int s = 0; s < DDPM_NODE_SLOTS; s++) atomic_init(&gates->gate[g][s], 0);
    return DDPM_MPI(comm, MPI_Barrier(node->local));
}

ddpm_status ddpm_dist__node_create(ddpm_node **out, ddpm_comm *comm, int ranks, size_t roots,
                                   size_t slot_floats)
{
    ddpm_node *node = calloc(1, sizeof *node);
    ddpm_status status = node ? DDPM_OK : ddpm_fail(DDPM_EOS, "no memory for a reducer");
    if (node) {
        *node = (ddpm_node){ .comm = comm,
                             .local = MPI_COMM_NULL,
                             .window = MPI_WIN_NULL,
                             .rank = comm->rank % ranks,
                             .ranks = ranks,
                             .roots = roots,
                             .slot_floats = slot_floats };
        node->base = calloc((size_t)ranks, sizeof *node->base);
        if (!node->base) status = ddpm_fail(DDPM_EOS, "no memory for a reducer");
    }
    status = ddpm_comm_agree(comm, status);
    if (status != DDPM_OK) goto done;
    assert(node);
    status = DDPM_MPI(comm,
                      MPI_Comm_split(comm->all, comm->rank / ranks, comm->rank, &node->local));
    if (status == DDPM_OK) status = open_window(node);
    status = ddpm_comm_agree(comm, status);
done:
    if (status == DDPM_OK)
        *out = node;
    else
        ddpm_dist__node_free(node);
    return status;
}

void ddpm_dist__node_free(ddpm_node *node)
{
    if (!node) return;
    if (!node->comm->broken) {
        if (node->window != MPI_WIN_NULL) {
            MPI_Win_unlock_all(node->window);
            MPI_Win_free(&node->window);
        }
        if (node->local != MPI_COMM_NULL) MPI_Comm_free(&node->local);
    }
    free(node->base);
    free(node);
}

float *ddpm_dist__node_data(const ddpm_node *node, int rank, int slot, size_t root)
{
    float *data = (float *)(void *)(node->base[rank] + PAGE_BYTES);
    return data + ((size_t)slot * node->roots + root) * node->slot_floats;
}

void ddpm_dist__node_pass(ddpm_node *node, ddpm_gate gate, int slot, uint64_t number)
{
    atomic_store_explicit(&gates_of(node, node->rank)->gate[gate][slot], number,
                          memory_order_release);
}

bool ddpm_dist__node_passed(const ddpm_node *node, ddpm_gate gate, int slot, uint64_t number)
{
    for (int r = 0; r < node->ranks; r++)
        if (atomic_load_explicit(&gates_of(node, r)->gate[gate][slot], memory_order_acquire) <
            number)
            return false;
    return true;
}
