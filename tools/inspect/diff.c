#include "ddpm/base/memory.h"
#include "ddpm/base/text.h"
#include "inspect.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* sysexits' codes are above it, so that "different" is not taken for trouble, as with diff(1). */
enum { EXIT_DIFFERENT = 1 };

typedef struct {
    char path[INSPECT_PATH];
    ddpm_checkpoint *checkpoint;
} side;

/* Two tensors, bit by bit: how many elements differ, and by how much. */
typedef struct {
    size_t tensors, differing_tensors, elements, differing;
    double most, square_sum; /* of |A - B|; infinite where one of them is not finite */
} distance;

static distance measure(const float *a, const float *b, size_t count)
{
    distance of = { .tensors = 1, .elements = count };
    for (size_t i = 0; i < count; i++) {
        /* -0 and 0 differ, and a NaN is equal to itself.
         * NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
        if (memcmp(&a[i], &b[i], sizeof *a) == 0) continue;
        double d = fabs((double)a[i] - (double)b[i]);
        if (isnan(d)) d = (double)INFINITY;
        of.differing++;
        of.most = fmax(of.most, d);
        of.square_sum += d * d;
    }
    of.differing_tensors = of.differing > 0;
    return of;
}

static void add(distance *total, const distance *of)
{
    total->tensors += of->tensors;
    total->differing_tensors += of->differing_tensors;
    total->elements += of->elements;
    total->differing += of->differing;
    total->most = fmax(total->most, of->most);
    total->square_sum += of->square_sum;
}

static double rms_of(const distance *of)
{
    return of->elements ? sqrt(of->square_sum / (double)of->elements) : 0.0;
}

/* What is printed, gathered first so that text and JSON say the same. */
typedef struct {
    const inspect_options *options;
    json_t *config, *parts, *unmatched;
    bool equal;
} report;

static void compare_configs(report *out, const ddpm_config *a, const ddpm_config *b)
{
    char text_a[DDPM_CONFIG_PATH], text_b[DDPM_CONFIG_PATH];
    for (size_t i = 0; i < ddpm_config_key_count; i++) {
        ddpm_config_value(a, i, text_a, sizeof text_a);
        ddpm_config_value(b, i, text_b, sizeof text_b);
        if (strcmp(text_a, text_b) == 0) continue;
        out->equal = false;
        json_array_append_new(out->config,
                              json_pack("{s:s, s:s, s:s}", "key", ddpm_config_keys[i].name, "a",
                                        text_a, "b", text_b));
    }
}

static void unmatched(report *out, const char *name, const char *why)
{
    out->equal = false;
    json_array_append_new(out->unmatched, json_pack("{s:s, s:s}", "name", name, "why", why));
}

static bool same_shape(const ddpm_param *a, const ddpm_param *b)
{
    return a->layout == b->layout && a->rank == b->rank &&
           memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0;
}

static void compare_tables(report *out, const ddpm_params *a, const ddpm_params *b)
{
    for (size_t i = 0; i < a->count; i++) {
        const ddpm_param *other = ddpm_params_find(b, a->param[i].name);
        if (!other)
            unmatched(out, a->param[i].name, "only in A");
        else if (!same_shape(&a->param[i], other))
            unmatched(out, a->param[i].name, "another shape");
    }
    for (size_t i = 0; i < b->count; i++)
        if (!ddpm_params_find(a, b->param[i].name)) unmatched(out, b->param[i].name, "only in B");
}

/* The part of `checkpoint` with that label, or NULL. */
static const inspect_part *find_label(const inspect_part *parts, size_t count, const char *label)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(parts[i].label, label) == 0) return &parts[i];
    return NULL;
}

static void add_part(report *out, const char *label, const float *flat_a, const float *flat_b,
                     const ddpm_params *a, const ddpm_params *b)
{
    distance total = { 0 };
    json_t *tensors = json_array();
    for (size_t i = 0; i < a->count; i++) {
        const ddpm_param *p = &a->param[i], *q = ddpm_params_find(b, p->name);
        if (!q || !same_shape(p, q)) continue;
        const distance of = measure(flat_a + p->offset, flat_b + q->offset, p->count);
        add(&total, &of);
        if (of.differing == 0) continue;
        json_array_append_new(
            tensors, json_pack("{s:s, s:o, s:I, s:I, s:o, s:o}", "name", p->name, "shape",
                               inspect_json_shape(p), "count", (json_int_t)p->count, "differing",
                               (json_int_t)of.differing, "max", inspect_json_real(of.most), "rms",
                               inspect_json_real(rms_of(&of))));
    }
    if (total.differing > 0) out->equal = false;
    json_array_append_new(out->parts, json_pack("{s:s, s:I, s:I, s:o, s:o, s:o}", "part", label,
                                                "tensors", (json_int_t)total.tensors, "differing",
                                                (json_int_t)total.differing_tensors, "max",
                                                inspect_json_real(total.most), "rms",
                                                inspect_json_real(rms_of(&total)),
                                                "differing_tensors", tensors));
}

static ddpm_status compare_part(report *out, const side *a, const inspect_part *part_a,
                                const side *b, const inspect_part *part_b)
{
    float *flat_a = NULL, *flat_b = NULL;
    ddpm_status status = inspect_load(&flat_a, a->checkpoint, part_a);
    if (status == DDPM_OK) status = inspect_load(&flat_b, b->checkpoint, part_b);
    if (status == DDPM_OK)
        add_part(out, part_a->label, flat_a, flat_b, ddpm_checkpoint_params(a->checkpoint),
                 ddpm_checkpoint_params(b->checkpoint));
    ddpm_memory_free(flat_a);
    ddpm_memory_free(flat_b);
    return status;
}

static ddpm_status compare_chosen(report *out, const side *a, const side *b)
{
    inspect_part part_a, part_b;
    const inspect_options *options = out->options;
    DDPM_TRY(inspect_find_part(&part_a, a->checkpoint, options->part, options->rate));
    DDPM_TRY(inspect_find_part(&part_b, b->checkpoint, options->part, options->rate));
    return compare_part(out, a, &part_a, b, &part_b);
}

static ddpm_status compare_all(report *out, const side *a, const side *b)
{
    inspect_part parts_a[INSPECT_PARTS], parts_b[INSPECT_PARTS];
    const size_t count_a = inspect_parts(parts_a, a->checkpoint);
    const size_t count_b = inspect_parts(parts_b, b->checkpoint);
    compare_configs(out, ddpm_checkpoint_config(a->checkpoint),
                    ddpm_checkpoint_config(b->checkpoint));
    if (ddpm_checkpoint_progress(a->checkpoint)->step !=
        ddpm_checkpoint_progress(b->checkpoint)->step)
        out->equal = false;
    for (size_t i = 0; i < count_a; i++) {
        const inspect_part *other = find_label(parts_b, count_b, parts_a[i].label);
        if (other)
            DDPM_TRY(compare_part(out, a, &parts_a[i], b, other));
        else
            unmatched(out, parts_a[i].label, "only in A");
    }
    for (size_t i = 0; i < count_b; i++)
        if (!find_label(parts_a, count_a, parts_b[i].label))
            unmatched(out, parts_b[i].label, "only in B");
    return DDPM_OK;
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static double number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? (double)INFINITY : json_number_value(value);
}

static void print_side(char letter, const side *of)
{
    char step[32];
    const ddpm_progress *progress = ddpm_checkpoint_progress(of->checkpoint);
    printf("%c  %s  step %s, run %s\n", letter, of->path, ddpm_text_count(step, progress->step),
           progress->run_id);
}

static void print_configs(const report *out)
{
    size_t i;
    const json_t *row;
    if (json_array_size(out->config) == 0) {
        puts("configuration             the same");
        return;
    }
    printf("%-25s %-28s %s\n", "configuration", "A", "B");
    json_array_foreach(out->config, i, row)
        printf("  %-23s %-28s %s\n", text_of(row, "key"), text_of(row, "a"), text_of(row, "b"));
}

/* A line a tensor of the first part only; --part chooses another. */
static void print_tensors(const json_t *part)
{
    size_t i;
    const json_t *row, *rows = json_object_get(part, "differing_tensors");
    if (json_array_size(rows) == 0) return;
    printf("\ntensors of %s\n", text_of(part, "part"));
    json_array_foreach(rows, i, row) printf("  %-52s %12.3e %12.3e\n", text_of(row, "name"),
                                            number_of(row, "max"), number_of(row, "rms"));
}

static void print_parts(const report *out)
{
    size_t i;
    const json_t *row;
    printf("%-25s %-28s %12s %12s\n", "tensors", "differ", "max |A-B|", "rms");
    json_array_foreach(out->parts, i, row)
    {
        char differing[64];
        snprintf(differing, sizeof differing, "%.0f of %.0f", number_of(row, "differing"),
                 number_of(row, "tensors"));
        printf("  %-23s %-28s %12.3e %12.3e\n", text_of(row, "part"), differing,
               number_of(row, "max"), number_of(row, "rms"));
    }
    json_array_foreach(out->unmatched, i, row)
        printf("  %s: %s\n", text_of(row, "name"), text_of(row, "why"));
    print_tensors(json_array_get(out->parts, 0));
}

static int print_report(const report *out, const side *a, const side *b)
{
    if (out->options->json) {
        const int printed = inspect_print_json(json_pack(
            "{s:b, s:{s:s, s:I}, s:{s:s, s:I}, s:O, s:O, s:O}", "equal", out->equal, "a", "path",
            a->path, "step", (json_int_t)ddpm_checkpoint_progress(a->checkpoint)->step, "b", "path",
            b->path, "step", (json_int_t)ddpm_checkpoint_progress(b->checkpoint)->step, "config",
            out->config, "parts", out->parts, "unmatched", out->unmatched));
        if (printed != DDPM_OK) return printed;
    } else {
        print_side('A', a);
        print_side('B', b);
        if (!out->options->part && !out->options->rate) print_configs(out);
        print_parts(out);
        puts(out->equal ? "equal" : "different");
    }
    return out->equal ? 0 : EXIT_DIFFERENT;
}

int inspect_diff(const inspect_options *options)
{
    side a = { .checkpoint = NULL }, b = { .checkpoint = NULL };
    report out = { options, json_array(), json_array(), json_array(), true };
    ddpm_status status = inspect_open(&a.checkpoint, a.path, options->paths[0]);
    if (status == DDPM_OK) status = inspect_open(&b.checkpoint, b.path, options->paths[1]);
    if (status == DDPM_OK) {
        compare_tables(&out, ddpm_checkpoint_params(a.checkpoint),
                       ddpm_checkpoint_params(b.checkpoint));
        status = options->part || options->rate ? compare_chosen(&out, &a, &b)
                                                : compare_all(&out, &a, &b);
    }
    const int code = status == DDPM_OK ? print_report(&out, &a, &b)
                                       : inspect_failed(options, status);
    json_decref(out.config);
    json_decref(out.parts);
    json_decref(out.unmatched);
    ddpm_checkpoint_close(a.checkpoint);
    ddpm_checkpoint_close(b.checkpoint);
    return code;
}
