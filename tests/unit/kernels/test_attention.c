/* Self-attention against its definition in double, and inside the block that PyTorch computed. */
#include "ddpm/kernels/attention.h"

#include "ddpm/kernels/linear.h"
#include "ddpm/kernels/norm.h"
#include "golden.h"
#include "kernel_arrays.h"
#include "ref/attention_ref.h"

/* row_stride c: q, k, v apart; more: side by side in rows of that length. */
static const ddpm_attention cases[] = {
    { 1, 1, 1, 1 },    { 2, 3, 5, 5 },    { 3, 24, 48, 144 }, { 1, 35, 3, 11 },
    { 2, 16, 33, 99 }, { 1, 130, 7, 21 }, { 4, 64, 32, 96 },
};
enum { CASES = sizeof cases / sizeof *cases };

typedef struct {
    ddpm_attention op;
    size_t in, out, pairs; /* elements of q (with gaps), of o, of probabilities */
    float *q, *k, *v, *d_o;
    float *o, *probabilities, *dq, *dk, *dv;
} operands;

static operands operands_of(const ddpm_attention *op)
{
    const size_t c = op->c, rows = op->n * op->tokens;
    const bool joined = op->row_stride >= 3 * c;
    const size_t in = rows * op->row_stride, storage = joined ? in : 3 * in;
    const size_t k_at = joined ? c : in, v_at = joined ? 2 * c : 2 * in;
    float *qkv = normals(storage, 1), *dqkv = blank(storage);
    return (operands){
        .op = *op,
        .in = in,
        .out = rows * c,
        .pairs = rows * op->tokens,
        .q = qkv,
        .k = qkv + k_at,
        .v = qkv + v_at,
        .d_o = normals(rows * c, 2),
        .o = blank(rows * c),
        .probabilities = blank(rows * op->tokens),
        .dq = dqkv,
        .dk = dqkv + k_at,
        .dv = dqkv + v_at,
    };
}

static void forward(operands *a)
{
    ddpm_attention_forward(a->o, a->probabilities, a->q, a->k, a->v, &a->op);
}

static void backward(operands *a)
{
    void *scratch = scratch_of(ddpm_attention_scratch_bytes(&a->op));
    ddpm_attention_backward(a->dq, a->dk, a->dv, a->d_o, a->probabilities, a->q, a->k, a->v,
                            scratch, &a->op);
}

/* max_error over the rows of a tensor with gaps */
static double max_error_of_rows(const float *a, const double *b, const ddpm_attention *op)
{
    double error = 0.0, largest = 0.0;
    for (size_t row = 0; row < op->n * op->tokens; row++)
        for (size_t c = 0; c < op->c; c++) {
            const size_t i = row * op->row_stride + c;
            const double difference = fabs((double)a[i] - b[i]);
            if (!isfinite(difference)) return HUGE_VAL;
            error = fmax(error, difference);
            largest = fmax(largest, fabs(b[i]));
        }
    return error == 0.0 ? 0.0 : error / largest;
}

static void outputs_and_gradients_are_those_of_the_definition(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        operands a = operands_of(&cases[i]);
        double *o = wide(a.out), *p = wide(a.pairs);
        double *dq = wide(a.in), *dk = wide(a.in), *dv = wide(a.in);
        forward(&a);
        backward(&a);
        ddpm_attention_forward_ref(o, p, a.q, a.k, a.v, &a.op);
        ddpm_attention_backward_ref(dq, dk, dv, a.d_o, p, a.q, a.k, a.v, &a.op);
        CHECK_LE(max_error(a.probabilities, p, a.pairs), 2e-6);
        CHECK_LE(max_error(a.o, o, a.out), 2e-6);
        CHECK_LE(max_error_of_rows(a.dv, dv, &a.op), 2e-6);
        if (a.op.tokens > 1) { /* one token attends to itself whatever q and k are */
            CHECK_LE(max_error_of_rows(a.dq, dq, &a.op), 3e-6);
            CHECK_LE(max_error_of_rows(a.dk, dk, &a.op), 3e-6);
        }
        free_kept(NULL);
    }
}

static void what_lies_between_rows_stays(void **state)
{
    (void)state;
    operands a = operands_of(&(ddpm_attention){ 2, 5, 3, 11 }); /* 9 of 11 are q, k, v */
    for (size_t i = 0; i < a.in; i++) a.dq[i] = 7.0f;
    forward(&a);
    backward(&a);
    for (size_t row = 0; row < 10; row++) {
        assert_float_equal(a.dq[row * 11 + 9], 7.0f, 0.0f);
        assert_float_equal(a.dq[row * 11 + 10], 7.0f, 0.0f);
    }
}

static double loss(const float *qkv, void *context)
{
    operands *a = context;
    ddpm_attention_forward(a->o, a->probabilities, qkv, qkv + a->op.c, qkv + 2 * a->op.c, &a->op);
    return dot(a->o, a->d_o, a->out);
}

static void the_gradient_is_the_slope_of_the_output(void **state)
{
    (void)state;
    operands a = operands_of(&(ddpm_attention){ 2, 12, 8, 24 });
    const float *direction = normals(a.in, 9);
    const double slope = directional(loss, &a, a.q, direction, blank(a.in), a.in, 1e-2);
    forward(&a);
    backward(&a);
    CHECK_LE(fabs(dot(a.dq, direction, a.in) - slope), 1e-4 * fabs(slope));
}

/* Scores in the hundreds: e^score overflows unless the maximum is taken off first. */
static void large_scores_choose_the_largest(void **state)
{
    (void)state;
    operands a = operands_of(&(ddpm_attention){ 1, 20, 4, 4 });
    for (size_t i = 0; i < a.in; i++) {
        a.q[i] *= 100.0f;
        a.k[i] *= 100.0f;
    }
    double *o = wide(a.out), *p = wide(a.pairs);
    forward(&a);
    ddpm_attention_forward_ref(o, p, a.q, a.k, a.v, &a.op);
    CHECK_LE(max_error(a.probabilities, p, a.pairs), 1e-2); /* an ulp of a score of 1e4 is 1e-3 */
    for (size_t i = 0; i < 20; i++) {
        double sum = 0.0;
        for (size_t j = 0; j < 20; j++) sum += (double)a.probabilities[i * 20 + j];
        CHECK_LE(fabs(sum - 1.0), 1e-6);
    }
}

static const ddpm_attention large = { 2, 150, 20, 60 };
enum { LARGE_OUT = 2 * 150 * (150 + 20 + 60) };

static void run_large(float *out)
{
    operands a = operands_of(&large);
    a.probabilities = out;
    a.o = a.probabilities + a.pairs;
    a.dq = a.o + a.out;
    a.dk = a.dq + a.op.c;
    a.dv = a.dk + a.op.c;
    forward(&a);
    backward(&a);
}

static void any_number_of_threads_gives_the_same_bits(void **state)
{
    (void)state;
    check_same_bits_on_any_threads(run_large, LARGE_OUT);
}

/* The attention block of case k: y = x + out(attention(qkv(groupnorm(x)))), with the weights of q,
 * k and v joined to [C,3C]; diffusers keeps each as [out, in]. */
typedef struct {
    golden *file;
    int k;
    ddpm_norm norm;
    ddpm_attention attention;
    ddpm_linear qkv, out;
    size_t count;
} golden_block;

static float *parameter(const golden_block *b, const char *name)
{
    return keep(golden_f32(b->file, NULL, "attention/case%d/params/%s", b->k, name));
}

/* w [C,columns]: column first + j is row j of the stored [out, in]. */
static void put_transposed(float *w, size_t columns, size_t first, const float *stored, size_t c)
{
    for (size_t j = 0; j < c; j++)
        for (size_t i = 0; i < c; i++) w[i * columns + first + j] = stored[j * c + i];
}

static void check_gradient(const golden_block *b, const char *name, const float *dw, size_t columns,
                           size_t first, size_t rows)
{
    const size_t c = b->attention.c;
    const double *stored = keep(golden_f64(b->file, NULL, "attention/case%d/grads/%s", b->k, name));
    float *mine = blank(rows * c);
    for (size_t j = 0; j < c; j++)
        for (size_t i = 0; i < rows; i++) mine[j * rows + i] = dw[i * columns + first + j];
    double largest = 0.0;
    for (size_t i = 0; i < rows * c; i++) largest = fmax(largest, fabs(stored[i]));
    if (largest > 1e-9) { /* to_k.bias, and with one token q and k, have no gradient */
        CHECK_LE(max_error(mine, stored, rows * c), 3e-6);
    } else {
        for (size_t i = 0; i < rows * c; i++) CHECK_LE(fabs((double)mine[i]), 1e-5);
    }
}

static void check_golden_block(const golden_block *b)
{
    static const char *const part[] = { "to_q", "to_k", "to_v" };
    const size_t c = b->attention.c, count = b->count;
    const size_t pairs = b->attention.n * b->attention.tokens * b->attention.tokens;
    float *w = blank(3 * c * c), *bias = blank(3 * c), *w_out = blank(c * c);
    char name[32];
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s.weight", part[i]);
        put_transposed(w, 3 * c, i * c, parameter(b, name), c);
        snprintf(name, sizeof name, "%s.bias", part[i]);
        memcpy(bias + i * c, parameter(b, name), c * sizeof *bias);
    }
    put_transposed(w_out, c, 0, parameter(b, "to_out.0.weight"), c);
    const float *gamma = parameter(b, "group_norm.weight"), *beta = parameter(b, "group_norm.bias");
    const float *bias_out = parameter(b, "to_out.0.bias");
    const float *x = keep(golden_f32(b->file, NULL, "attention/case%d/x", b->k));
    const float *dy = keep(golden_f32(b->file, NULL, "attention/case%d/gy", b->k));

    float *normed = blank(count), *mean = blank(count), *rstd = blank(count);
    float *qkv = blank(3 * count), *p = blank(pairs), *o = blank(count), *y = blank(count);
    ddpm_norm_forward(normed, mean, rstd, x, gamma, beta, &b->norm);
    ddpm_linear_forward(qkv, normed, w, bias, NULL, &b->qkv);
    ddpm_attention_forward(o, p, qkv, qkv + c, qkv + 2 * c, &b->attention);
    ddpm_linear_forward(y, o, w_out, bias_out, x, &b->out);
    const double *expected = keep(golden_f64(b->file, NULL, "attention/case%d/y", b->k));
    CHECK_LE(max_error(y, expected, count), 1e-6);
    expected = keep(golden_f64(b->file, NULL, "attention/case%d/probabilities", b->k));
    CHECK_LE(max_error(p, expected, pairs), 3e-6);

    float *d_o = blank(count), *dw_out = zeros(c * c), *dbias_out = zeros(c);
    float *dqkv = blank(3 * count), *dw = zeros(3 * c * c), *dbias = zeros(3 * c);
    float *dnormed = blank(count), *dx = blank(count), *dgamma = zeros(c), *dbeta = zeros(c);
    ddpm_linear_backward_data(d_o, dy, w_out, &b->out);
    ddpm_linear_backward_weights(dw_out, dbias_out, dy, o, &b->out);
    ddpm_attention_backward(dqkv, dqkv + c, dqkv + 2 * c, d_o, p, qkv, qkv + c, qkv + 2 * c,
                            scratch_of(ddpm_attention_scratch_bytes(&b->attention)), &b->attention);
    ddpm_linear_backward_data(dnormed, dqkv, w, &b->qkv);
    ddpm_linear_backward_weights(dw, dbias, dqkv, normed, &b->qkv);
    ddpm_norm_backward(dx, dgamma, dbeta, dnormed, x, mean, rstd, gamma, beta,
                       scratch_of(ddpm_norm_scratch_bytes(&b->norm)), &b->norm);
    for (size_t i = 0; i < count; i++) dx[i] += dy[i];
    expected = keep(golden_f64(b->file, NULL, "attention/case%d/gx", b->k));
    CHECK_LE(max_error(dx, expected, count), 3e-6);
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s.weight", part[i]);
        check_gradient(b, name, dw, 3 * c, i * c, c);
        snprintf(name, sizeof name, "%s.bias", part[i]);
        check_gradient(b, name, dbias, 3 * c, i * c, 1);
    }
    check_gradient(b, "to_out.0.weight", dw_out, c, 0, c);
    check_gradient(b, "to_out.0.bias", dbias_out, c, 0, 1);
    check_gradient(b, "group_norm.weight", dgamma, c, 0, 1);
    check_gradient(b, "group_norm.bias", dbeta, c, 0, 1);
}

static void golden_values_of_pytorch_are_met(void **state)
{
    (void)state;
    golden *file = golden_open("ops");
    for (int k = 0; k < 4; k++) {
        size_t size[8];
        double groups, epsilon;
        assert_int_equal(golden_shape(file, size, "attention/case%d/x", k), 4);
        golden_attribute(file, &groups, 1, "groups", "attention/case%d", k);
        golden_attribute(file, &epsilon, 1, "eps", "attention/case%d", k);
        const ddpm_shape shape = { size[0], size[1], size[2], size[3] };
        const size_t tokens = shape.h * shape.w, rows = shape.n * tokens, c = shape.c;
        check_golden_block(&(golden_block){
            .file = file,
            .k = k,
            .norm = { shape, (size_t)groups, (float)epsilon, false },
            .attention = { shape.n, tokens, c, 3 * c },
            .qkv = { rows, c, 3 * c },
            .out = { rows, c, c },
            .count = rows * c,
        });
        free_kept(NULL);
    }
    golden_close(file);
}

int main(void)
{
    if (!isa_is_there()) return NO_SUCH_ISA;
    const struct CMUnitTest tests[] = {
        TEST(outputs_and_gradients_are_those_of_the_definition),
        TEST(what_lies_between_rows_stays),
        TEST(the_gradient_is_the_slope_of_the_output),
        TEST(large_scores_choose_the_largest),
        TEST(any_number_of_threads_gives_the_same_bits),
        TEST(golden_values_of_pytorch_are_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
