/* What carries the messages, and how fast. */
#include "doctor.h"
#include "doctor_text.h"

#include "ddpm/base/text.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Any port of the device that is up: "4: ACTIVE". */
static bool is_active(const char *root, const char *device)
{
    char state[64];
    for (int port = 1; port <= 4; port++)
        if (ddpm_app__read_text(state, sizeof state, root,
                                "/sys/class/infiniband/%s/ports/%d/state", device, port) &&
            strstr(state, "ACTIVE"))
            return true;
    return false;
}

void ddpm_app__collect_network(ddpm_doctor_network *network, const char *root)
{
    char path[PATH_MAX], text[64];
    size_t used = 0;
    network->infiniband[0] = '\0';
    snprintf(path, sizeof path, "%s/sys/class/infiniband", root);
    DIR *devices = opendir(path);
    for (struct dirent *entry; devices && (entry = readdir(devices)) != NULL;) {
        const size_t length = strlen(entry->d_name);
        if (entry->d_name[0] == '.' || !is_active(root, entry->d_name) ||
            used + length + 2 > sizeof network->infiniband)
            continue;
        used += (size_t)snprintf(network->infiniband + used, sizeof network->infiniband - used,
                                 "%s%s", used ? " " : "", entry->d_name);
    }
    if (devices) closedir(devices);
    network->ptrace_scope = 0;
    if (ddpm_app__read_text(text, sizeof text, root, "/proc/sys/kernel/yama/ptrace_scope"))
        network->ptrace_scope = (int)strtol(text, NULL, 10);
}

static const char *transport_of(const ddpm_doctor_facts *facts)
{
    const char *found = strstr(facts->program.library, "transport ");
    return found ? found + strlen("transport ") : "";
}

/* The layers that drive such devices; ob1 does so only with openib, which Open MPI 4 leaves off. */
static bool uses_infiniband(const char *transport)
{
    return strncmp(transport, "ucx", 3) == 0 || strncmp(transport, "cm", 2) == 0 ||
           strstr(transport, "openib") || strstr(transport, "uct");
}

/* Behind the slash stand carriers, of which a rank that is alone on its node needs fewer. */
static bool is_same_layer(const char *a, const char *b)
{
    const size_t length = strcspn(a, "/");
    return length == strcspn(b, "/") && strncmp(a, b, length) == 0;
}

void ddpm_app__judge_transport(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    const ddpm_doctor_facts *first = group->rank[0];
    for (int r = 0; r < group->count; r++) {
        const ddpm_doctor_facts *facts = group->rank[r];
        if (!*facts->network.infiniband || uses_infiniband(transport_of(facts))) continue;
        ddpm_app__warn(report,
                       "mpirun --mca pml ucx (under srun: export OMPI_MCA_pml=ucx); Debian's "
                       "/etc/openmpi/openmpi-mca-params.conf leaves ucx and ofi off",
                       "%s has InfiniBand or RoCE (%s), and messages go by %s: %s", facts->host,
                       facts->network.infiniband,
                       *transport_of(facts) ? transport_of(facts)
                                            : "something that MPI does not name",
                       group->nodes > 1 ? "TCP between the nodes, in silence"
                                        : "a job on several nodes would use TCP, in silence");
        break;
    }
    for (int r = 1; r < group->count; r++) {
        const ddpm_doctor_facts *facts = group->rank[r];
        if (is_same_layer(facts->program.library, first->program.library)) continue;
        ddpm_app__warn(report, "the same Open MPI and the same parameters on all nodes",
                       "rank %d (%s) communicates by %s, rank 0 by %s", facts->rank, facts->host,
                       facts->program.library, first->program.library);
        break;
    }
    ddpm_app__fine(report, "%s", first->program.library);
}

void ddpm_app__judge_overlap(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    for (int r = 0; r < group->count; r++)
        if (!group->rank[r]->program.threads && group->world > 1) {
            ddpm_app__warn(report,
                           "an Open MPI built with thread support (ompi_info: Thread support: "
                           "posix), and no OMPI_MPI_THREAD_LEVEL in the environment",
                           "MPI_THREAD_MULTIPLE is not granted: gradients travel only when a step "
                           "has computed them all");
            break;
        }
    if (group->config && !group->config->dist.overlap && group->world > 1)
        ddpm_app__warn(report, "leave it out of the configuration",
                       "dist.overlap = no: gradients travel only when a step has computed them "
                       "all");
    ddpm_app__fine(report, "%s",
                   group->world > 1 ? "gradients travel beside the backward pass"
                                    : "one rank: nothing travels");
}

/* Convolutions by Winograd multiply a quarter as often: a rough guess, on the fast side. */
static double compute_seconds(const ddpm_doctor_group *group)
{
    const double flops = group->rank[0]->program.flops, faster = 2.5;
    if (flops <= 0.0) return 0.0;
    return 6.0 * group->plan->needs.forward_macs_per_image *
           (double)(group->plan->rank_micro_batches * (uint64_t)group->config->train.micro_batch) /
           (faster * flops);
}

void ddpm_app__judge_sums(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    const ddpm_doctor_network *n = &group->rank[0]->network;
    char bytes[32], node[96] = "", own[160] = "";
    if (group->world == 1 || n->sum_seconds <= 0.0) {
        ddpm_app__fine(report, "%s",
                       group->world == 1 ? "one rank: nothing to be summed" : "not measured");
        return;
    }
    const double rate = (double)n->bytes / n->sum_seconds;
    if (n->node_sum_seconds > 0.0)
        snprintf(node, sizeof node, "; within a node %.2f GB/s",
                 (double)n->bytes / n->node_sum_seconds * 1e-9);
    if (group->plan) {
        const double gradient = (double)group->plan->needs.param_floats * sizeof(float);
        const double travel = gradient / rate + n->latency_seconds;
        const double compute = compute_seconds(group);
        snprintf(own, sizeof own,
                 "; this configuration's gradient takes %.3f s a step, computing "
                 "it about %.2g s (estimated)",
                 travel, compute);
        if (compute > 0.0 && travel > compute)
            ddpm_app__warn(report,
                           "a faster transport (see above), fewer ranks, or a larger train.batch; "
                           "`ddpm-dist plan --network --rate` says what to expect",
                           "summing this configuration's gradient takes %.3f s a step, longer than "
                           "computing it, about %.2g s (estimated): most of it cannot be hidden",
                           travel, compute);
    }
    ddpm_app__fine(report, "%s in %.3f s (%.2f GB/s), a small one in %.0f us%s%s",
                   ddpm_text_bytes(bytes, n->bytes), n->sum_seconds, rate * 1e-9,
                   n->latency_seconds * 1e6, node, own);
}

void ddpm_app__judge_single_copy(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    const int scope = group->rank[0]->network.ptrace_scope;
    if (scope > 0) {
        ddpm_app__fine(report,
                       "kernel.yama.ptrace_scope is %d: ranks of a node copy messages twice "
                       "instead of reading each other's memory (sysctl kernel.yama.ptrace_scope=0)",
                       scope);
        return;
    }
    ddpm_app__fine(report, "ranks of a node may read each other's memory");
}
