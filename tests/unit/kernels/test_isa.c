/* What a user gets who asks for an instruction set that is not there. The choice is made once a
 * process, so this is a program of its own. */
#include "check.h"
#include "ddpm/kernels/isa.h"

#include <stdlib.h>

static void an_unknown_instruction_set_is_refused_by_name(void **state)
{
    (void)state;
    CHECK_STATUS(ddpm_kernels_init(), DDPM_ECONFIG);
    CHECK_MESSAGE("DDPM_ISA=mmx");
    CHECK_MESSAGE("generic");
}

static void threads_are_those_asked_for_or_one_a_core(void **state)
{
    (void)state;
    assert_int_equal(ddpm_kernels_set_threads(3), 3);
    assert_int_equal(ddpm_kernels_threads(), 3);
    assert_true(ddpm_kernels_set_threads(0) >= 1);
}

int main(void)
{
    if (setenv("DDPM_ISA", "mmx", 1) != 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_instruction_set_is_refused_by_name),
        cmocka_unit_test(threads_are_those_asked_for_or_one_a_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
