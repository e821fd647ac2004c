#include "extract.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/base/memory.h"
#include "ddpm/base/text.h"
#include "ddpm/io/h5.h"
#include "images.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = DDPM_INCEPTION_BATCH, D = DDPM_INCEPTION_FEATURES, NUMBERS_MOST = 1 << 28 };

ddpm_status eval_extractor_open(eval_extractor *e, ddpm_comm *comm, const char *path)
{
    *e = (eval_extractor){ .comm = comm, .path = path };
    ddpm_status status = ddpm_inception_create(&e->network);
    if (status == DDPM_OK && ddpm_comm_rank(comm) == 0)
        status = ddpm_inception_load(e->network, e->weights, path);
    status = ddpm_comm_agree(comm, status);
    if (status != DDPM_OK) return status;
    size_t floats;
    float *weights = ddpm_inception_weights(e->network, &floats);
    DDPM_TRY(ddpm_comm_broadcast(comm, e->weights, sizeof e->weights, 0));
    DDPM_TRY(ddpm_comm_broadcast(comm, weights, floats * sizeof *weights, 0));
    snprintf(e->protocol, sizeof e->protocol, "%s:%.16s", DDPM_INCEPTION_PROTOCOL, e->weights);
    return DDPM_OK;
}

void eval_extractor_close(eval_extractor *e)
{
    ddpm_inception_free(e->network);
    *e = (eval_extractor){ 0 };
}

typedef struct {
    eval_extractor *extractor;
    eval_images images;
    float *x, *mine, *all; /* [BATCH,H,W,C]; [BATCH,D]; of rank 0: [images,D] */
    size_t *bytes;         /* of each rank in a round; of rank 0 */
} job;

static ddpm_status prepare(job *j, const char *path, size_t most)
{
    DDPM_TRY(eval_images_open(&j->images, path, most));
    const ddpm_shape s = j->images.shape;
    DDPM_TRY(ddpm_inception_accepts(s));
    if (j->images.count > NUMBERS_MOST / D)
        return ddpm_fail(DDPM_ECONFIG, "%s has %zu images; features of at most %d are taken: -n",
                         path, j->images.count, NUMBERS_MOST / D);
    DDPM_TRY(ddpm_memory_alloc(&j->x, BATCH, s.h * s.w * s.c * sizeof *j->x, DDPM_MEMORY_DATA));
    DDPM_TRY(ddpm_memory_alloc(&j->mine, BATCH, D * sizeof *j->mine, DDPM_MEMORY_DATA));
    if (ddpm_comm_rank(j->extractor->comm) != 0) return DDPM_OK;
    const size_t ranks = (size_t)ddpm_comm_size(j->extractor->comm);
    j->bytes = calloc(ranks, sizeof *j->bytes);
    j->all = malloc(j->images.count * D * sizeof *j->all);
    if (j->bytes && j->all) return DDPM_OK;
    return ddpm_fail(DDPM_EOS, "out of memory for features of %zu images", j->images.count);
}

static ddpm_status do_batch(job *j, size_t first, size_t n)
{
    ddpm_shape shape = j->images.shape;
    shape.n = n;
    DDPM_TRY(eval_images_read(j->x, first, n, &j->images));
    ddpm_inception_features(j->mine, j->x, shape, j->extractor->network);
    for (size_t i = 0; i < n * D; i++)
        if (!isfinite(j->mine[i]))
            return ddpm_fail(DDPM_EDATA, "%s: features of image %zu are not finite",
                             j->extractor->path, first + i / D);
    return DDPM_OK;
}

static void tell(const job *j, size_t done, uint64_t start, uint64_t *told)
{
    const uint64_t now = ddpm_clock_ns();
    const bool live = ddpm_log_is_live();
    char left[32];
    if (ddpm_comm_rank(j->extractor->comm) != 0) return;
    if (ddpm_clock_seconds(*told, now) < (live ? 0.2 : 30.0)) return;
    *told = now;
    const double share = (double)done / (double)j->images.count;
    ddpm_text_seconds(left, ddpm_clock_seconds(start, now) * (1.0 - share) / share);
    (live ? ddpm_log_live : ddpm_log_info)("features: %.1f%%, %s left", 100.0 * share, left);
}

/* The unit is a batch of a fixed size. In every round each rank does one, and rank 0 gets them in
 * the order of the images. */
static ddpm_status do_all(job *j)
{
    ddpm_comm *comm = j->extractor->comm;
    const size_t rank = (size_t)ddpm_comm_rank(comm), count = j->images.count;
    const size_t round = BATCH * (size_t)ddpm_comm_size(comm);
    const uint64_t start = ddpm_clock_ns();
    uint64_t told = start;
    for (size_t done = 0; done < count; done += round) {
        const size_t first = done + rank * BATCH, left = first < count ? count - first : 0;
        const size_t n = left < BATCH ? left : BATCH;
        const ddpm_status status = ddpm_comm_agree(comm, n ? do_batch(j, first, n) : DDPM_OK);
        if (status != DDPM_OK) return status;
        DDPM_TRY(ddpm_comm_gather(comm, j->all ? j->all + done * D : NULL, j->mine,
                                  n * D * sizeof *j->mine, j->bytes));
        tell(j, done + round < count ? done + round : count, start, &told);
    }
    return DDPM_OK;
}

/* Which images, in the place of the hash of a file. */
static void identify(ddpm_features *out, const job *j)
{
    char text[256], hex[DDPM_SHA256_HEX];
    unsigned char digest[DDPM_SHA256_BYTES];
    snprintf(text, sizeof text, "features 1\n%s\n%s\n%zu", j->extractor->weights,
             ddpm_dataset_get_info(j->images.set)->content_hash, j->images.count);
    ddpm_sha256_of(digest, text, strlen(text));
    ddpm_hex(hex, digest, sizeof digest);
    snprintf(out->hash, sizeof out->hash, "sha256:%s", hex);
}

static ddpm_status hand_over(ddpm_features *out, json_t **about, job *j)
{
    *out = (ddpm_features){ .n = j->images.count, .d = D, .features = j->all };
    j->all = NULL;
    snprintf(out->protocol, sizeof out->protocol, "%s", j->extractor->protocol);
    identify(out, j);
    *about = eval_images_describe(&j->images);
    return *about ? DDPM_OK : ddpm_fail(DDPM_EOS, "out of memory");
}

ddpm_status eval_extract(ddpm_features *out, json_t **about, eval_extractor *e, const char *path,
                         size_t most)
{
    job j = { .extractor = e };
    const bool first = ddpm_comm_rank(e->comm) == 0;
    ddpm_status status = ddpm_comm_agree(e->comm, prepare(&j, path, most));
    if (status == DDPM_OK && first)
        ddpm_log_info("%s: features of %zu images by %s (weights %.16s)", path, j.images.count,
                      e->path, e->weights);
    if (status == DDPM_OK) status = do_all(&j);
    if (status == DDPM_OK && first) status = hand_over(out, about, &j);
    status = ddpm_comm_agree(e->comm, status);
    eval_images_close(&j.images);
    ddpm_memory_free(j.x);
    ddpm_memory_free(j.mine);
    free(j.all);
    free(j.bytes);
    return status;
}

/* Files that are no HDF5 are left to those who read features. */
static bool holds_images(const char *path)
{
    ddpm_h5 *file;
    if (ddpm_h5_open(&file, path) != DDPM_OK) return false;
    const bool images = ddpm_h5_exists(file, "/images") && !ddpm_h5_exists(file, "/features");
    ddpm_h5_close(file);
    return images;
}

ddpm_status eval_take_features(ddpm_features *out, json_t **about, ddpm_comm *comm,
                               eval_extractor *e, const char *path, size_t most,
                               const char *protocol)
{
    const bool first = ddpm_comm_rank(comm) == 0;
    unsigned char images = first && holds_images(path);
    *about = NULL;
    DDPM_TRY(ddpm_comm_broadcast(comm, &images, sizeof images, 0));
    if (images && e) return eval_extract(out, about, e, path, most);
    ddpm_status status = DDPM_OK;
    if (images)
        status = ddpm_fail(DDPM_EDATA,
                           "%s holds images; a network makes features of them: --network", path);
    else if (first)
        status = ddpm_features_read(out, path, protocol);
    return ddpm_comm_agree(comm, status);
}
