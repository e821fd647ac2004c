/* What the system says, from a tree of files that looks like one; and a run directory tried out. */
#include "../train/scratch_dir.h"
#include "doctor.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

/* A file below the test's directory, and the directories above it. */
static void put(const char *root, const char *path, const char *text)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *slash = strchr(whole + strlen(root) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(whole, 0700) != 0) assert_int_equal(errno, EEXIST);
        *slash = '/';
    }
    FILE *file = fopen(whole, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static size_t entries(const char *path)
{
    size_t count = 0;
    DIR *directory = opendir(path);
    assert_non_null(directory);
    while (readdir(directory)) count++;
    closedir(directory);
    return count - 2;
}

/* 8 hardware threads on 4 cores, i and i + 4 on one; two NUMA domains. */
static void put_processor(const char *root)
{
    for (int cpu = 0; cpu < 8; cpu++) {
        char path[128], text[16];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
                 cpu);
        snprintf(text, sizeof text, "%d,%d\n", cpu % 4, cpu % 4 + 4);
        put(root, path, text);
    }
    put(root, "/sys/devices/system/cpu/online", "0-7\n");
    put(root, "/sys/devices/system/node/online", "0-1\n");
    put(root, "/sys/devices/system/node/node0/cpulist", "0-1,4-5\n");
    put(root, "/sys/devices/system/node/node1/cpulist", "2-3,6-7\n");
}

static ddpm_doctor_cores cores_of(const char *root, size_t first, size_t count)
{
    cpu_set_t mask;
    CPU_ZERO(&mask);
    for (size_t i = 0; i < count; i++) CPU_SET(first + i, &mask);
    ddpm_doctor_cores cores = { 0 };
    ddpm_app__collect_cores(&cores, &mask, root);
    return cores;
}

static void hardware_threads_of_a_core_are_one(void **state)
{
    put_processor(*state);
    ddpm_doctor_cores cores = cores_of(*state, 4, 2); /* 4, 5: the second threads of 0, 1 */
    assert_int_equal(CPU_COUNT(&cores.cores), 2);
    assert_true(CPU_ISSET(0, &cores.cores) && CPU_ISSET(1, &cores.cores));
    assert_int_equal(CPU_COUNT(&cores.usable), 4);
    assert_int_equal(cores.numa_domains, 1);
    cores = cores_of(*state, 0, 8);
    assert_int_equal(CPU_COUNT(&cores.cores), 4);
    assert_int_equal(cores.numa_domains, 2);
    assert_true(cores.quota == 0.0);
}

static void the_group_limits_cores_and_time(void **state)
{
    put_processor(*state);
    put(*state, "/proc/self/cgroup", "0::/job/step\n");
    put(*state, "/sys/fs/cgroup/job/step/cpuset.cpus.effective", "0-1,4-5\n");
    put(*state, "/sys/fs/cgroup/job/step/cpu.max", "150000 100000\n");
    put(*state, "/sys/fs/cgroup/job/cpu.max", "400000 100000\n");
    ddpm_doctor_cores cores = cores_of(*state, 0, 1);
    assert_int_equal(CPU_COUNT(&cores.usable), 2);
    assert_true(cores.quota == 1.5);
    put(*state, "/sys/fs/cgroup/job/step/cpu.max", "max 100000\n");
    assert_true(cores_of(*state, 0, 1).quota == 4.0);
}

static void the_group_of_version_1_too(void **state)
{
    put_processor(*state);
    put(*state, "/proc/self/cgroup", "3:cpu,cpuacct:/job\n2:cpuset:/job\n0::/\n");
    put(*state, "/sys/fs/cgroup/cpuset/job/cpuset.effective_cpus", "0-2\n");
    put(*state, "/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "-1\n");
    put(*state, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n");
    put(*state, "/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    ddpm_doctor_cores cores = cores_of(*state, 0, 1);
    assert_int_equal(CPU_COUNT(&cores.usable), 3);
    assert_true(cores.quota == 3.0);
}

static void a_system_that_says_nothing_leaves_the_mask(void **state)
{
    ddpm_doctor_cores cores = cores_of(*state, 3, 2);
    assert_int_equal(CPU_COUNT(&cores.cores), 2);
    assert_int_equal(CPU_COUNT(&cores.usable), 2);
    assert_int_equal(cores.numa_domains, 0);
}

static void only_infiniband_ports_that_are_up_count(void **state)
{
    ddpm_doctor_network network = { 0 };
    ddpm_app__collect_network(&network, *state);
    assert_string_equal(network.infiniband, "");
    put(*state, "/sys/class/infiniband/mlx5_0/ports/1/state", "1: DOWN\n");
    put(*state, "/proc/sys/kernel/yama/ptrace_scope", "1\n");
    ddpm_app__collect_network(&network, *state);
    assert_string_equal(network.infiniband, "");
    assert_int_equal(network.ptrace_scope, 1);
    put(*state, "/sys/class/infiniband/mlx5_1/ports/2/state", "4: ACTIVE\n");
    ddpm_app__collect_network(&network, *state);
    assert_string_equal(network.infiniband, "mlx5_1");
}

static void memory_is_read_from_the_system(void **state)
{
    ddpm_doctor_memory memory = { 0 };
    put(*state, "/proc/meminfo",
        "MemTotal: 100 kB\nMemAvailable: 50 kB\nSwapTotal: 30 kB\nSwapFree: 10 kB\n");
    put(*state, "/proc/sys/vm/overcommit_memory", "2\n");
    put(*state, "/sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
    ddpm_app__collect_memory(&memory, *state);
    assert_int_equal(memory.available, 50 << 10);
    assert_int_equal(memory.swap_used, 20 << 10);
    assert_int_equal(memory.overcommit, 2);
    assert_string_equal(memory.huge_pages, "never");
    assert_true(memory.limit > 0 && memory.files > 0);
}

static void a_run_directory_is_tried_and_left_as_it_was(void **state)
{
    ddpm_doctor_storage storage = { 0 };
    char missing[512];
    snprintf(missing, sizeof missing, "%s/runs/new", (const char *)*state);
    ddpm_app__collect_storage(&storage, missing);
    assert_int_equal(storage.directory.status, DDPM_OK);
    assert_int_equal(storage.exclusive, 0);
    assert_int_equal(storage.lock, 0);
    assert_true(storage.lock_excludes);
    assert_int_equal(storage.sync, 0);
    assert_int_equal(storage.rename, 0);
    assert_int_equal(storage.sync_directory, 0);
    assert_true(storage.small_seconds > 0.0 && storage.free_bytes > 0);
    assert_string_equal(storage.path, missing);
    assert_int_equal(entries(*state), 0);
}

static void a_file_in_the_way_of_the_run_directory_is_named(void **state)
{
    ddpm_doctor_storage storage = { 0 };
    char path[512];
    put(*state, "/file", "");
    snprintf(path, sizeof path, "%s/file/run", (const char *)*state);
    ddpm_app__collect_storage(&storage, path);
    assert_int_equal(storage.directory.status, DDPM_ECREATE);
    assert_non_null(strstr(storage.directory.message, "/file"));
    assert_non_null(strstr(storage.directory.message, "Not a directory"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        scratch_dir_test(hardware_threads_of_a_core_are_one),
        scratch_dir_test(the_group_limits_cores_and_time),
        scratch_dir_test(the_group_of_version_1_too),
        scratch_dir_test(a_system_that_says_nothing_leaves_the_mask),
        scratch_dir_test(only_infiniband_ports_that_are_up_count),
        scratch_dir_test(memory_is_read_from_the_system),
        scratch_dir_test(a_run_directory_is_tried_and_left_as_it_was),
        scratch_dir_test(a_file_in_the_way_of_the_run_directory_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
