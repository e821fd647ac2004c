#include "ddpm/base/hash.h"
#include "ddpm/base/status.h"

#include "check.h"

#include <pthread.h>
#include <string.h>

static ddpm_status outer(void)
{
    const ddpm_status inner = ddpm_fail(DDPM_EIO, "disk %d is full", 7);
    return ddpm_fail_within(inner, "writing %s", "run.h5");
}

static void a_message_gathers_its_context(void **state)
{
    (void)state;
    CHECK_STATUS(outer(), DDPM_EIO);
    assert_string_equal(ddpm_status_message(), "writing run.h5: disk 7 is full");
    assert_non_null(strstr(ddpm_status_origin(), "test_status.c:"));
}

static void a_message_may_quote_the_one_before(void **state)
{
    (void)state;
    CHECK_STATUS(ddpm_fail(DDPM_EDATA, "first"), DDPM_EDATA);
    CHECK_STATUS(ddpm_fail(DDPM_EDATA, "second after %s", ddpm_status_message()), DDPM_EDATA);
    assert_string_equal(ddpm_status_message(), "second after first");
}

static void *fail_elsewhere(void *context)
{
    (void)context;
    return ddpm_fail(DDPM_EOS, "another thread") == DDPM_EOS ? context : NULL;
}

static void messages_belong_to_their_thread(void **state)
{
    CHECK_STATUS(ddpm_fail(DDPM_EDATA, "mine"), DDPM_EDATA);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, state), 0);
    void *result;
    pthread_join(thread, &result);
    assert_ptr_equal(result, state);
    assert_string_equal(ddpm_status_message(), "mine");
}

static void a_message_that_is_too_long_is_cut(void **state)
{
    (void)state;
    char text[5000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    CHECK_STATUS(ddpm_fail(DDPM_EDATA, "%s", text), DDPM_EDATA);
    CHECK_STATUS(ddpm_fail_within(DDPM_EDATA, "%s", text), DDPM_EDATA);
    assert_in_range(strlen(ddpm_status_message()), 1000, 4999);
}

static void sha256_gives_the_published_digest(void **state)
{
    (void)state;
    unsigned char digest[DDPM_SHA256_BYTES], pieces[DDPM_SHA256_BYTES];
    char hex[DDPM_SHA256_HEX];
    ddpm_sha256_of(digest, "abc", 3); /* FIPS 180-2, B.1 */
    ddpm_hex(hex, digest, sizeof digest);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    ddpm_sha256 *hash = ddpm_sha256_create();
    assert_non_null(hash);
    ddpm_sha256_update(hash, "a", 1);
    ddpm_sha256_update(hash, "bc", 2);
    ddpm_sha256_finish(hash, pieces);
    ddpm_sha256_free(hash);
    assert_memory_equal(pieces, digest, sizeof digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_gathers_its_context),
        cmocka_unit_test(a_message_may_quote_the_one_before),
        cmocka_unit_test(messages_belong_to_their_thread),
        cmocka_unit_test(a_message_that_is_too_long_is_cut),
        cmocka_unit_test(sha256_gives_the_published_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
