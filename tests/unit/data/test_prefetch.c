#include "ddpm/data/prefetch.h"

#include "check.h"
#include "ddpm/base/memory.h"
#include "ddpm/data/order.h"
#include "scratch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N = 37, SIDE = 16, VALUES = SIDE * SIDE };

static const ddpm_prefetch_options options = { .seed = 11,
                                               .global_batch = 24,
                                               .first_step = 5,
                                               .first = 8,
                                               .count = 4,
                                               .per_step = 2,
                                               .flip = true,
                                               .depth = 3 };

static ddpm_dataset *make_set(const char *name)
{
    const char *path = scratch_path("%s", name);
    const ddpm_dataset_info info = { .shape = { 0, SIDE, SIDE, 1 }, .range_max = 255.0f };
    ddpm_dataset_writer *writer;
    ddpm_dataset *set;
    CHECK_OK(ddpm_dataset_writer_create(&writer, path, &info));
    for (size_t i = 0; i < N; i++) {
        uint8_t image[VALUES];
        for (size_t k = 0; k < VALUES; k++) image[k] = (uint8_t)(i * 37 + k * k);
        CHECK_OK(ddpm_dataset_writer_append(writer, image, NULL, 1));
    }
    CHECK_OK(ddpm_dataset_writer_finish(writer));
    CHECK_OK(ddpm_dataset_open(&set, path));
    return set;
}

static void requests_are_those_of_the_order(void **state)
{
    (void)state;
    ddpm_dataset *set = make_set("order.h5"), *direct = make_set("direct.h5");
    ddpm_prefetch *prefetch;
    CHECK_OK(ddpm_prefetch_create(&prefetch, set, &options));
    for (uint64_t request = 0; request < 60; request++) {
        ddpm_batch batch;
        CHECK_OK(ddpm_prefetch_next(prefetch, &batch));
        const uint64_t first = (5 + request / 2) * 24 + 8 + request % 2 * 4;
        uint64_t image[4];
        bool flip[4];
        float expected[4 * VALUES];
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(batch.sample_index[i], first + i);
            image[i] = ddpm_order_image(11, first + i, N);
            flip[i] = ddpm_order_flip(11, first + i);
        }
        CHECK_OK(ddpm_dataset_read(direct, expected, NULL, image, flip, 4));
        assert_memory_equal(batch.x, expected, sizeof expected);
    }
    CHECK_LE(0.0, ddpm_prefetch_seconds_waited(prefetch));
    CHECK_LE(ddpm_prefetch_seconds_waited(prefetch), 10.0);
    ddpm_prefetch_free(prefetch);
    ddpm_dataset_close(direct);
    ddpm_dataset_close(set);
    assert_int_equal(ddpm_memory_live_bytes(DDPM_MEMORY_DATA), 0);
}

static void what_was_given_stays_until_the_next_call(void **state)
{
    (void)state;
    ddpm_dataset *set = make_set("stays.h5");
    ddpm_prefetch *prefetch;
    ddpm_prefetch_options one = options;
    one.depth = 1;
    CHECK_OK(ddpm_prefetch_create(&prefetch, set, &one));
    for (int i = 0; i < 5; i++) {
        ddpm_batch batch;
        float before[4 * VALUES];
        CHECK_OK(ddpm_prefetch_next(prefetch, &batch));
        memcpy(before, batch.x, sizeof before);
        usleep(2000); /* the thread reads on meanwhile */
        assert_memory_equal(batch.x, before, sizeof before);
    }
    ddpm_prefetch_free(prefetch);
    ddpm_dataset_close(set);
}

static void it_may_be_freed_at_any_time(void **state)
{
    (void)state;
    ddpm_dataset *set = make_set("early.h5");
    for (int taken = 0; taken < 8; taken++) {
        ddpm_prefetch *prefetch;
        ddpm_batch batch;
        CHECK_OK(ddpm_prefetch_create(&prefetch, set, &options));
        for (int i = 0; i < taken; i++) CHECK_OK(ddpm_prefetch_next(prefetch, &batch));
        ddpm_prefetch_free(prefetch);
    }
    ddpm_prefetch_free(NULL);
    ddpm_dataset_close(set);
}

static void a_failed_read_reaches_the_caller_with_its_reason(void **state)
{
    (void)state;
    ddpm_dataset *set = make_set("damaged.h5");
    ddpm_dataset_hold_below(set, 0);
    /* The file is open and checked; now all that follows its first 4 KiB is overwritten. */
    const char *path = scratch_path("damaged.h5");
    size_t bytes;
    unsigned char *content = scratch_read(path, &bytes);
    const int fd = open(path, O_WRONLY);
    for (size_t i = 0; i < bytes; i++) content[i] ^= 0x55;
    assert_true(pwrite(fd, content + 64, bytes - 64, 64) > 0);
    close(fd);
    free(content);
    ddpm_prefetch *prefetch;
    ddpm_batch batch;
    CHECK_OK(ddpm_prefetch_create(&prefetch, set, &options));
    ddpm_status status = DDPM_OK;
    for (int i = 0; i < 100 && status == DDPM_OK; i++)
        status = ddpm_prefetch_next(prefetch, &batch);
    CHECK_STATUS(status, DDPM_EDATA);
    CHECK_MESSAGE("damaged.h5");
    CHECK_STATUS(ddpm_prefetch_next(prefetch, &batch), DDPM_EDATA);
    ddpm_prefetch_free(prefetch);
    ddpm_dataset_close(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_those_of_the_order),
        cmocka_unit_test(what_was_given_stays_until_the_next_call),
        cmocka_unit_test(it_may_be_freed_at_any_time),
        cmocka_unit_test(a_failed_read_reaches_the_caller_with_its_reason),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
