#include "images.h"

#include "ddpm/base/memory.h"

#include <stdio.h>
#include <stdlib.h>

enum { AT_ONCE = 256 };

ddpm_status eval_images_open(eval_images *images, const char *path, size_t most)
{
    images->path = path;
    DDPM_TRY(ddpm_dataset_open(&images->set, path));
    images->shape = ddpm_dataset_get_info(images->set)->shape;
    images->count = most && most < images->shape.n ? most : images->shape.n;
    return DDPM_OK;
}

void eval_images_close(eval_images *images)
{
    ddpm_dataset_close(images->set);
    images->set = NULL;
}

ddpm_status eval_images_match(const eval_images *a, const eval_images *b)
{
    const ddpm_shape s = a->shape, t = b->shape;
    if (s.h == t.h && s.w == t.w && s.c == t.c) return DDPM_OK;
    return ddpm_fail(DDPM_ECONFIG, "images of %s are %zu x %zu x %zu, those of %s %zu x %zu x %zu",
                     a->path, s.h, s.w, s.c, b->path, t.h, t.w, t.c);
}

ddpm_status eval_images_read(float *x, size_t first, size_t count, void *context)
{
    const eval_images *images = context;
    const size_t values = images->shape.h * images->shape.w * images->shape.c;
    uint64_t index[AT_ONCE];
    for (size_t done = 0; done < count; done += AT_ONCE) {
        const size_t n = count - done < AT_ONCE ? count - done : AT_ONCE;
        for (size_t i = 0; i < n; i++)
            index[i] = (uint64_t)(first + done + i) * images->shape.n / images->count;
        DDPM_TRY(ddpm_dataset_read(images->set, x + done * values, NULL, index, NULL, n));
    }
    return DDPM_OK;
}

ddpm_status eval_images_load(float **x, eval_images *images)
{
    const size_t values = images->shape.h * images->shape.w * images->shape.c;
    DDPM_TRY(ddpm_memory_alloc(x, images->count, values * sizeof **x, DDPM_MEMORY_DATA));
    return eval_images_read(*x, 0, images->count, images);
}

json_t *eval_images_describe(const eval_images *images)
{
    static const char *const texts[] = {
        "checkpoint", "checkpoint_digest", "mode",     "weights",
        "sampler",    "spacing",           "variance", "clip",
        "prediction", "objective",         "class",    "init_noise"
    };
    static const char *const numbers[] = { "step",  "steps", "seed",    "first",
                                           "batch", "eta",   "guidance" };
    json_t *json = eval_describe_data(images->set, images->path);
    if (!json) return NULL;
    json_object_set_new(json, "compared", json_integer((json_int_t)images->count));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *text = ddpm_dataset_text(images->set, texts[i]);
        if (text) json_object_set_new(json, texts[i], json_string(text));
        free(text);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        double value;
        if (ddpm_dataset_number(&value, images->set, numbers[i]))
            json_object_set_new(json, numbers[i], json_real(value));
    }
    return json;
}

const char *eval_images_hash(const eval_images *images)
{
    return images->set ? ddpm_dataset_get_info(images->set)->content_hash : "none";
}

void eval_images_print(const char *name, const eval_images *images)
{
    printf("%-16s %s, %zu of %zu images, %.19s\n", name, images->path, images->count,
           images->shape.n, eval_images_hash(images));
}
