#include "ddpm/base/text.h"
#include "inspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A module: the tensors whose names begin with the same `length` characters, in forward order. */
typedef struct {
    const ddpm_param **tensor;
    size_t count, length;
} module;

enum { NAME_WIDTH = 44, SHAPE_WIDTH = 16, LAYOUT_WIDTH = 8, COUNT_WIDTH = 14 };

/* Length of the name up to the end of the component that begins at `from`. */
static size_t component_end(const char *name, size_t from)
{
    return from + strcspn(name + from, ".");
}

static bool same_component(const char *a, const char *b, size_t from)
{
    const size_t end = component_end(a, from);
    return end == component_end(b, from) && memcmp(a + from, b + from, end - from) == 0;
}

static void print_indented(int depth, const char *name, size_t from, size_t end)
{
    const int indent = 2 * depth;
    printf("%*s%-*.*s", indent, "", NAME_WIDTH - indent, (int)(end - from), name + from);
}

static void print_tensor(const ddpm_param *param, int depth, size_t from)
{
    char shape[96], count[32];
    print_indented(depth, param->name, from, strlen(param->name));
    printf("%-*s%-*s%*s\n", SHAPE_WIDTH, inspect_shape(shape, param), LAYOUT_WIDTH,
           ddpm_layout_name(param->layout), COUNT_WIDTH, ddpm_text_count(count, param->count));
}

static void print_header(const module *of, int depth, size_t from)
{
    uint64_t sum = 0;
    char count[32];
    for (size_t i = 0; i < of->count; i++) sum += of->tensor[i]->count;
    print_indented(depth, of->tensor[0]->name, from, of->length);
    printf("%*s\n", SHAPE_WIDTH + LAYOUT_WIDTH + COUNT_WIDTH, ddpm_text_count(count, sum));
}

/* Moves the tensors that share the first one's component to the front, both parts in order; returns
 * how many they are. `spare` has room for all. */
static size_t gather(const ddpm_param **tensor, size_t count, size_t from, const ddpm_param **spare)
{
    const char *first = tensor[0]->name;
    size_t same = 0, others = 0;
    for (size_t i = 0; i < count; i++) {
        if (same_component(first, tensor[i]->name, from))
            tensor[same++] = tensor[i];
        else
            spare[others++] = tensor[i];
    }
    for (size_t i = 0; i < others; i++) tensor[same + i] = spare[i];
    return same;
}

static void print_module(const module *of, int depth, const ddpm_param **spare);

static void print_children(const ddpm_param **tensor, size_t count, size_t from, int depth,
                           const ddpm_param **spare)
{
    while (count > 0) {
        const size_t same = gather(tensor, count, from, spare);
        const char *name = tensor[0]->name;
        size_t end = component_end(name, from);
        if (name[end] == '\0') {
            print_tensor(tensor[0], depth, from);
        } else {
            /* A module of one module is shown as one: "downsamplers.0.conv". */
            module child = { tensor, same, end };
            for (;;) {
                const size_t next = component_end(name, end + 1);
                size_t shared = 0;
                while (shared < same && same_component(name, tensor[shared]->name, end + 1))
                    shared++;
                if (shared < same || name[next] == '\0') break;
                child.length = end = next;
            }
            print_header(&child, depth, from);
            print_module(&child, depth + 1, spare);
        }
        tensor += same;
        count -= same;
    }
}

static void print_module(const module *of, int depth, const ddpm_param **spare)
{
    print_children(of->tensor, of->count, of->length + 1, depth, spare);
}

static int print_tree(const ddpm_params *params)
{
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are meant */
    const ddpm_param **tensor = calloc(2 * params->count, sizeof *tensor);
    if (!tensor) return DDPM_EOS;
    for (size_t i = 0; i < params->count; i++) tensor[i] = &params->param[i];
    print_children(tensor, params->count, 0, 0, tensor + params->count);
    free(tensor);
    char parameters[32];
    printf("%-*s%*s\n", NAME_WIDTH, "parameters", SHAPE_WIDTH + LAYOUT_WIDTH + COUNT_WIDTH,
           ddpm_text_count(parameters, params->parameters));
    return DDPM_OK;
}

static json_t *describe(const char *path, const ddpm_params *params)
{
    json_t *tensors = json_array();
    for (size_t i = 0; i < params->count; i++) {
        const ddpm_param *param = &params->param[i];
        json_array_append_new(tensors, json_pack("{s:s, s:o, s:s, s:I}", "name", param->name,
                                                 "shape", inspect_json_shape(param), "layout",
                                                 ddpm_layout_name(param->layout), "count",
                                                 (json_int_t)param->count));
    }
    return json_pack("{s:s, s:b, s:I, s:o}", "path", path, "valid", 1, "parameters",
                     (json_int_t)params->parameters, "tensors", tensors);
}

int inspect_tree(const inspect_options *options)
{
    char path[INSPECT_PATH];
    ddpm_checkpoint *checkpoint = NULL;
    ddpm_status status = inspect_open(&checkpoint, path, options->paths[0]);
    if (status != DDPM_OK) return inspect_failed(options, status);
    const ddpm_params *params = ddpm_checkpoint_params(checkpoint);
    int code;
    if (options->json)
        code = inspect_print_json(describe(path, params));
    else if ((code = print_tree(params)) != DDPM_OK)
        code = inspect_failed(options,
                              ddpm_fail(DDPM_EOS, "out of memory for %zu tensors", params->count));
    ddpm_checkpoint_close(checkpoint);
    return code;
}
