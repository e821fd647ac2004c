/* What all ranks measure at once: as they will compute and communicate in training. */
#include "doctor.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/memory.h"
#include "ddpm/dist/reducer.h"
#include "ddpm/kernels/linear.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 4, SMALL_ROUNDS = 20, SMALL_FLOATS = 256, LEAST_FLOATS = 1 << 18 };
static const uint64_t most_ns = 10ull * 1000000000; /* of sums of one size */

static ddpm_status compare_clocks(ddpm_doctor_clock *clock, ddpm_comm *comm)
{
    double *all = malloc((size_t)ddpm_comm_size(comm) * sizeof *all);
    ddpm_status status = all ? DDPM_OK : ddpm_fail(DDPM_EOS, "no memory to compare clocks");
    status = ddpm_comm_agree(comm, status);
    if (status != DDPM_OK) goto done;
    assert(all);
    status = ddpm_comm_barrier(comm);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const double mine = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    if (status == DDPM_OK) status = ddpm_comm_allgather_f64(comm, all, &mine, 1);
    if (status == DDPM_OK) clock->offset_seconds = mine - all[0];
done:
    free(all);
    return status;
}

/* The best of a few slices: what comes and goes is no straggler. */
static double multiply(float *y, const float *x, const float *w)
{
    static const ddpm_linear op = { .rows = 1024, .c = 256, .k = 256 };
    const uint64_t slice_ns = 100000000;
    double best = 0.0;
    ddpm_linear_forward(y, x, w, NULL, NULL, &op); /* threads start, pages are there */
    for (int slice = 0; slice < 3; slice++) {
        size_t count = 0;
        const uint64_t begin = ddpm_clock_ns();
        uint64_t end = begin;
        for (; end - begin < slice_ns; end = ddpm_clock_ns(), count++)
            ddpm_linear_forward(y, x, w, NULL, NULL, &op);
        const double flops = 2.0 * (double)(op.rows * op.c * op.k * count) /
                             ddpm_clock_seconds(begin, end);
        if (flops > best) best = flops;
    }
    return best;
}

static ddpm_status measure_kernels(double *flops, ddpm_comm *comm)
{
    float *x = NULL, *w = NULL, *y = NULL;
    ddpm_status status = ddpm_memory_alloc(&x, 1024 * 256, sizeof *x, DDPM_MEMORY_OTHER);
    if (status == DDPM_OK) status = ddpm_memory_alloc(&w, 256 * 256, sizeof *w, DDPM_MEMORY_OTHER);
    if (status == DDPM_OK) status = ddpm_memory_alloc(&y, 1024 * 256, sizeof *y, DDPM_MEMORY_OTHER);
    status = ddpm_comm_agree(comm, status);
    if (status == DDPM_OK) status = ddpm_comm_barrier(comm);
    if (status == DDPM_OK) *flops = multiply(y, x, w);
    ddpm_memory_free(x);
    ddpm_memory_free(w);
    ddpm_memory_free(y);
    return status;
}

/* The best of `rounds` sums, by the rank that waited longest. */
static ddpm_status time_sums(double *seconds, ddpm_comm *comm, size_t floats, int rounds)
{
    ddpm_reducer *reducer;
    DDPM_TRY(ddpm_reducer_create(&reducer, comm, floats, (size_t)ddpm_comm_size(comm), NULL));
    ddpm_status status = DDPM_OK;
    uint64_t best = UINT64_MAX, spent = 0;
    for (int i = 0; status == DDPM_OK && i < rounds && spent < most_ns; i++) {
        float *sum;
        ddpm_reducer_leaf_begin(reducer);
        status = ddpm_comm_barrier(comm);
        if (status != DDPM_OK) break;
        const uint64_t begin = ddpm_clock_ns();
        ddpm_reducer_leaf_done(reducer);
        status = ddpm_reducer_finish(reducer, &sum);
        uint64_t taken = ddpm_clock_ns() - begin;
        if (status == DDPM_OK) status = ddpm_comm_max_u64(comm, &taken, 1);
        if (taken < best) best = taken;
        spent += taken;
    }
    ddpm_reducer_free(reducer);
    *seconds = (double)best * 1e-9;
    return status;
}

/* 64 MiB, or less where a node's ranks would take more than an eighth of what is free; the least of
 * all ranks. */
static ddpm_status agree_on_floats(size_t *floats, const ddpm_doctor_memory *memory,
                                   ddpm_comm *comm)
{
    uint64_t room = memory->limit < memory->available ? memory->limit : memory->available;
    room /= 8 * (uint64_t)ddpm_comm_node_size(comm);
    *floats = (64 << 20) / sizeof(float);
    /* A sum's buffers are the gradient twice at most, and pieces on their way. */
    while (*floats > LEAST_FLOATS && 3 * *floats * sizeof(float) > room) *floats /= 2;
    uint64_t halved = (64 << 20) / sizeof(float) / *floats;
    DDPM_TRY(ddpm_comm_max_u64(comm, &halved, 1));
    *floats = (64 << 20) / sizeof(float) / halved;
    return DDPM_OK;
}

/* Where there are several nodes, what the network does shows against the ranks of one. */
static ddpm_status time_node_sums(double *seconds, ddpm_comm *comm, size_t floats)
{
    uint64_t most = (uint64_t)ddpm_comm_node_size(comm);
    DDPM_TRY(ddpm_comm_max_u64(comm, &most, 1));
    if (ddpm_comm_node_count(comm) == 1 || most == 1) return DDPM_OK;
    ddpm_comm *node;
    DDPM_TRY(ddpm_comm_split_node(&node, comm));
    ddpm_status status = DDPM_OK;
    if (ddpm_comm_size(node) > 1) status = time_sums(seconds, node, floats, ROUNDS);
    ddpm_comm_free(node);
    return ddpm_comm_agree(comm, status);
}

ddpm_status ddpm_app__measure(ddpm_doctor_facts *facts, ddpm_comm *comm)
{
    ddpm_doctor_network *network = &facts->network;
    size_t floats;
    DDPM_TRY(compare_clocks(&facts->clock, comm));
    DDPM_TRY(measure_kernels(&facts->program.flops, comm));
    if (ddpm_comm_size(comm) == 1) return DDPM_OK;
    DDPM_TRY(agree_on_floats(&floats, &facts->memory, comm));
    network->bytes = floats * sizeof(float);
    DDPM_TRY(time_sums(&network->sum_seconds, comm, floats, ROUNDS));
    DDPM_TRY(time_sums(&network->latency_seconds, comm, SMALL_FLOATS, SMALL_ROUNDS));
    return time_node_sums(&network->node_sum_seconds, comm, floats);
}
