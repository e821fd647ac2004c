#include "classifier.h"
#include "ddpm/io/h5.h"
#include "ddpm/io/sealed_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char format[] = "ddpm-dist classifier 1";
static const uint64_t file_limit = UINT64_C(1) << 28;
enum { SIZES = 4, CLASSES_MOST = 65536, SIDE_MOST = 16384 };

static ddpm_status fill(ddpm_h5 *file, const ddpm_classifier *c, const char *note, double accuracy)
{
    const int64_t sizes[SIZES] = { (int64_t)c->shape.h, (int64_t)c->shape.w, (int64_t)c->shape.c,
                                   (int64_t)c->classes };
    DDPM_TRY(ddpm_h5_write(file, "/weights", DDPM_H5_F32, c->weights, 1, &c->floats));
    DDPM_TRY(ddpm_h5_set_attribute_text(file, "/", "format", format));
    DDPM_TRY(ddpm_h5_set_attribute_text(file, "/", "note", note));
    DDPM_TRY(ddpm_h5_set_attribute(file, "/", "sizes", DDPM_H5_I64, sizes, SIZES));
    DDPM_TRY(ddpm_h5_set_attribute(file, "/", "seed", DDPM_H5_U64, &c->seed, 1));
    return ddpm_h5_set_attribute(file, "/", "accuracy", DDPM_H5_F64, &accuracy, 1);
}

ddpm_status ddpm_classifier_save(const ddpm_classifier *classifier, const char *path,
                                 const char *note, double accuracy)
{
    ddpm_h5 *file;
    void *image = NULL;
    size_t bytes = 0;
    DDPM_TRY(ddpm_h5_create_image(&file, path));
    ddpm_status status = fill(file, classifier, note, accuracy);
    if (status == DDPM_OK) status = ddpm_h5_image(file, &image, &bytes);
    ddpm_h5_close(file);
    if (status == DDPM_OK) status = ddpm_sealed_write(path, image, bytes);
    free(image);
    return status;
}

static ddpm_status check_format(ddpm_h5 *file, const char *path)
{
    char *is = NULL;
    ddpm_status status = DDPM_OK;
    if (!ddpm_h5_has_attribute(file, "/", "format") ||
        ddpm_h5_attribute_text(file, "/", "format", &is) != DDPM_OK || strcmp(is, format) != 0)
        status = ddpm_fail(DDPM_EDATA, "%s is no classifier of this program", path);
    free(is);
    return status;
}

static ddpm_status take_out(ddpm_classifier **out, ddpm_h5 *file, const char *path, char **note,
                            double *accuracy)
{
    int64_t sizes[SIZES];
    uint64_t seed;
    DDPM_TRY(check_format(file, path));
    DDPM_TRY(ddpm_h5_attribute(file, "/", "sizes", DDPM_H5_I64, sizes, SIZES));
    DDPM_TRY(ddpm_h5_attribute(file, "/", "seed", DDPM_H5_U64, &seed, 1));
    DDPM_TRY(ddpm_h5_attribute(file, "/", "accuracy", DDPM_H5_F64, accuracy, 1));
    for (size_t i = 0; i < SIZES; i++)
        if (sizes[i] < 1 || sizes[i] > (i < 2 ? SIDE_MOST : CLASSES_MOST))
            return ddpm_fail(DDPM_EDATA, "%s: a size of %lld", path, (long long)sizes[i]);
    const ddpm_shape shape = { 0, (size_t)sizes[0], (size_t)sizes[1], (size_t)sizes[2] };
    DDPM_TRY(ddpm_classifier_create(out, shape, (size_t)sizes[3], seed));
    DDPM_TRY(ddpm_h5_read(file, "/weights", DDPM_H5_F32, (*out)->weights, (*out)->floats));
    for (size_t i = 0; i < (*out)->floats; i++)
        if (!isfinite((*out)->weights[i]))
            return ddpm_fail(DDPM_EDATA, "%s has weights that are not finite", path);
    return ddpm_h5_attribute_text(file, "/", "note", note);
}

ddpm_status ddpm_classifier_load(ddpm_classifier **out, const char *path, char **note,
                                 double *accuracy)
{
    void *image;
    size_t bytes;
    ddpm_h5 *file = NULL;
    ddpm_classifier *classifier = NULL;
    DDPM_TRY(ddpm_sealed_read(&image, &bytes, path, file_limit));
    ddpm_status status = ddpm_h5_open_image(&file, image, bytes, path);
    if (status == DDPM_OK) status = take_out(&classifier, file, path, note, accuracy);
    ddpm_h5_close(file);
    free(image);
    if (status == DDPM_OK)
        *out = classifier;
    else
        ddpm_classifier_free(classifier);
    return status;
}
