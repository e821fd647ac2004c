/* Of which images a file has features, and by which network: then they are known by these, as if
 * the network had just made them. */
#include "features_origin.h"

#include "ddpm/base/hash.h"
#include "ddpm/base/log.h"
#include "ddpm/eval/inception.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ABOUT_BYTES = 1 << 16, WEIGHTS_DIGITS = DDPM_SHA256_HEX - 1 };

void ddpm_features_identity(char identity[DDPM_FEATURES_IDENTITY], const char *weights,
                            const char *content_hash, size_t images)
{
    snprintf(identity, DDPM_FEATURES_IDENTITY, "features 1\n%s\n%s\n%zu", weights, content_hash,
             images);
}

void ddpm_features_set_hash(ddpm_features *features, const void *bytes, size_t count)
{
    unsigned char digest[DDPM_SHA256_BYTES];
    char hex[DDPM_SHA256_HEX];
    ddpm_sha256_of(digest, bytes, count);
    ddpm_hex(hex, digest, sizeof digest);
    snprintf(features->hash, sizeof features->hash, "sha256:%s", hex);
}

/* NULL, and *why says what is wrong with it. */
static json_t *about_of(const char **why, const char *text, size_t n)
{
    *why = "is too long";
    if (strlen(text) > ABOUT_BYTES) return NULL;
    json_t *about = json_loads(text, 0, NULL);
    const json_t *compared = json_object_get(about, "compared");
    if (!json_is_object(about))
        *why = "is no JSON object";
    else if (!json_is_integer(compared) || json_integer_value(compared) != (json_int_t)n)
        *why = "tells another number of images";
    else
        return about;
    json_decref(about);
    return NULL;
}

/* The weights' whole hash; it must be that of the protocol. NULL, or malloc'ed. */
static char *weights_of(ddpm_h5 *file, const char *protocol)
{
    static const char name[] = "weights_sha256", network[] = DDPM_INCEPTION_PROTOCOL ":";
    const size_t before = sizeof network - 1;
    char *weights = NULL;
    if (!ddpm_h5_has_attribute(file, "/features", name) ||
        ddpm_h5_attribute_text(file, "/features", name, &weights) != DDPM_OK)
        return NULL;
    if (strlen(weights) == WEIGHTS_DIGITS && strncmp(protocol, network, before) == 0 &&
        strlen(protocol) == before + 16 && strncmp(protocol + before, weights, 16) == 0)
        return weights;
    free(weights);
    return NULL;
}

static void know_by_origin(ddpm_features *features, ddpm_h5 *file)
{
    char identity[DDPM_FEATURES_IDENTITY];
    const char *content = json_string_value(json_object_get(features->about, "content_hash"));
    char *weights = weights_of(file, features->protocol);
    if (weights && content && strlen(content) < sizeof identity / 2) {
        ddpm_features_identity(identity, weights, content, features->n);
        ddpm_features_set_hash(features, identity, strlen(identity));
    }
    free(weights);
}

void features_read_origin(ddpm_features *features, ddpm_h5 *file, const char *path)
{
    char *text = NULL;
    const char *why;
    if (!ddpm_h5_has_attribute(file, "/features", "images")) return;
    if (ddpm_h5_attribute_text(file, "/features", "images", &text) == DDPM_OK)
        features->about = about_of(&why, text, features->n);
    else
        why = "is no text";
    free(text);
    if (features->about)
        know_by_origin(features, file);
    else
        ddpm_log_warning("%s: its attribute 'images' %s: of which images these features are is not "
                         "known",
                         path, why);
}
