#include "input.h"

#include "ddpm/base/path.h"
#include "ddpm/base/text.h"
#include "ddpm/data/dataset.h"
#include "ddpm/io/image.h"

#include <stdlib.h>
#include <string.h>

static const size_t most_pixels = (size_t)1 << 26;

static ddpm_status wrong_size(const char *option, const char *name, size_t height, size_t width,
                              ddpm_shape shape)
{
    return ddpm_fail(DDPM_ECONFIG,
                     "%s %s has %zu x %zu pixels, and this model makes %zu x %zu: scale it to that "
                     "size, or have ddpm-data import do so and name FILE.h5:INDEX",
                     option, name, height, width, shape.h, shape.w);
}

/* The picture, of the right size, in `channels`. */
static ddpm_status read_picture(ddpm_image *image, const char *option, const char *name,
                                size_t channels, ddpm_shape shape)
{
    const ddpm_status status = ddpm_image_read(image, name, channels, most_pixels);
    if (status != DDPM_OK) return ddpm_fail_within(status, "%s", option);
    if (image->height == shape.h && image->width == shape.w) return DDPM_OK;
    const size_t height = image->height, width = image->width;
    ddpm_image_free(image);
    return wrong_size(option, name, height, width, shape);
}

static ddpm_status from_picture(float *x, const char *option, const char *name, ddpm_shape shape)
{
    if (shape.c != 1 && shape.c != 3)
        return ddpm_fail(DDPM_ECONFIG,
                         "%s %s: this model's images have %zu channels, and a picture has 1 or 3: "
                         "name FILE.h5:INDEX",
                         option, name, shape.c);
    ddpm_image image = { 0 };
    DDPM_TRY(read_picture(&image, option, name, shape.c, shape));
    for (size_t i = 0; i < shape.h * shape.w * shape.c; i++)
        x[i] = (float)((double)image.pixels[i] / 127.5 - 1.0);
    ddpm_image_free(&image);
    return DDPM_OK;
}

static ddpm_status from_dataset(float *x, int64_t *label, const char *option, const char *path,
                                const char *index_text, ddpm_shape shape)
{
    int64_t index = 0;
    ddpm_dataset *set = NULL;
    if (!index_text || !ddpm_text_int64(&index, index_text, 0, INT64_MAX))
        return ddpm_fail(DDPM_EUSAGE, "%s %s: which image? Name it as %s:INDEX, counted from 0",
                         option, path, path);
    ddpm_status status = ddpm_dataset_open(&set, path);
    if (status != DDPM_OK) return ddpm_fail_within(status, "%s", option);
    const ddpm_dataset_info *info = ddpm_dataset_get_info(set);
    const ddpm_shape there = info->shape;
    ddpm_dataset_hold_below(set, 0); /* one image: not the whole set */
    if (there.h != shape.h || there.w != shape.w)
        status = wrong_size(option, path, there.h, there.w, shape);
    else if (there.c != shape.c)
        status = ddpm_fail(DDPM_ECONFIG,
                           "%s %s: its images have %zu channels, and this model's %zu", option,
                           path, there.c, shape.c);
    else if ((uint64_t)index >= there.n)
        status = ddpm_fail(DDPM_ECONFIG, "%s %s has images 0 to %zu: there is no image %lld",
                           option, path, there.n - 1, (long long)index);
    else
        status = ddpm_dataset_read(set, x, info->has_labels ? label : NULL,
                                   &(uint64_t){ (uint64_t)index }, NULL, 1);
    ddpm_dataset_close(set);
    return status;
}

/* The end of the path in FILE.h5:INDEX or FILE.h5, else NULL. */
static const char *end_of_dataset(const char *name)
{
    const char *end = strstr(name, ".h5");
    while (end && end[3] != ':' && end[3] != '\0') end = strstr(end + 1, ".h5");
    return end ? end + 3 : NULL;
}

ddpm_status sample_input_path(char path[SAMPLE_PATH], const char *name)
{
    const char *end = end_of_dataset(name);
    const size_t length = end ? (size_t)(end - name) : strlen(name);
    return ddpm_path_print(path, SAMPLE_PATH, "%.*s", (int)length, name);
}

static ddpm_status read_here(float *x, int64_t *label, const char *option, const char *name,
                             ddpm_shape shape)
{
    char path[SAMPLE_PATH];
    const char *end = end_of_dataset(name);
    *label = -1;
    if (!end) return from_picture(x, option, name, shape);
    DDPM_TRY(sample_input_path(path, name));
    return from_dataset(x, label, option, path, *end == ':' ? end + 1 : NULL, shape);
}

ddpm_status sample_input_read(float *x, int64_t *label, ddpm_comm *comm, const char *option,
                              const char *name, ddpm_shape shape)
{
    ddpm_status status = DDPM_OK;
    if (ddpm_comm_rank(comm) == 0) status = read_here(x, label, option, name, shape);
    status = ddpm_comm_agree(comm, status);
    if (status != DDPM_OK) return status;
    DDPM_TRY(ddpm_comm_broadcast(comm, label, sizeof *label, 0));
    return ddpm_comm_broadcast(comm, x, shape.h * shape.w * shape.c * sizeof *x, 0);
}

ddpm_status sample_mask_read(bool *missing, ddpm_comm *comm, const char *name, ddpm_shape shape)
{
    ddpm_image image = { 0 };
    ddpm_status status = DDPM_OK;
    if (ddpm_comm_rank(comm) == 0) status = read_picture(&image, "--mask", name, 1, shape);
    status = ddpm_comm_agree(comm, status);
    if (status != DDPM_OK) return status;
    for (size_t i = 0; image.pixels && i < shape.h * shape.w * shape.c; i++)
        missing[i] = image.pixels[i / shape.c] >= 128;
    ddpm_image_free(&image);
    return ddpm_comm_broadcast(comm, missing, shape.h * shape.w * shape.c * sizeof *missing, 0);
}
