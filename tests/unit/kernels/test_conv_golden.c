/* 3x3 convolutions against PyTorch in float64 (tests/golden/ops.h5). */
#include "conv_case.h"
#include "golden.h"

typedef struct {
    float *x, *w, *b, *gy;
    double *y, *gx, *gw, *gb;
} arrays;

static arrays read_arrays(golden *file, const char *group, int k)
{
    return (arrays){
        .x = golden_f32(file, NULL, "%s/case%d/x", group, k),
        .w = golden_f32(file, NULL, "%s/case%d/w_hwio", group, k),
        .b = golden_f32(file, NULL, "%s/case%d/b", group, k),
        .gy = golden_f32(file, NULL, "%s/case%d/gy", group, k),
        .y = golden_f64(file, NULL, "%s/case%d/y", group, k),
        .gx = golden_f64(file, NULL, "%s/case%d/gx", group, k),
        .gw = golden_f64(file, NULL, "%s/case%d/gw_hwio", group, k),
        .gb = golden_f64(file, NULL, "%s/case%d/gb", group, k),
    };
}

static void free_arrays(arrays *a)
{
    void *all[] = { a->x, a->w, a->b, a->gy, a->y, a->gx, a->gw, a->gb };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* Every pixel twice in both directions, and the sum of the four that came from one. */
static void upsample(float *wide, const float *x, ddpm_shape in)
{
    for (size_t n = 0; n < in.n; n++)
        for (size_t i = 0; i < 4 * in.h * in.w; i++) {
            const size_t row = i / (2 * in.w) / 2, column = i % (2 * in.w) / 2;
            memcpy(wide + (n * 4 * in.h * in.w + i) * in.c,
                   x + ((n * in.h + row) * in.w + column) * in.c, in.c * sizeof *wide);
        }
}

static void downsum(float *dx, const float *wide, ddpm_shape in)
{
    memset(dx, 0, ddpm_shape_count(in) * sizeof *dx);
    for (size_t n = 0; n < in.n; n++)
        for (size_t i = 0; i < 4 * in.h * in.w; i++) {
            const size_t row = i / (2 * in.w) / 2, column = i % (2 * in.w) / 2;
            for (size_t c = 0; c < in.c; c++)
                dx[((n * in.h + row) * in.w + column) * in.c + c] +=
                    wide[(n * 4 * in.h * in.w + i) * in.c + c];
        }
}

static void check_case(golden *file, const char *group, int k, size_t stride, bool upsampled,
                       const ddpm_conv_method *method)
{
    size_t x_size[8], w_size[8];
    assert_int_equal(golden_shape(file, x_size, "%s/case%d/x", group, k), 4);
    assert_int_equal(golden_shape(file, w_size, "%s/case%d/w_hwio", group, k), 4);
    const ddpm_shape small = { x_size[0], x_size[1], x_size[2], x_size[3] };
    const size_t factor = upsampled ? 2 : 1;
    const ddpm_conv3x3 op = { .in = { small.n, factor * small.h, factor * small.w, small.c },
                              .k = w_size[3],
                              .stride = stride };
    if (!method->supports(&op)) return;
    arrays a = read_arrays(file, group, k);
    conv_case c = conv_case_create(&op);
    if (upsampled)
        upsample(c.x, a.x, small);
    else
        memcpy(c.x, a.x, c.x_count * sizeof *c.x);
    memcpy(c.w, a.w, c.w_count * sizeof *c.w);
    memcpy(c.dy, a.gy, c.y_count * sizeof *c.dy);

    ddpm_conv3x3_plan *plan = conv_plan_of(method, &op);
    void *scratch = conv_case_array(ddpm_conv3x3_scratch_bytes(plan) / sizeof(float), 0);
    conv_case_run(&c, plan);
    ddpm_conv3x3_forward(c.y, c.x, c.w, NULL, &(ddpm_conv3x3_addends){ .bias = a.b }, scratch,
                         plan);
    float *dx = c.dx;
    if (upsampled) {
        dx = conv_case_array(ddpm_shape_count(small), 0);
        downsum(dx, c.dx, small);
    }
    CHECK_LE(max_error(c.y, a.y, c.y_count), conv_bound(method));
    CHECK_LE(max_error(dx, a.gx, ddpm_shape_count(small)), conv_bound(method));
    CHECK_LE(max_error(c.dw, a.gw, c.w_count), conv_bound(method));
    CHECK_LE(max_error(c.dbias, a.gb, op.k), 1e-6);
    if (dx != c.dx) ddpm_memory_free(dx);
    ddpm_memory_free(scratch);
    ddpm_conv3x3_plan_free(plan);
    conv_case_free(&c);
    free_arrays(&a);
}

static void check_group(const char *group, size_t stride, bool upsampled)
{
    golden *file = golden_open("ops");
    int cases = 0;
    for (; golden_exists(file, "%s/case%d", group, cases); cases++)
        for (size_t m = 0; m < DDPM_CONV_METHODS; m++)
            check_case(file, group, cases, stride, upsampled, ddpm_kernels__conv_methods[m]);
    golden_close(file);
    assert_true(cases > 0);
}

static void stride_1_equals_pytorch(void **state)
{
    (void)state;
    check_group("conv3x3_s1", 1, false);
}

static void stride_2_with_padding_below_and_right_equals_pytorch(void **state)
{
    (void)state;
    check_group("conv3x3_s2", 2, false);
}

static void the_convolution_of_an_upsampled_image_equals_pytorch(void **state)
{
    (void)state;
    check_group("upsample_conv3x3", 1, true);
}

int main(void)
{
    if (!conv_isa_is_there()) return NO_SUCH_ISA;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stride_1_equals_pytorch),
        cmocka_unit_test(stride_2_with_padding_below_and_right_equals_pytorch),
        cmocka_unit_test(the_convolution_of_an_upsampled_image_equals_pytorch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
