/* ddpm-sample as a user runs it, on a checkpoint of the golden network `tiny`. */
#include "check.h"
#include "golden.h"
#include "numeric.h"
#include "sample_fixture.h"

#include "ddpm/data/dataset.h"
#include "ddpm/io/image.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void from_given_noise_it_comes_to_float64s_images(void **state)
{
    (void)state;
    static const struct {
        const char *group, *variant, *options;
    } cases[] = {
        { "ddim10_leading", "eta0_noclip/", "--no-clip" },
        { "ddim10_leading", "eta0_noclip/", "--clip none" },
        { "ddim10_leading", "eta0_clip_rederive/", "--sampler ddim" },
        { "ddim10_leading", "eta0_clip_epsmodel/", "--clip eps" },
        { "ddim10_spread", "eta0_clip_rederive/", "--spacing spread --eta 0 --clip rederive" },
        { "dpmpp2m_10", "", "--sampler dpm++ --no-clip" },
        { "dpmpp2m_10", "", "--sampler dpm++ --clip none" },
    };
    golden *file = golden_open("sampler");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float images[MOST * FLOATS];
        float *x = golden_f32(file, NULL, "%s/x_T", cases[i].group);
        double *want = golden_f64(file, NULL, "%s/%sx_traj", cases[i].group, cases[i].variant);
        write_noise("noise.h5", x, (const size_t[]){ 2, SIDE, SIDE, CHANNELS });
        check_succeeds(sample("",
                              "run --quiet --weights raw --steps 10 --init-noise noise.h5 %s "
                              "-o golden.h5",
                              cases[i].options));
        assert_int_equal(read_images(images, "golden.h5"), 2);
        CHECK_LE(max_error(images, want + 10 * 2 * FLOATS, 2 * FLOATS), 3e-6);
        free(x);
        free(want);
    }
    golden_close(file);
}

static void an_image_does_not_depend_on_count_ranks_or_threads(void **state)
{
    (void)state;
    static const char *const sampler[] = { "--sampler ddpm --steps 3",
                                           "--sampler ddim --steps 3 --eta 0.5" };
    for (size_t s = 0; s < 2; s++) {
        float eleven[MOST * FLOATS], other[MOST * FLOATS];
        check_succeeds(
            sample("", "run -q --batch 2 --seed 5 %s -n 11 --threads 1 -o 11.h5", sampler[s]));
        assert_int_equal(read_images(eleven, "11.h5"), 11);
        check_succeeds(
            sample("", "run -q --batch 2 --seed 5 %s -n 3 --threads 2 -o 3.h5", sampler[s]));
        assert_int_equal(read_images(other, "3.h5"), 3);
        assert_memory_equal(other, eleven, 3 * FLOATS * sizeof(float));
        for (int ranks = 2 + (int)s; ranks <= 4; ranks += 2) {
            char before[256];
            snprintf(before, sizeof before, "%s %d", DDPM_MPIRUN, ranks);
            check_succeeds(
                sample(before, "run -q --batch 2 --seed 5 %s -n 11 -o ranks.h5", sampler[s]));
            assert_int_equal(read_images(other, "ranks.h5"), 11);
            assert_memory_equal(other, eleven, 11 * FLOATS * sizeof(float));
        }
        check_succeeds(sample("", "run -q --batch 2 --seed 6 %s -n 1 -o seed.h5", sampler[s]));
        read_images(other, "seed.h5");
        assert_memory_not_equal(other, eleven, FLOATS * sizeof(float));
    }
}

static void parts_are_those_of_one_drawing(void **state)
{
    (void)state;
    static const char options[] = "run -q --batch 4 --sampler ddpm --steps 2";
    char path[128];
    float all[MOST * FLOATS], part[MOST * FLOATS];
    check_succeeds(sample("", "%s -n 11 -o all.h5", options));
    assert_int_equal(read_images(all, "all.h5"), 11);
    check_succeeds(sample("", "%s -n 8 --first 3 --json -o part.h5", options));
    assert_int_equal(read_images(part, "part.h5"), 8);
    assert_memory_equal(part, all + 3 * FLOATS, 8 * FLOATS * sizeof(float));
    char *json = contents("out");
    assert_non_null(strstr(json, "\"first\": 3"));
    assert_non_null(strstr(json, "\"network_evaluations\": 24"));
    free(json);
    double first = 0.0;
    ddpm_dataset *set = NULL;
    snprintf(path, sizeof path, "%s/part.h5", directory);
    CHECK_OK(ddpm_dataset_open(&set, path));
    assert_true(ddpm_dataset_number(&first, set, "first") && first == 3.0);
    ddpm_dataset_close(set);
    check_succeeds(sample("", "%s -n 1 --first 8 -o cell.png", options));
}

static void the_weights_can_be_chosen(void **state)
{
    (void)state;
    static const char *const weights[] = { "", "--weights ema", "--weights ema:0.9999",
                                           "--weights ema:0.9", "--weights raw" };
    float images[5][MOST * FLOATS];
    for (size_t i = 0; i < 5; i++) {
        check_succeeds(sample("", "run -q --batch 1 -n 1 --steps 2 %s -o w.h5", weights[i]));
        read_images(images[i], "w.h5");
    }
    assert_memory_equal(images[0], images[1], FLOATS * sizeof(float));
    assert_memory_equal(images[0], images[2], FLOATS * sizeof(float));
    assert_memory_not_equal(images[0], images[3], FLOATS * sizeof(float));
    assert_memory_not_equal(images[0], images[4], FLOATS * sizeof(float));
    char *told = contents("err");
    assert_string_equal(told, ""); /* of the last, which is raw */
    free(told);
    check_succeeds(sample("", "run -q -n 1 --steps 2 --weights ema:0.9 -o w.h5"));
    told = contents("err");
    assert_string_equal(told, ""); /* 0.9^100 of the first weights */
    free(told);
    check_succeeds(sample("", "run -q -n 1 --steps 2 -o w.h5"));
    told = contents("err");
    assert_non_null(strstr(told, "after 100 steps ema:0.9999 is still 99% the weights"));
    free(told);
    check_fails(sample("", "run --weights ema:0.5 -o w.h5"), DDPM_ECONFIG,
                "raw, ema:0.9999, ema:0.9");
    check_fails(sample("", "run --weights best -o w.h5"), DDPM_EUSAGE, "ema:RATE");
}

static void a_png_holds_the_grid(void **state)
{
    (void)state;
    char path[128];
    ddpm_image image = { 0 };
    check_succeeds(sample("", "run -n 4 --steps 2 -o grid.png"));
    snprintf(path, sizeof path, "%s/grid.png", directory);
    CHECK_OK(ddpm_image_read(&image, path, 0, 1 << 20));
    assert_int_equal(image.channels, CHANNELS);
    assert_true(image.height >= 2 * SIDE && image.width >= 2 * SIDE);
    ddpm_image_free(&image);
    char *said = contents("err");
    assert_non_null(strstr(said, "grid.png"));
    free(said);
}

static void bytes_are_the_floats_to_the_nearest(void **state)
{
    (void)state;
    float bytes[MOST * FLOATS], floats[MOST * FLOATS];
    check_succeeds(sample("", "run -q -n 2 --steps 2 -o floats.h5"));
    check_succeeds(sample("", "run -q -n 2 --steps 2 --uint8 -o bytes.h5"));
    read_images(floats, "floats.h5");
    read_images(bytes, "bytes.h5");
    for (size_t i = 0; i < 2 * FLOATS; i++)
        CHECK_LE(fabs((double)bytes[i] - fmin(fmax((double)floats[i], -1.0), 1.0)), 0.5001 / 127.5);
}

static void the_file_says_how_it_was_made(void **state)
{
    (void)state;
    char path[128];
    double value;
    ddpm_dataset *set = NULL;
    check_succeeds(sample("",
                          "run -q -n 1 --seed 77 --sampler ddpm --steps 2 --variance fixedsmall "
                          "-o notes.h5"));
    snprintf(path, sizeof path, "%s/notes.h5", directory);
    CHECK_OK(ddpm_dataset_open(&set, path));
    assert_true(ddpm_dataset_number(&value, set, "seed") && value == 77.0);
    assert_true(ddpm_dataset_number(&value, set, "step") && value == STEP);
    assert_true(ddpm_dataset_number(&value, set, "steps") && value == 2.0);
    static const char *const texts[][2] = { { "sampler", "ddpm" },
                                            { "variance", "fixedsmall" },
                                            { "spacing", "sections" },
                                            { "clip", "eps" },
                                            { "weights", "ema:0.9999" } };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *text = ddpm_dataset_text(set, texts[i][0]);
        assert_non_null(text);
        assert_string_equal(text, texts[i][1]);
        free(text);
    }
    char *digest = ddpm_dataset_text(set, "checkpoint_digest");
    assert_int_equal(strlen(digest), 64);
    free(digest);
    ddpm_dataset_close(set);
}

static void json_says_what_was_done(void **state)
{
    (void)state;
    check_succeeds(sample("", "run/checkpoints/step-000000100.h5 -n 3 --batch 2 --steps 4 --json "
                              "-o j.h5"));
    char *text = contents("out");
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    assert_int_equal(json_integer_value(json_object_get(json, "images")), 3);
    assert_int_equal(json_integer_value(json_object_get(json, "network_evaluations")), 4 * 4);
    assert_true(json_real_value(json_object_get(json, "images_per_second")) > 0.0);
    assert_true(json_real_value(json_object_get(json, "seconds")) > 0.0);
    assert_string_equal(json_string_value(json_object_get(json, "output")), "j.h5");
    assert_string_equal(json_string_value(json_object_get(json, "checkpoint")),
                        "run/checkpoints/step-000000100.h5");
    assert_int_equal(strlen(json_string_value(json_object_get(json, "checkpoint_digest"))), 64);
    json_decref(json);
    free(text);
}

static void check_note(const char *path, const char *name, const char *expected)
{
    ddpm_dataset *set = NULL;
    CHECK_OK(ddpm_dataset_open(&set, path));
    char *text = ddpm_dataset_text(set, name);
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
    ddpm_dataset_close(set);
}

/* A path is any bytes, and JSON is UTF-8. */
static void a_path_that_is_no_utf8_is_noted_all_the_same(void **state)
{
    (void)state;
    char text[256], path[128];
    snprintf(text, sizeof text, "cd %s && cp -r run \"r\xff\xc3\xbc\"", directory);
    assert_int_equal(system(text), 0);
    check_succeeds(sample("", "\"r\xff\xc3\xbc\" -n 1 --steps 1 --json -o \"n\xff.h5\""));
    char *said = contents("out");
    json_t *json = json_loads(said, 0, NULL);
    assert_non_null(json);
    static const char expected[] = "r\\xff\xc3\xbc/checkpoints/step-000000100.h5";
    assert_string_equal(json_string_value(json_object_get(json, "checkpoint")), expected);
    assert_string_equal(json_string_value(json_object_get(json, "output")), "n\\xff.h5");
    json_decref(json);
    free(said);
    snprintf(path, sizeof path, "%s/n\xff.h5", directory);
    check_note(path, "checkpoint", expected);
    snprintf(text, sizeof text, "ddpm-sample: %s", expected);
    check_note(path, "source", text);
    snprintf(text, sizeof text, "cd %s && rm -r \"r\xff\xc3\xbc\"", directory);
    assert_int_equal(system(text), 0);
}

/* The output replaces what has its name; not so what it is made of. */
static void no_file_that_is_read_is_replaced(void **state)
{
    (void)state;
    static const char checkpoint[] = "run/checkpoints/step-000000100.h5";
    static const struct {
        const char *arguments, *output, *part;
    } cases[] = {
        { "run", checkpoint, "is the checkpoint that is drawn from" },
        { "run/checkpoints/step-000000100.h5", "run/checkpoints/../checkpoints/step-000000100.h5",
          "is the checkpoint that is drawn from" },
        { "run", "link.h5", "is the checkpoint that is drawn from" },
        { "run", "copy.h5", "is a sealed file, such as a checkpoint" },
        { "run --vary set.h5:1", "set.h5", "is what --vary reads" },
        { "run --interpolate a.png set.h5:1 --uint8", "set.h5", "is what --interpolate reads" },
        { "run --forward a.png --forward b.png", "b.png", "is what --forward reads" },
        { "run --inpaint a.png --mask b.png", "b.png", "is what --mask reads" },
        { "run --init-noise noise.h5", "noise.h5", "is what --init-noise reads" },
    };
    char command[1024];
    float noise[FLOATS] = { 0 };
    write_noise("noise.h5", noise, (const size_t[]){ 1, SIDE, SIDE, CHANNELS });
    check_succeeds(sample("", "run -q -n 2 --steps 1 -o set.h5"));
    check_succeeds(sample("", "run -q -n 1 --steps 1 -o a.png"));
    snprintf(command, sizeof command,
             "cd %s && cp a.png b.png && cp %s copy.h5 && ln -s %s link.h5 && "
             "cksum *.h5 *.png run/checkpoints/*.h5 >before",
             directory, checkpoint, checkpoint);
    assert_int_equal(system(command), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_fails(sample("", "%s -n 2 -o %s", cases[i].arguments, cases[i].output), DDPM_ECREATE,
                    cases[i].part);
    snprintf(command, sizeof command,
             "cd %s && cksum *.h5 *.png run/checkpoints/*.h5 >after && cmp before after && "
             "rm copy.h5 link.h5",
             directory);
    assert_int_equal(system(command), 0);
    /* Anything else is replaced, as ever. */
    check_succeeds(sample("", "run -q -n 1 --steps 1 -o set.h5"));
}

static void a_damaged_newest_checkpoint_is_skipped_or_refused(void **state)
{
    (void)state;
    char path[256];
    write_checkpoint("run/checkpoints/step-000000200.h5", 200);
    snprintf(path, sizeof path, "%s/run/checkpoints/step-000000200.h5", directory);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, 5000, SEEK_SET);
    const int byte = fgetc(file);
    fseek(file, 5000, SEEK_SET);
    fputc(byte ^ 1, file);
    fclose(file);
    check_fails(sample("", "run/checkpoints/step-000000200.h5 -o d.h5"), DDPM_EDATA,
                "step-000000200");
    assert_false(exists("d.h5"));
    check_succeeds(sample("", "run -n 1 --steps 1 --json -o d.h5"));
    char *said = contents("err"), *json = contents("out");
    assert_non_null(strstr(said, "step-000000200.h5"));
    assert_non_null(strstr(json, "\"step\": 100"));
    free(said);
    free(json);
    unlink(path);
}

static void an_interrupted_drawing_leaves_no_file(void **state)
{
    (void)state;
    static const char *const signals[] = { "TERM", "HUP" };
    char command[1024];
    for (size_t i = 0; i < 2; i++) {
        snprintf(command, sizeof command,
                 "cd %s && rm -f err && "
                 "{ %s run -n 100000 --sampler ddpm -o long.h5 >out 2>err & } && "
                 "until grep -qs drawing err || ! kill -0 $!; do sleep 0.1; done && "
                 "kill -%s $! && wait $!",
                 directory, DDPM_SAMPLE, signals[i]);
        check_fails(WEXITSTATUS(system(command)), DDPM_EAGAIN, "stopped");
        snprintf(command, sizeof command, "ls -A %s | grep -q long", directory);
        assert_int_not_equal(WEXITSTATUS(system(command)), 0);
    }
}

static void bad_command_lines_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *arguments;
        int code;
        const char *part;
    } cases[] = {
        { "-o x.png", DDPM_EUSAGE, "a checkpoint is missing" },
        { "run", DDPM_EUSAGE, "-o FILE.png" },
        { "run -o x.jpg", DDPM_EUSAGE, ".png" },
        { "run run -o x.png", DDPM_EUSAGE, "one checkpoint" },
        { "run -o x.png --uint8", DDPM_EUSAGE, "HDF5" },
        { "run -o x.png --sampler ddmp", DDPM_EUSAGE, "did you mean ddpm" },
        { "run -o x.png --spacing quadratik", DDPM_EUSAGE, "did you mean quadratic" },
        { "run -o x.png --sampler ddpm --eta 1", DDPM_EUSAGE, "--eta is for --sampler ddim" },
        { "run -o x.png --eta 1.5", DDPM_EUSAGE, "from 0 to 1" },
        { "run -o x.png --variance fixedlarge", DDPM_EUSAGE, "--sampler ddpm, and this is ddim" },
        { "run -o x.png --sampler ddpm --variance huge", DDPM_EUSAGE, "fixedlarge" },
        { "run -o x.png --clip eps --no-clip", DDPM_EUSAGE, "exclude" },
        { "run -o x.png --clip off", DDPM_EUSAGE, "there are none, eps, rederive" },
        { "run -o x.png --class non", DDPM_EUSAGE, "a class is needed, from 0, or none" },
        { "run -o x.png --sampler heun --steps 1", DDPM_ECONFIG, "--steps 2 or more" },
        { "run -o x.png --sampler ddpm --clip eps", DDPM_EUSAGE, "--sampler ddim" },
        { "run -o x.png --sampler dpm++ --eta 0", DDPM_EUSAGE, "this is dpm++" },
        { "run -o x.png -n 0", DDPM_EUSAGE, "-n 0" },
        { "run -o x.png --seed one", DDPM_EUSAGE, "--seed one" },
        { "run -o x.png --stepz 5", DDPM_EUSAGE, "--stepz" },
        { "run -o x.png --steps 1001", DDPM_ECONFIG, "diffusion.steps = 1000" },
        { "run -o missing/x.png", DDPM_ECREATE, "make the directory" },
        { "nothing.h5 -o x.png", DDPM_ENOINPUT, "nothing.h5" },
        { "out -o x.png", DDPM_EDATA, "out" },
        { "run -o x.png --init-noise nothing.h5", DDPM_ENOINPUT, "nothing.h5" },
        { "run -o x.png --init-noise small.h5", DDPM_ECONFIG, "[N,8,8,3]" },
        { "run -o x.png --init-noise one.h5 -n 2", DDPM_ECONFIG, "has 1 images" },
        { "run -o x.png --init-noise one.h5 --first 1", DDPM_ECONFIG, "--first 1" },
        { "run -o x.png --first -1", DDPM_EUSAGE, "--first -1" },
        { "run -o x.png --init-noise nan.h5", DDPM_EDATA, "not finite" },
        { "run -o x.png --init-noise run/checkpoints/step-000000100.h5", DDPM_EDATA, "/x_T" },
    };
    float noise[FLOATS] = { 0 };
    write_noise("small.h5", noise, (const size_t[]){ 1, 4, 4, CHANNELS });
    write_noise("one.h5", noise, (const size_t[]){ 1, SIDE, SIDE, CHANNELS });
    noise[7] = NAN;
    write_noise("nan.h5", noise, (const size_t[]){ 1, SIDE, SIDE, CHANNELS });
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_fails(sample("", "%s", cases[i].arguments), cases[i].code, cases[i].part);
        assert_false(exists("x.png"));
    }
}

static void help_and_version_are_no_errors(void **state)
{
    (void)state;
    check_succeeds(sample("", "--help"));
    char *text = contents("out");
    assert_non_null(strstr(text, "--init-noise"));
    free(text);
    check_succeeds(sample("", "--version"));
    text = contents("out");
    assert_int_equal(strncmp(text, "ddpm-sample ", 12), 0);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_given_noise_it_comes_to_float64s_images),
        cmocka_unit_test(an_image_does_not_depend_on_count_ranks_or_threads),
        cmocka_unit_test(parts_are_those_of_one_drawing),
        cmocka_unit_test(the_weights_can_be_chosen),
        cmocka_unit_test(a_png_holds_the_grid),
        cmocka_unit_test(bytes_are_the_floats_to_the_nearest),
        cmocka_unit_test(the_file_says_how_it_was_made),
        cmocka_unit_test(json_says_what_was_done),
        cmocka_unit_test(a_path_that_is_no_utf8_is_noted_all_the_same),
        cmocka_unit_test(no_file_that_is_read_is_replaced),
        cmocka_unit_test(a_damaged_newest_checkpoint_is_skipped_or_refused),
        cmocka_unit_test(an_interrupted_drawing_leaves_no_file),
        cmocka_unit_test(bad_command_lines_are_refused_with_a_reason),
        cmocka_unit_test(help_and_version_are_no_errors),
    };
    return cmocka_run_group_tests(tests, make_run, remove_run);
}
