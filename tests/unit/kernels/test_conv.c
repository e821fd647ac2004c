/* Every method of 3x3 convolution against its definition in double, on shapes with odd sizes. */
#include "conv_case.h"
#include "ref/conv_ref.h"

static double *wide_array(size_t count)
{
    double *array = calloc(count, sizeof *array);
    assert_non_null(array);
    return array;
}

static void check_forward(conv_case *c, const ddpm_conv_method *method)
{
    ddpm_conv3x3_plan *plan = conv_plan_of(method, &c->op);
    double *y = wide_array(c->y_count);
    conv_case_run(c, plan);
    ddpm_conv3x3_forward_ref(y, c->x, c->w, NULL, &c->op);
    CHECK_LE(max_error(c->y, y, c->y_count), conv_bound(method));
    free(y);
    ddpm_conv3x3_plan_free(plan);
}

static void the_output_is_the_convolution(void **state)
{
    (void)state;
    conv_for_each(check_forward);
}

static void check_backward_data(conv_case *c, const ddpm_conv_method *method)
{
    ddpm_conv3x3_plan *plan = conv_plan_of(method, &c->op);
    double *dx = wide_array(c->x_count);
    conv_case_run(c, plan);
    ddpm_conv3x3_backward_data_ref(dx, c->dy, c->w, &c->op);
    CHECK_LE(max_error(c->dx, dx, c->x_count), conv_bound(method));
    free(dx);
    ddpm_conv3x3_plan_free(plan);
}

static void the_input_gradient_is_the_adjoint(void **state)
{
    (void)state;
    conv_for_each(check_backward_data);
}

static void check_backward_weights(conv_case *c, const ddpm_conv_method *method)
{
    ddpm_conv3x3_plan *plan = conv_plan_of(method, &c->op);
    const size_t per_image_count = c->out.n * c->op.k;
    double *dw = wide_array(c->w_count), *dbias = wide_array(c->op.k);
    double *dper_image = wide_array(per_image_count);
    conv_case_run(c, plan);
    ddpm_conv3x3_backward_weights_ref(dw, dbias, dper_image, c->dy, c->x, &c->op);
    CHECK_LE(max_error(c->dw, dw, c->w_count), conv_bound(method));
    CHECK_LE(max_error(c->dbias, dbias, c->op.k), 1e-6);
    CHECK_LE(max_error(c->dper_image, dper_image, per_image_count), 1e-6);
    free(dw);
    free(dbias);
    free(dper_image);
    ddpm_conv3x3_plan_free(plan);
}

static void the_weight_and_bias_gradients_are_the_sums_over_all_pixels(void **state)
{
    (void)state;
    conv_for_each(check_backward_weights);
}

static double largest(const double *x, size_t count)
{
    double most = 0.0;
    for (size_t i = 0; i < count; i++) most = fmax(most, fabs(x[i]));
    return most;
}

/* Subsets of the addends, the residual in a buffer of its own or in y itself. Addends may cancel
 * the convolution, so errors are held against the larger of both. */
enum { BIAS = 1, PER_IMAGE = 2, RESIDUAL = 4, IN_PLACE = 8 };
static const unsigned addend_sets[] = { BIAS,
                                        PER_IMAGE,
                                        BIAS | PER_IMAGE,
                                        BIAS | RESIDUAL,
                                        RESIDUAL,
                                        BIAS | PER_IMAGE | RESIDUAL,
                                        RESIDUAL | IN_PLACE,
                                        BIAS | PER_IMAGE | RESIDUAL | IN_PLACE };

static void check_addends(conv_case *c, const ddpm_conv_method *method)
{
    ddpm_conv3x3_plan *plan = conv_plan_of(method, &c->op);
    void *scratch = conv_case_array(ddpm_conv3x3_scratch_bytes(plan) / sizeof(float), 0);
    double *y = wide_array(c->y_count);
    ddpm_conv3x3_forward_ref(y, c->x, c->w, NULL, &c->op);
    const double bare = largest(y, c->y_count);
    for (size_t i = 0; i < sizeof addend_sets / sizeof *addend_sets; i++) {
        const unsigned set = addend_sets[i];
        ddpm_conv3x3_addends addends = { .bias = set & BIAS ? c->bias : NULL,
                                         .per_image = set & PER_IMAGE ? c->per_image : NULL,
                                         .residual = set & RESIDUAL ? c->residual : NULL };
        ddpm_conv3x3_forward_ref(y, c->x, c->w, &addends, &c->op);
        if (set & IN_PLACE) {
            memcpy(c->y, c->residual, c->y_count * sizeof *c->y);
            addends.residual = c->y;
        }
        ddpm_conv3x3_forward(c->y, c->x, c->w, NULL, &addends, scratch, plan);
        const double whole = largest(y, c->y_count);
        CHECK_LE(max_error(c->y, y, c->y_count) * whole, conv_bound(method) * fmax(bare, whole));
    }
    free(y);
    ddpm_memory_free(scratch);
    ddpm_conv3x3_plan_free(plan);
}

static void addends_are_added_once_to_every_pixel(void **state)
{
    (void)state;
    conv_for_each(check_addends);
}

int main(void)
{
    if (!conv_isa_is_there()) return NO_SUCH_ISA;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_output_is_the_convolution),
        cmocka_unit_test(the_input_gradient_is_the_adjoint),
        cmocka_unit_test(the_weight_and_bias_gradients_are_the_sums_over_all_pixels),
        cmocka_unit_test(addends_are_added_once_to_every_pixel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
