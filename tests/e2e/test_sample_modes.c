/* What ddpm-sample draws instead of plain images. */
#include "check.h"
#include "sample_fixture.h"

#include "ddpm/diffusion/process.h"
#include "ddpm/diffusion/sampler.h"
#include "ddpm/io/image.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { IMAGE_BYTES = FLOATS * sizeof(float) };

static float a[FLOATS]; /* a.png */

static void write_picture(const char *name, size_t side, size_t channels,
                          uint8_t (*value)(size_t i))
{
    char path[128];
    ddpm_image image = { side, side, channels, malloc(side * side * channels) };
    assert_non_null(image.pixels);
    for (size_t i = 0; i < side * side * channels; i++) image.pixels[i] = value(i);
    snprintf(path, sizeof path, "%s/%s", directory, name);
    CHECK_OK(ddpm_image_write_png(&image, path));
    ddpm_image_free(&image);
}

static uint8_t value_a(size_t i)
{
    return (uint8_t)(i * 37 % 256);
}

static uint8_t value_b(size_t i)
{
    return (uint8_t)(255 - i * 11 % 256);
}

static uint8_t black(size_t i)
{
    (void)i;
    return 0;
}

/* The last pixel. */
static uint8_t dot(size_t i)
{
    return i == SIDE * SIDE - 1 ? 255 : 0;
}

static uint8_t white(size_t i)
{
    (void)i;
    return 255;
}

/* The lower half. */
static uint8_t half(size_t i)
{
    return i >= SIDE * SIDE / 2 ? 255 : 0;
}

static int make_inputs(void **state)
{
    if (make_run(state)) return -1;
    write_picture("a.png", SIDE, CHANNELS, value_a);
    write_picture("b.png", SIDE, CHANNELS, value_b);
    write_picture("black.png", SIDE, 1, black);
    write_picture("dot.png", SIDE, 1, dot);
    write_picture("white.png", SIDE, 1, white);
    write_picture("half.png", SIDE, 1, half);
    write_picture("large.png", SIDE + 1, CHANNELS, value_a);
    for (size_t i = 0; i < FLOATS; i++) a[i] = (float)((double)value_a(i) / 127.5 - 1.0);
    return 0;
}

/* Draws into an HDF5 file and reads it. */
static size_t draw(float *images, const char *arguments)
{
    check_succeeds(sample("", "run -q %s -o drawn.h5", arguments));
    return read_images(images, "drawn.h5");
}

static float one[MOST * FLOATS], other[MOST * FLOATS];

static void progressive_frames_end_with_the_plain_image(void **state)
{
    (void)state;
    static const char *const samplers[] = { "--sampler ddim --steps 7", "--sampler ddpm --steps 7",
                                            "--sampler dpm++ --steps 5", "--sampler heun --steps 5",
                                            "--sampler euler --steps 5" };
    char arguments[256];
    for (size_t i = 0; i < sizeof samplers / sizeof *samplers; i++) {
        snprintf(arguments, sizeof arguments, "%s -n 3", samplers[i]);
        assert_int_equal(draw(one, arguments), 3);
        snprintf(arguments, sizeof arguments, "%s -n 3 --progressive=4", samplers[i]);
        assert_int_equal(draw(other, arguments), 12);
        for (size_t k = 0; k < 3; k++) {
            assert_memory_equal(other + (4 * k + 3) * FLOATS, one + k * FLOATS, IMAGE_BYTES);
            for (size_t frame = 0; frame < 3; frame++)
                assert_memory_not_equal(other + (4 * k + frame) * FLOATS,
                                        other + (4 * k + frame + 1) * FLOATS, IMAGE_BYTES);
        }
    }
}

static void forward_is_the_closed_form(void **state)
{
    (void)state;
    static const size_t t[] = { 0, 250, 999 };
    ddpm_schedule *schedule = NULL;
    CHECK_OK(ddpm_schedule_create(&schedule, "linear", 1000, 1e-4, 0.02));
    assert_int_equal(draw(one, "--forward a.png --t 0,250,999 --seed 9 --first 4"), 3);
    float eps[FLOATS];
    ddpm_image_init(eps, 9, 4, 1, FLOATS);
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < FLOATS; i++) {
            const double want = sqrt(schedule->alpha_bar[t[k]]) * (double)a[i] +
                                sqrt(1.0 - schedule->alpha_bar[t[k]]) * (double)eps[i];
            CHECK_LE(fabs((double)one[k * FLOATS + i] - want), 5e-7);
        }
    ddpm_schedule_free(schedule);
    assert_int_equal(draw(one, "--forward a.png --forward b.png -n 5"), 10);
    assert_int_equal(draw(one, "--forward a.png"), 10);
}

static void check_interpolation(const char *sampler)
{
    char arguments[256];
    snprintf(arguments, sizeof arguments, "--interpolate a.png b.png --t 600 -n 5 %s", sampler);
    assert_int_equal(draw(one, arguments), 5);
    snprintf(arguments, sizeof arguments, "--vary a.png --t 600 -n 1 %s", sampler);
    assert_int_equal(draw(other, arguments), 1);
    assert_memory_equal(one, other, IMAGE_BYTES);
    assert_memory_not_equal(one + FLOATS, one, IMAGE_BYTES);
    /* Image 4 of a batch with the noise of image 0 is what image 0 is, but for its place in it. */
    snprintf(arguments, sizeof arguments, "--vary b.png --t 600 -n 1 %s", sampler);
    assert_int_equal(draw(other, arguments), 1);
    for (size_t i = 0; i < FLOATS; i++)
        CHECK_LE(fabs((double)one[4 * FLOATS + i] - (double)other[i]), 2e-5);
    snprintf(arguments, sizeof arguments, "--interpolate b.png a.png --t 300,600 -n 5 %s", sampler);
    assert_int_equal(draw(other, arguments), 10);
    for (size_t i = 0; i < FLOATS; i++) /* the middle is the same from both ends */
        CHECK_LE(fabs((double)one[2 * FLOATS + i] - (double)other[7 * FLOATS + i]), 2e-5);
}

/* Ancestral sampling, the paper's, adds noise on the way: that too all have in common. */
static void interpolation_begins_with_a_variation_of_a_and_ends_with_one_of_b(void **state)
{
    (void)state;
    check_interpolation("--steps 10");
    check_interpolation("--sampler ddpm --steps 10");
}

static double distance_from_a(const float *image)
{
    double sum = 0.0;
    for (size_t i = 0; i < FLOATS; i++) sum += fabs((double)image[i] - (double)a[i]);
    return sum / FLOATS;
}

static void variations_from_less_noise_are_nearer(void **state)
{
    (void)state;
    assert_int_equal(draw(one, "--vary a.png --t 0,20,900 --steps 50 -n 4"), 12);
    for (size_t k = 0; k < 4; k++) {
        assert_true(distance_from_a(one + k * FLOATS) < 0.05);
        assert_true(distance_from_a(one + (4 + k) * FLOATS) > distance_from_a(one + k * FLOATS));
        assert_true(distance_from_a(one + (8 + k) * FLOATS) >
                    distance_from_a(one + (4 + k) * FLOATS));
    }
    assert_memory_not_equal(one + 4 * FLOATS, one + 5 * FLOATS, IMAGE_BYTES);
    /* From the end of the chain nothing is left of the image but a trace. */
    assert_int_equal(draw(other, "--vary b.png --t 20 --steps 50 -n 4"), 4);
    assert_memory_not_equal(other, one + 4 * FLOATS, IMAGE_BYTES);
}

static void images_with_a_prefix_in_common_part_below_it(void **state)
{
    (void)state;
    static const char *const samplers[] = { "--sampler ddpm --steps 8",
                                            "--sampler ddim --eta 1 --steps 8 --spacing spread" };
    char arguments[256];
    for (size_t s = 0; s < 2; s++) {
        snprintf(arguments, sizeof arguments, "%s -n 1", samplers[s]);
        draw(other, arguments);
        snprintf(arguments, sizeof arguments, "--prefix --t 0,143,571,999 %s -n 3", samplers[s]);
        assert_int_equal(draw(one, arguments), 12);
        for (size_t row = 0; row < 4; row++) /* image 0 goes its own way in every row */
            assert_memory_equal(one + 3 * row * FLOATS, other, IMAGE_BYTES);
        /* The step from timestep 0 adds no noise, so there is nothing to part by; that from 143,
         * the one before, does. */
        double apart[4] = { 0.0 };
        for (size_t i = 0; i < 2 * FLOATS; i++)
            for (size_t row = 0; row < 4; row++)
                apart[row] += fabs((double)one[(3 * row + 1) * FLOATS + i] -
                                   (double)one[3 * row * FLOATS + i % FLOATS]);
        CHECK_LE(apart[0] / (2 * FLOATS), 1e-5);
        assert_true(apart[1] / (2 * FLOATS) > 1e-2);
        assert_true(apart[2] > apart[1] && apart[3] > apart[2]);
    }
}

static void inpainting_keeps_what_is_known_to_the_last_bit(void **state)
{
    (void)state;
    static const char *const how[] = { "", "--sampler ddim", "--sampler heun", "--times 1",
                                       "--jump 2 --times 2" };
    char arguments[256];
    for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
        snprintf(arguments, sizeof arguments, "--inpaint a.png --mask half.png --steps 5 %s -n 2",
                 how[i]);
        assert_int_equal(draw(one, arguments), 2);
        assert_memory_equal(one, a, IMAGE_BYTES / 2);
        assert_memory_equal(one + FLOATS, a, IMAGE_BYTES / 2);
        assert_memory_not_equal(one + FLOATS / 2, a + FLOATS / 2, IMAGE_BYTES / 2);
        assert_memory_not_equal(one + FLOATS / 2, one + FLOATS + FLOATS / 2, IMAGE_BYTES / 2);
        snprintf(arguments, sizeof arguments, "--inpaint a.png --mask dot.png --steps 5 %s -n 1",
                 how[i]);
        draw(one, arguments);
        assert_memory_equal(one, a, IMAGE_BYTES - CHANNELS * sizeof(float));
        assert_memory_not_equal(one, a, IMAGE_BYTES);
    }
}

static void inpainting_everything_without_jumps_is_plain_drawing(void **state)
{
    (void)state;
    draw(one, "--inpaint a.png --mask white.png --steps 6 --times 1 -n 3 --sampler ddpm");
    draw(other, "--steps 6 -n 3 --sampler ddpm");
    assert_memory_equal(one, other, 3 * IMAGE_BYTES);
    draw(one, "--inpaint a.png --mask white.png --steps 6 --times 2 -n 3 --sampler ddpm");
    assert_memory_not_equal(one, other, IMAGE_BYTES);
}

static void every_mode_gives_the_same_bits_on_three_ranks(void **state)
{
    (void)state;
    static const char *const modes[] = {
        "--progressive=3 -n 5 --steps 4",
        "--prefix --t 100,900 -n 5 --steps 4",
        "--forward a.png --forward b.png -n 4",
        "--vary a.png --t 100,900 -n 5 --steps 10 --first 1",
        "--interpolate a.png b.png --t 100,500 -n 5 --steps 10",
        "--inpaint a.png --mask half.png -n 5 --steps 4",
        "--sampler dpm++ -n 5 --steps 4",
        "--sampler heun -n 5 --steps 3",
    };
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        check_succeeds(sample("", "run -q --batch 2 %s -o one.h5", modes[i]));
        check_succeeds(
            sample(DDPM_MPIRUN " 3", "run -q --batch 2 %s --threads 1 -o three.h5", modes[i]));
        const size_t count = read_images(one, "one.h5");
        assert_int_equal(read_images(other, "three.h5"), count);
        assert_memory_equal(one, other, count * IMAGE_BYTES);
    }
}

static void an_image_of_a_dataset_is_that_image(void **state)
{
    (void)state;
    check_succeeds(sample("", "run -q -n 3 --steps 2 --uint8 -o set.h5"));
    read_images(other, "set.h5");
    draw(one, "--inpaint set.h5:2 --mask dot.png -n 1 --steps 2");
    assert_memory_equal(one, other + 2 * FLOATS, IMAGE_BYTES - CHANNELS * sizeof(float));
}

static void check_picture(const char *arguments, size_t rows, size_t columns)
{
    char path[128];
    ddpm_image image = { 0 };
    check_succeeds(sample("", "run -q %s -o strip.png", arguments));
    snprintf(path, sizeof path, "%s/strip.png", directory);
    CHECK_OK(ddpm_image_read(&image, path, 0, 1 << 22));
    assert_int_equal(image.height, rows * (96 + 2) - 2);
    assert_int_equal(image.width, columns * (96 + 2) - 2);
    /* What the drawing came from stands at the left, enlarged twelvefold. */
    if (strstr(arguments, "a.png"))
        for (size_t c = 0; c < CHANNELS; c++)
            assert_int_equal(image.pixels[(15 * image.width + 30) * CHANNELS + c],
                             value_a((SIDE + 2) * CHANNELS + c));
    ddpm_image_free(&image);
}

static void pictures_show_where_the_images_came_from(void **state)
{
    (void)state;
    check_picture("--progressive=3 -n 2 --steps 3", 2, 3);
    check_picture("--prefix --t 100,900 -n 3 --steps 3", 2, 3);
    check_picture("--forward a.png --forward b.png -n 4", 2, 5);
    check_picture("--vary a.png --t 100,900 -n 3 --steps 3", 2, 4);
    check_picture("--interpolate a.png b.png -n 3 --steps 3", 1, 5);
    check_picture("--inpaint a.png --mask half.png -n 3 --steps 3", 1, 4);
}

static void json_tells_the_mode(void **state)
{
    (void)state;
    static const struct {
        const char *arguments;
        const char *told[5];
    } cases[] = {
        { "--progressive=3 -n 2 --steps 3",
          { "\"mode\": \"progressive\"", "\"frames\": 3", "\"images\": 6",
            "\"network_evaluations\": 24", "\"prediction\": \"eps\"" } },
        { "--vary a.png --t 100,901 -n 3 --steps 10",
          { "\"mode\": \"vary\"", "\"t\": \"100,900\"", "\"image\": \"a.png\"", "\"rows\": 2",
            "\"network_evaluations\": 96" } },
        { "--interpolate a.png b.png -n 3 --steps 10",
          { "\"mode\": \"interpolate\"", "\"image_b\": \"b.png\"", "\"t\": \"500\"",
            "\"columns\": 3", "\"network_evaluations\": 48" } },
        { "--inpaint a.png --mask half.png -n 1 --steps 50 --times 2",
          { "\"mode\": \"inpaint\"", "\"mask\": \"half.png\"", "\"jump\": 2", "\"times\": 2",
            "\"network_evaluations\": 784" } },
        { "--forward a.png --forward b.png --t 5",
          { "\"mode\": \"forward\"", "\"t\": \"5\"", "\"images\": 2", "\"image\": \"a.png\"",
            "\"image_2\": \"b.png\"" } },
        { "-n 1 --sampler heun --steps 3",
          { "\"mode\": \"plain\"", "\"spacing\": \"karras\"", "\"network_evaluations\": 40",
            "\"clip\": \"rederive\"" } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_succeeds(sample("", "run -q --json %s -o j.h5", cases[i].arguments));
        char *json = contents("out");
        for (size_t k = 0; k < 5 && cases[i].told[k]; k++) {
            if (!strstr(json, cases[i].told[k])) print_error("no %s in %s", cases[i].told[k], json);
            assert_non_null(strstr(json, cases[i].told[k]));
        }
        free(json);
    }
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *arguments;
        int code;
        const char *part;
    } cases[] = {
        { "--progressive --prefix", 64, "exclude each other" },
        { "--vary a.png --vary b.png", 64, "--vary comes twice" },
        { "--t 5", 64, "--t is for --prefix, --forward, --vary, --interpolate" },
        { "--mask half.png", 64, "--mask is for --inpaint" },
        { "--vary a.png --times 2", 64, "--times is for --inpaint" },
        { "--vary a.png --init-noise x.h5", 64, "plain images and --progressive" },
        { "--inpaint a.png", 64, "--mask MASK is missing" },
        { "--interpolate a.png", 64, "2 images are needed" },
        { "--interpolate a.png --t 5", 64, "2 images are needed" },
        { "--vary a.png --t 5,x", 64, "--t x" },
        { "--vary a.png --t -1", 64, "--t" },
        { "--vary a.png --t 1000", 78, "end with 999" },
        { "--vary large.png", 78, "9 x 9 pixels, and this model makes 8 x 8" },
        { "--vary none.png", 66, "none.png" },
        { "--vary run/checkpoints/step-000000100.h5:0", 65, "step-000000100.h5" },
        { "--vary some.h5", 64, "some.h5:INDEX" },
        { "--vary some.h5:x", 64, "some.h5:INDEX" },
        { "--vary some.h5:3", 78, "has images 0 to 1" },
        { "--inpaint a.png --mask large.png", 78, "--mask large.png has 9 x 9" },
        { "--inpaint a.png --mask half.png --sampler dpm++", 78, "jumps back" },
        { "--inpaint a.png --mask black.png", 78, "black.png is white nowhere" },
        { "--vary a.png -n 100000", 78, "-n 100000: a picture of 28 x 1000008 pixels is too" },
        { "--inpaint a.png --mask half.png --steps 5 --jump 5", 78, "--jump 5" },
        { "--prefix --sampler ddim", 78, "--eta 1" },
        { "--prefix --sampler dpm++", 78, "--sampler ddpm" },
        { "--progressive=9 --steps 8", 78, "no more than 8 moments" },
        { "--forward a.png --steps 5", 64, "--steps is for drawing by the network" },
        { "--forward a.png -n 4 --t 5", 64, "both say how many columns" },
        { "--class 1", 78, "without classes" },
        { "--guidance 2", 78, "without classes" },
        { "--guidance much", 64, "--guidance much" },
        { "--class 1,,2", 64, "--class" },
        { "--sampler ddpm --variance learned", 78, "objective.variance = fixedlarge" },
        { "--sampler heun --steps 1", 78, "two steps" },
    };
    check_succeeds(sample("", "run -q -n 2 --steps 1 -o some.h5"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_fails(sample("", "run -o x.png %s", cases[i].arguments), cases[i].code,
                    cases[i].part);
        assert_false(exists("x.png"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(progressive_frames_end_with_the_plain_image),
        cmocka_unit_test(forward_is_the_closed_form),
        cmocka_unit_test(interpolation_begins_with_a_variation_of_a_and_ends_with_one_of_b),
        cmocka_unit_test(variations_from_less_noise_are_nearer),
        cmocka_unit_test(images_with_a_prefix_in_common_part_below_it),
        cmocka_unit_test(inpainting_keeps_what_is_known_to_the_last_bit),
        cmocka_unit_test(inpainting_everything_without_jumps_is_plain_drawing),
        cmocka_unit_test(every_mode_gives_the_same_bits_on_three_ranks),
        cmocka_unit_test(an_image_of_a_dataset_is_that_image),
        cmocka_unit_test(pictures_show_where_the_images_came_from),
        cmocka_unit_test(json_tells_the_mode),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, make_inputs, remove_run);
}
