/* Plots: ticks where people expect them, files that are what they are called. */
#include "check.h"
#include "scratch.h"

#include "ddpm/eval/plot.h"
#include "ddpm/io/image.h"
#include "plot_axis.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *label(const plot_axis *axis, size_t labelled)
{
    for (size_t i = 0; i < axis->ticks; i++)
        if (axis->tick[i].label[0] && labelled-- == 0) return axis->tick[i].label;
    return "none";
}

static void a_linear_axis_has_round_ticks_around_its_range(void **state)
{
    (void)state;
    plot_axis axis = { 0 };
    plot_axis_set(&axis, 0.03, 9.7);
    assert_true(axis.low == 0.0 && axis.high == 10.0);
    assert_int_equal(axis.ticks, 6);
    assert_string_equal(label(&axis, 1), "2");
    plot_axis_set(&axis, -0.25, 0.3);
    assert_string_equal(label(&axis, 0), "-0.3");
    CHECK_LE(fabs(plot_axis_share(&axis, 0.5 * (axis.low + axis.high)) - 0.5), 1e-12);
    plot_axis_set(&axis, 5.0, 5.0); /* one value has room around it */
    CHECK_LE(axis.low, 4.9);
    CHECK_LE(5.1, axis.high);
}

static void a_logarithmic_axis_has_powers_of_ten(void **state)
{
    (void)state;
    plot_axis axis = { .logarithmic = true };
    plot_axis_set(&axis, 1.0, 1000.0);
    assert_string_equal(label(&axis, 0), "1");
    CHECK_LE(fabs(plot_axis_share(&axis, sqrt(axis.low * axis.high)) - 0.5), 1e-12);
    assert_false(plot_axis_shows(&axis, 0.0));
    assert_true(plot_axis_shows(&axis, 1e-9));
    plot_axis_set(&axis, 1e-30, 1e30); /* fits into its table */
    CHECK_LE(axis.ticks, PLOT_TICKS);
}

static size_t count(const char *text, const char *word)
{
    size_t found = 0;
    for (const char *at = text; (at = strstr(at, word)); at += strlen(word)) found++;
    return found;
}

static void a_plot_shows_every_point_that_can_be_shown(void **state)
{
    (void)state;
    const double x[] = { 1, 10, 100, 1000, -5 }, y[] = { 1, 2, (double)NAN, 4, 5 };
    const ddpm_plot_series series[] = { { .name = "a<b", .x = x, .y = y, .count = 5 } };
    const ddpm_plot plot = { .title = "T & t",
                             .x_label = "x",
                             .y_label = "y",
                             .log_x = true,
                             .series = series,
                             .series_count = 1 };
    CHECK_OK(ddpm_plot_write(&plot, scratch_path("plot")));
    size_t bytes;
    unsigned char *read = scratch_read(scratch_path("plot.svg"), &bytes);
    char *text = strndup((const char *)read, bytes);
    assert_non_null(text);
    assert_int_equal(count(text, "<circle"), 3);
    assert_int_equal(count(text, "stroke=\"#0072b2\" stroke-width=\"2\""), 1); /* 1 to 10 */
    assert_int_equal(count(text, "T &amp; t"), 1);
    assert_int_equal(count(text, "a&lt;b"), 1);
    assert_int_equal(count(text, "</svg>"), 1);
    free(text);
    free(read);

    ddpm_image image;
    CHECK_OK(ddpm_image_read(&image, scratch_path("plot.png"), 3, 1 << 20));
    assert_true(image.width == 840 && image.height == 560);
    size_t blue = 0, white = 0;
    for (size_t i = 0; i < image.width * image.height; i++) {
        const uint8_t *p = image.pixels + 3 * i;
        blue += p[0] == 0x00 && p[1] == 0x72 && p[2] == 0xb2;
        white += p[0] == 255 && p[1] == 255 && p[2] == 255;
    }
    CHECK_LE(3 * 20, blue); /* three discs at least */
    const size_t most_of_it = image.width * image.height * 8 / 10;
    CHECK_LE(most_of_it, white);
    ddpm_image_free(&image);
}

/* A plot's SVG, malloc'ed. */
static char *svg_of(const ddpm_plot *plot)
{
    CHECK_OK(ddpm_plot_write(plot, scratch_path("plot")));
    size_t bytes;
    unsigned char *read = scratch_read(scratch_path("plot.svg"), &bytes);
    char *text = strndup((const char *)read, bytes);
    free(read);
    assert_non_null(text);
    return text;
}

/* The text of the drawing of `series` lines from (0, k) to (100, k), named. */
static char *drawing_of(size_t series)
{
    enum { MOST = 64 };
    static const double x[] = { 1, 100 };
    static double y[MOST][2];
    static char name[MOST][16];
    ddpm_plot_series all[MOST];
    for (size_t k = 0; k < series; k++) {
        y[k][0] = y[k][1] = (double)k;
        snprintf(name[k], sizeof name[k], "curve %zu.", k);
        all[k] = (ddpm_plot_series){ .name = name[k], .x = x, .y = y[k], .count = 2 };
    }
    const ddpm_plot plot = {
        .title = "", .x_label = "", .y_label = "", .series = all, .series_count = series
    };
    return svg_of(&plot);
}

static void a_legend_names_twenty_and_says_how_many_more_there_are(void **state)
{
    (void)state;
    char *text = drawing_of(20);
    assert_int_equal(count(text, ">curve "), 20);
    assert_int_equal(count(text, " more<"), 0);
    free(text);
    text = drawing_of(33);
    assert_int_equal(count(text, ">curve "), 20);
    assert_int_equal(count(text, ">curve 19.<"), 1);
    assert_int_equal(count(text, ">... and 13 more<"), 1);
    free(text);
}

static void a_legend_keeps_off_lines_that_pass_between_points(void **state)
{
    (void)state;
    /* Along the top, with an end in the corner on the right and none in that on the left. */
    static const double x[] = { 0, 100 }, falling[] = { 100, 96 }, level[] = { 0, 0 };
    const ddpm_plot_series all[] = {
        { .name = "a name of many letters that is as wide as half a plot",
          .x = x,
          .y = falling,
          .count = 2 },
        { .x = x, .y = level, .count = 2 },
    };
    const ddpm_plot plot = {
        .title = "", .x_label = "", .y_label = "", .series = all, .series_count = 2
    };
    char *text = svg_of(&plot);
    const char *name = strstr(text, ">a name of");
    assert_non_null(name);
    while (*name != '<') name--;
    const char *y = strstr(name, " y=\"");
    assert_non_null(y);
    CHECK_LE(200, strtod(y + 4, NULL));
    free(text);
}

static void curves_of_one_colour_have_other_dashes(void **state)
{
    (void)state;
    /* Of eight curves each is one line; the ninth is the first one's colour in dashes. */
    char *text = drawing_of(8);
    assert_int_equal(count(text, "stroke=\"#0072b2\" stroke-width=\"2\""), 1);
    free(text);
    text = drawing_of(9);
    const size_t dashed = count(text, "stroke=\"#0072b2\" stroke-width=\"2\"") - 1;
    CHECK_LE(40, dashed); /* 732 pixels less the margins, of 13 a dash */
    CHECK_LE(dashed, 60);
    free(text);
    text = drawing_of(17);
    CHECK_LE(dashed + 1 + 80, count(text, "stroke=\"#0072b2\" stroke-width=\"2\""));
    free(text);
}

static void a_path_that_is_too_long_is_not_cut(void **state)
{
    (void)state;
    static char stem[4094];
    const double one = 1.0;
    const ddpm_plot_series series = { .x = &one, .y = &one, .count = 1 };
    const ddpm_plot plot = {
        .title = "", .x_label = "", .y_label = "", .series = &series, .series_count = 1
    };
    memset(stem, '/', sizeof stem - 1);
    CHECK_STATUS(ddpm_plot_write(&plot, stem), 73);
    CHECK_MESSAGE("too long");
}

static void a_plot_of_nothing_is_an_error(void **state)
{
    (void)state;
    const double nothing = (double)NAN;
    const ddpm_plot_series series = { .x = &nothing, .y = &nothing, .count = 1 };
    const ddpm_plot plot = {
        .title = "", .x_label = "", .y_label = "", .series = &series, .series_count = 1
    };
    CHECK_STATUS(ddpm_plot_write(&plot, scratch_path("empty")), 65);
    assert_false(scratch_exists(scratch_path("empty.svg")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_linear_axis_has_round_ticks_around_its_range),
        cmocka_unit_test(a_logarithmic_axis_has_powers_of_ten),
        cmocka_unit_test(a_plot_shows_every_point_that_can_be_shown),
        cmocka_unit_test(a_legend_names_twenty_and_says_how_many_more_there_are),
        cmocka_unit_test(a_legend_keeps_off_lines_that_pass_between_points),
        cmocka_unit_test(curves_of_one_colour_have_other_dashes),
        cmocka_unit_test(a_path_that_is_too_long_is_not_cut),
        cmocka_unit_test(a_plot_of_nothing_is_an_error),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
