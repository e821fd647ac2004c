#include "start.h"

#include <math.h>

static const char object[] = "/x_T";

ddpm_status sample_start_open(sample_start *start, const char *path, ddpm_shape image)
{
    ddpm_h5_info info;
    DDPM_TRY(ddpm_h5_open(&start->file, path));
    if (!ddpm_h5_exists(start->file, object))
        return ddpm_fail(DDPM_EDATA, "--init-noise %s: there is no %s in it", path, object);
    DDPM_TRY(ddpm_h5_info_of(&info, start->file, object));
    if (info.type != DDPM_H5_F32 && info.type != DDPM_H5_F64)
        return ddpm_fail(DDPM_ECONFIG, "--init-noise %s: %s holds no floating-point numbers", path,
                         object);
    if (info.rank != 4)
        return ddpm_fail(DDPM_ECONFIG,
                         "--init-noise %s: %s has %zu dimensions; 4 are needed, [N,H,W,C]", path,
                         object, info.rank);
    start->shape = (ddpm_shape){ info.size[0], info.size[1], info.size[2], info.size[3] };
    if (info.size[1] != image.h || info.size[2] != image.w || info.size[3] != image.c)
        return ddpm_fail(
            DDPM_ECONFIG,
            "--init-noise %s: %s is [%zu,%zu,%zu,%zu]; this network makes [N,%zu,%zu,%zu]", path,
            object, info.size[0], info.size[1], info.size[2], info.size[3], image.h, image.w,
            image.c);
    if (info.size[0] == 0)
        return ddpm_fail(DDPM_ECONFIG, "--init-noise %s: %s is empty", path, object);
    return DDPM_OK;
}

void sample_start_close(sample_start *start)
{
    ddpm_h5_close(start->file);
    start->file = NULL;
}

ddpm_status sample_start_read(float *x, const ddpm_level *level, size_t row, size_t first,
                              size_t count, void *context)
{
    (void)level, (void)row;
    const sample_start *start = context;
    const size_t floats = start->shape.h * start->shape.w * start->shape.c;
    DDPM_TRY(ddpm_h5_read_rows(start->file, object, DDPM_H5_F32, x, first, count));
    for (size_t i = 0; i < count * floats; i++)
        if (!isfinite(x[i]))
            return ddpm_fail(DDPM_EDATA, "--init-noise %s: %s of image %zu is not finite",
                             ddpm_h5_name(start->file), object, first + i / floats);
    return DDPM_OK;
}
