/* What holds of a 3x3 convolution whatever its values: linearity's identities, and that neither
 * threads nor packing nor what the gradients held before change a bit that they should not. */
#include "conv_case.h"

static double norm_of(const float *x, size_t count)
{
    return sqrt(dot(x, x, count));
}

static void check_identities(conv_case *c, const ddpm_conv_method *method)
{
    ddpm_conv3x3_plan *plan = conv_plan_of(method, &c->op);
    conv_case_run(c, plan);
    const double forward = dot(c->y, c->dy, c->y_count);
    const double scale = norm_of(c->y, c->y_count) * norm_of(c->dy, c->y_count);
    CHECK_LE(fabs(forward - dot(c->x, c->dx, c->x_count)) / scale, 2e-6);
    CHECK_LE(fabs(forward - dot(c->w, c->dw, c->w_count)) / scale, 2e-6);
    ddpm_conv3x3_plan_free(plan);
}

static void both_gradients_are_adjoint_to_the_forward_pass(void **state)
{
    (void)state;
    conv_for_each(check_identities);
}

typedef struct {
    float *y, *dx, *dw, *dbias, *dper_image;
} results;

static float *copy_of(const float *from, size_t count)
{
    float *copy = conv_case_array(count, 0);
    memcpy(copy, from, count * sizeof *copy);
    return copy;
}

static void assert_same_bits(const float *a, float *b, size_t count)
{
    assert_memory_equal(a, b, count * sizeof *a);
    ddpm_memory_free(b);
}

static void check_threads(conv_case *c, const ddpm_conv_method *method)
{
    ddpm_kernels_set_threads(1);
    ddpm_conv3x3_plan *plan = conv_plan_of(method, &c->op);
    conv_case_run(c, plan);
    ddpm_conv3x3_plan_free(plan);
    for (int threads = 2; threads <= 3; threads++) {
        const results one = { copy_of(c->y, c->y_count), copy_of(c->dx, c->x_count),
                              copy_of(c->dw, c->w_count), copy_of(c->dbias, c->op.k),
                              copy_of(c->dper_image, c->out.n * c->op.k) };
        assert_int_equal(ddpm_kernels_set_threads(threads), threads);
        plan = conv_plan_of(method, &c->op);
        conv_case_run(c, plan);
        assert_same_bits(c->y, one.y, c->y_count);
        assert_same_bits(c->dx, one.dx, c->x_count);
        assert_same_bits(c->dw, one.dw, c->w_count);
        assert_same_bits(c->dbias, one.dbias, c->op.k);
        assert_same_bits(c->dper_image, one.dper_image, c->out.n * c->op.k);
        ddpm_conv3x3_plan_free(plan);
    }
    ddpm_kernels_set_threads(1);
}

static void one_two_and_three_threads_give_the_same_bits(void **state)
{
    (void)state;
    conv_for_each(check_threads);
}

static void check_packed(conv_case *c, const ddpm_conv_method *method)
{
    ddpm_conv3x3_plan *plan = conv_plan_of(method, &c->op);
    const size_t packed_count = ddpm_conv3x3_packed_bytes(plan) / sizeof(float);
    if (packed_count > 0) {
        float *packed = conv_case_array(packed_count, 0);
        float *scratch = conv_case_array(ddpm_conv3x3_scratch_bytes(plan) / sizeof(float), 0);
        ddpm_conv3x3_pack(packed, c->w, plan);
        conv_case_run(c, plan);
        float *unpacked = copy_of(c->y, c->y_count);
        ddpm_conv3x3_forward(c->y, c->x, NULL, packed, NULL, scratch, plan);
        assert_same_bits(c->y, unpacked, c->y_count);
        ddpm_memory_free(packed);
        ddpm_memory_free(scratch);
    }
    ddpm_conv3x3_plan_free(plan);
}

static void packed_weights_give_the_same_bits(void **state)
{
    (void)state;
    conv_for_each(check_packed);
}

static void check_is_multiple(const float *sum, float *once, float factor, size_t count)
{
    for (size_t i = 0; i < count; i++) once[i] *= factor;
    CHECK_LE(max_error_f32(sum, once, count), 1e-6);
    ddpm_memory_free(once);
}

static void check_accumulation(conv_case *c, const ddpm_conv_method *method)
{
    ddpm_conv3x3_plan *plan = conv_plan_of(method, &c->op);
    const size_t per_image_count = c->out.n * c->op.k;
    void *scratch = conv_case_array(ddpm_conv3x3_scratch_bytes(plan) / sizeof(float), 0);
    conv_case_run(c, plan);
    float *dw = copy_of(c->dw, c->w_count), *dbias = copy_of(c->dbias, c->op.k);
    float *dper_image = copy_of(c->dper_image, per_image_count);
    ddpm_conv3x3_backward_weights(c->dw, c->dbias, NULL, c->dy, c->x, scratch, plan);
    ddpm_conv3x3_backward_weights(c->dw, NULL, c->dper_image, c->dy, c->x, scratch, plan);
    check_is_multiple(c->dw, dw, 3.0f, c->w_count);
    check_is_multiple(c->dbias, dbias, 2.0f, c->op.k);
    check_is_multiple(c->dper_image, dper_image, 2.0f, per_image_count);
    ddpm_memory_free(scratch);
    ddpm_conv3x3_plan_free(plan);
}

static void parameter_gradients_are_added_to(void **state)
{
    (void)state;
    conv_for_each(check_accumulation);
}

static void a_plan_names_a_method_for_each_direction(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONV_SHAPES; i++) {
        ddpm_conv3x3_plan *plan = NULL;
        CHECK_OK(ddpm_conv3x3_plan_create(&plan, &conv_shapes[i]));
        for (int d = 0; d < DDPM_CONV_DIRECTIONS; d++) {
            bool known = false;
            for (size_t m = 0; m < DDPM_CONV_METHODS; m++)
                known |= strcmp(ddpm_conv3x3_plan_algorithm(plan, d),
                                ddpm_kernels__conv_methods[m]->name) == 0;
            assert_true(known);
        }
        ddpm_conv3x3_plan_free(plan);
    }
}

static void a_plan_costs_the_least_of_all_methods_in_each_direction(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONV_SHAPES; i++) {
        ddpm_conv3x3_plan *plan = NULL;
        CHECK_OK(ddpm_conv3x3_plan_create(&plan, &conv_shapes[i]));
        for (int d = 0; d < DDPM_CONV_DIRECTIONS; d++) {
            const double cost = ddpm_conv3x3_plan_cost_ns(plan, d);
            bool found = false;
            for (size_t m = 0; m < DDPM_CONV_METHODS; m++) {
                const ddpm_conv_method *method = ddpm_kernels__conv_methods[m];
                if (!method->supports(&conv_shapes[i])) continue;
                const double other = method->cost(method, &conv_shapes[i], (ddpm_conv_direction)d);
                assert_true(cost <= other);
                if (strcmp(ddpm_conv3x3_plan_algorithm(plan, d), method->name) == 0)
                    found = cost == other;
            }
            assert_true(found);
        }
        ddpm_conv3x3_plan_free(plan);
    }
}

int main(void)
{
    if (!conv_isa_is_there()) return NO_SUCH_ISA;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_gradients_are_adjoint_to_the_forward_pass),
        cmocka_unit_test(one_two_and_three_threads_give_the_same_bits),
        cmocka_unit_test(packed_weights_give_the_same_bits),
        cmocka_unit_test(parameter_gradients_are_added_to),
        cmocka_unit_test(a_plan_names_a_method_for_each_direction),
        cmocka_unit_test(a_plan_costs_the_least_of_all_methods_in_each_direction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
