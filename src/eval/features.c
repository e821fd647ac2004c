#include "ddpm/eval/features.h"

#include "ddpm/eval/inception.h"
#include "ddpm/io/h5.h"
#include "ddpm/io/sealed_file.h"
#include "features_origin.h"
#include "npz.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t file_limit = (size_t)1 << 32, numbers_most = (size_t)1 << 28;

const ddpm_protocol ddpm_protocols[] = {
    { "pytorch-fid", "pytorch-fid: Inception's pool3 by its port of the TensorFlow weights", 2048,
      "FID" },
    { "tf-inception-2015-12-05", "Heusel et al. 2017: the TensorFlow graph of that day, pool_3",
      2048, "FID" },
    { DDPM_INCEPTION_PROTOCOL,
      "this program: pytorch-fid's network by weights whose hash follows the colon", 2048, "FID" },
    { "clean-fid", "clean-fid: the same weights, images resized by anti-aliased bicubics", 2048,
      "clean-FID" },
};
const size_t ddpm_protocol_count = sizeof ddpm_protocols / sizeof *ddpm_protocols;

const ddpm_protocol *ddpm_protocol_find(const char *name)
{
    const size_t length = strcspn(name, ":");
    for (size_t i = 0; i < ddpm_protocol_count; i++)
        if (strlen(ddpm_protocols[i].name) == length &&
            memcmp(ddpm_protocols[i].name, name, length) == 0)
            return &ddpm_protocols[i];
    return NULL;
}

static ddpm_status set_protocol(ddpm_features *out, const char *of_file, const char *of_user,
                                const char *path)
{
    if (of_file && of_user && strcmp(of_file, of_user) != 0)
        return ddpm_fail(DDPM_ECONFIG, "--protocol %s, but %s says that it is %s", of_user, path,
                         of_file);
    const char *name = of_file ? of_file : of_user;
    if (!name || !*name || strlen(name) >= DDPM_PROTOCOL_NAME)
        return ddpm_fail(DDPM_ECONFIG,
                         "%s does not say by which protocol its features were made; say it by "
                         "--protocol, e.g. pytorch-fid",
                         path);
    snprintf(out->protocol, sizeof out->protocol, "%s", name);
    const ddpm_protocol *known = ddpm_protocol_find(name);
    if (known && known->d != out->d)
        return ddpm_fail(DDPM_ECONFIG, "%s: features of %s have %zu dimensions, these have %zu",
                         path, name, known->d, out->d);
    return DDPM_OK;
}

static ddpm_status check_size(const char *path, size_t n, size_t d)
{
    if (d >= 1 && d <= DDPM_FEATURES_D_MOST && n >= 1 && n <= numbers_most / d) return DDPM_OK;
    return ddpm_fail(DDPM_EDATA, "%s: %zu features of %zu dimensions are not supported", path, n,
                     d);
}

static ddpm_status check_finite(const ddpm_features *features, const char *path)
{
    for (size_t i = 0; i < features->n * features->d; i++)
        if (!isfinite(features->features[i]))
            return ddpm_fail(DDPM_EDATA, "%s: feature %zu of image %zu is not finite", path,
                             i % features->d, i / features->d);
    return DDPM_OK;
}

static ddpm_status read_h5(ddpm_features *out, const char *path, const char *protocol)
{
    ddpm_h5 *file;
    ddpm_h5_info info;
    char *of_file = NULL;
    DDPM_TRY(ddpm_h5_open(&file, path));
    ddpm_status status = ddpm_h5_info_of(&info, file, "/features");
    if (status == DDPM_OK && info.rank != 2)
        status = ddpm_fail(DDPM_EDATA, "%s: /features is not [N,D]", path);
    if (status == DDPM_OK) status = check_size(path, info.size[0], info.size[1]);
    if (status == DDPM_OK) {
        out->n = info.size[0];
        out->d = info.size[1];
        out->features = malloc(info.count * sizeof *out->features);
        if (!out->features) status = ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    }
    if (status == DDPM_OK)
        status = ddpm_h5_read(file, "/features", DDPM_H5_F32, out->features, info.count);
    if (status == DDPM_OK && ddpm_h5_has_attribute(file, "/features", "protocol"))
        status = ddpm_h5_attribute_text(file, "/features", "protocol", &of_file);
    if (status == DDPM_OK) status = set_protocol(out, of_file, protocol, path);
    if (status == DDPM_OK) features_read_origin(out, file, path);
    free(of_file);
    ddpm_h5_close(file);
    return status;
}

static ddpm_status take_features(ddpm_features *out, const unsigned char *zip, size_t bytes,
                                 const char *path)
{
    npz_array array;
    DDPM_TRY(npz_read(&array, zip, bytes, "features", numbers_most, path));
    ddpm_status status = DDPM_OK;
    if (array.rank != 2) status = ddpm_fail(DDPM_EDATA, "%s: 'features' is not [N,D]", path);
    if (status == DDPM_OK) status = check_size(path, array.size[0], array.size[1]);
    if (status == DDPM_OK) {
        out->n = array.size[0];
        out->d = array.size[1];
        out->features = malloc(array.count * sizeof *out->features);
        if (!out->features) status = ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    }
    for (size_t i = 0; status == DDPM_OK && i < array.count; i++)
        out->features[i] = (float)array.values[i];
    free(array.values);
    return status;
}

static ddpm_status take_stats(ddpm_features *out, const unsigned char *zip, size_t bytes,
                              const char *path)
{
    npz_array mu, sigma;
    const size_t most = (size_t)DDPM_FEATURES_D_MOST * DDPM_FEATURES_D_MOST;
    DDPM_TRY(npz_read(&mu, zip, bytes, "mu", DDPM_FEATURES_D_MOST, path));
    out->stats.mean = mu.values;
    DDPM_TRY(npz_read(&sigma, zip, bytes, "sigma", most, path));
    out->stats.covariance = sigma.values;
    if (mu.rank != 1 || sigma.rank != 2 || sigma.size[0] != mu.size[0] ||
        sigma.size[1] != mu.size[0])
        return ddpm_fail(DDPM_EDATA, "%s: 'mu' is not [D] and 'sigma' not [D,D]", path);
    out->d = out->stats.d = mu.size[0];
    return DDPM_OK;
}

static ddpm_status read_npz(ddpm_features *out, const char *path, const unsigned char *zip,
                            size_t bytes, const char *protocol)
{
    bool has;
    DDPM_TRY(npz_has(&has, zip, bytes, "features", path));
    DDPM_TRY(has ? take_features(out, zip, bytes, path) : take_stats(out, zip, bytes, path));
    return set_protocol(out, NULL, protocol, path);
}

ddpm_status ddpm_features_read(ddpm_features *out, const char *path, const char *protocol)
{
    char *text;
    size_t bytes;
    *out = (ddpm_features){ 0 };
    DDPM_TRY(ddpm_read_file(&text, &bytes, path, file_limit));
    ddpm_features_set_hash(out, text, bytes);
    const bool is_zip = bytes >= 4 && memcmp(text, "PK", 2) == 0;
    ddpm_status status = is_zip ? read_npz(out, path, (const unsigned char *)text, bytes, protocol)
                                : read_h5(out, path, protocol);
    free(text);
    if (status == DDPM_OK && out->features) status = check_finite(out, path);
    if (status != DDPM_OK) ddpm_features_free(out);
    return status;
}

void ddpm_features_free(ddpm_features *features)
{
    free(features->features);
    ddpm_feature_stats_free(&features->stats);
    json_decref(features->about);
    *features = (ddpm_features){ 0 };
}

static bool same_network(const char *a, const char *b)
{
    const size_t length = strcspn(a, ":");
    return length == strcspn(b, ":") && memcmp(a, b, length) == 0;
}

ddpm_status ddpm_features_match(const ddpm_features *a, const ddpm_features *b)
{
    if (strcmp(a->protocol, b->protocol) != 0)
        return ddpm_fail(
            DDPM_ECONFIG, "features of %s and of %s cannot be compared%s", a->protocol, b->protocol,
            same_network(a->protocol, b->protocol) ? ": their networks have other weights" : "");
    if (a->d == b->d) return DDPM_OK;
    return ddpm_fail(DDPM_ECONFIG, "features of %zu and of %zu dimensions cannot be compared", a->d,
                     b->d);
}
