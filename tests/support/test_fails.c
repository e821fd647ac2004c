/* Must fail: registered WILL_FAIL, so that a support library whose checks cannot fail is found. */
#include "check.h"

static void a_false_bound_fails(void **state)
{
    (void)state;
    CHECK_LE(2, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_false_bound_fails) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
