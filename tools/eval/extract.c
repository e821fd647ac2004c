#include "extract.h"

#include "ddpm/base/log.h"
#include "ddpm/base/memory.h"
#include "ddpm/base/path.h"
#include "ddpm/eval/rows.h"
#include "ddpm/io/h5.h"
#include "images.h"
#include "work.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = DDPM_INCEPTION_BATCH, D = DDPM_INCEPTION_FEATURES, NUMBERS_MOST = 1 << 28 };

ddpm_status eval_extractor_open(eval_extractor *e, ddpm_comm *comm, const char *path,
                                const char *directory)
{
    *e = (eval_extractor){ .comm = comm, .path = path };
    ddpm_status status = ddpm_path_print(e->directory, sizeof e->directory, "%s", directory);
    if (status == DDPM_OK) status = ddpm_inception_create(&e->network);
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

void eval_extractor_forget(const eval_extractor *e)
{
    for (size_t i = 0; i < e->partials; i++)
        if (unlink(e->partial[i]) != 0 && errno != ENOENT) /* both may be of the same images */
            ddpm_log_warning("cannot remove %s: %s", e->partial[i], strerror(errno));
}

typedef struct {
    eval_extractor *extractor;
    eval_images images;
    float *x, *batch, *features; /* [BATCH,H,W,C], [BATCH,D], [images,D] */
    ddpm_eval_rows *done;        /* of the features; rank 0 */
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
    DDPM_TRY(ddpm_memory_alloc(&j->batch, BATCH, D * sizeof *j->batch, DDPM_MEMORY_SCRATCH));
    j->features = malloc(j->images.count * D * sizeof *j->features);
    if (j->features) return DDPM_OK;
    return ddpm_fail(DDPM_EOS, "out of memory for features of %zu images", j->images.count);
}

static size_t images_of(const job *j, size_t batch)
{
    const size_t left = j->images.count - batch * BATCH;
    return left < BATCH ? left : BATCH;
}

/* The unit is a call of the network: what it gives is a function of all its images. */
static ddpm_status do_batch(double *values, size_t batch, void *context)
{
    job *j = context;
    const size_t first = batch * BATCH;
    ddpm_shape shape = j->images.shape;
    shape.n = images_of(j, batch);
    DDPM_TRY(eval_images_read(j->x, first, shape.n, &j->images));
    ddpm_inception_features(j->batch, j->x, shape, j->extractor->network);
    for (size_t i = 0; i < BATCH * D; i++) {
        values[i] = i < shape.n * D ? (double)j->batch[i] : 0.0;
        if (!isfinite(values[i]))
            return ddpm_fail(DDPM_EDATA, "%s: features of image %zu are not finite",
                             j->extractor->path, first + i / D);
    }
    return DDPM_OK;
}

/* Rank 0 keeps what all come to. */
static ddpm_status keep(size_t batch, const double *values, void *context)
{
    job *j = context;
    if (!j->done) return DDPM_OK;
    float *features = j->features + batch * BATCH * D;
    for (size_t i = 0; i < images_of(j, batch) * D; i++) features[i] = (float)values[i];
    return ddpm_eval_rows_add(j->done, batch);
}

static bool is_done(size_t batch, void *context)
{
    const job *j = context;
    return ddpm_eval_rows_has(j->done, batch);
}

/* Rank 0. */
static ddpm_status open_done(job *j, const char *identity)
{
    eval_extractor *e = j->extractor;
    char key[EVAL_KEY], whole[512], *path = e->partial[e->partials];
    assert(e->partials < EVAL_EXTRACTIONS);
    /* By kernels as well, on which the last bits depend: what others did is in another file. */
    snprintf(whole, sizeof whole, "%s\nkernels %s", identity, eval_kernels());
    eval_key(key, whole);
    snprintf(path, sizeof *e->partial, "%s/features-%s.partial", e->directory, key);
    DDPM_TRY(ddpm_eval_rows_open(&j->done, path, whole, j->features,
                                 j->images.count * D * sizeof *j->features,
                                 BATCH * D * sizeof *j->features));
    e->partials++;
    return DDPM_OK;
}

static ddpm_status do_missing(job *j)
{
    const size_t batches = (j->images.count + BATCH - 1) / BATCH;
    uint64_t *todo = NULL;
    size_t count = 0;
    ddpm_status status = eval_find_work(&todo, &count, batches, is_done, j, j->extractor->comm);
    if (status == DDPM_OK) {
        if (count < batches)
            ddpm_log_info("%zu of %zu batches are done already", batches - count, batches);
        status = eval_share_work(&(ddpm_share){ .name = "features",
                                                .units = count,
                                                .number = todo,
                                                .values = BATCH * D,
                                                .compute = do_batch,
                                                .take = keep,
                                                .context = j },
                                 j->extractor->comm);
    }
    ddpm_memory_free(todo);
    return status;
}

static ddpm_status do_all(job *j, const char *identity)
{
    ddpm_comm *comm = j->extractor->comm;
    ddpm_status status = ddpm_comm_rank(comm) == 0 ? open_done(j, identity) : DDPM_OK;
    status = ddpm_comm_agree(comm, status);
    if (status == DDPM_OK) status = do_missing(j);
    ddpm_eval_rows_close(j->done);
    if (status != DDPM_OK) return status;
    return ddpm_comm_broadcast(comm, j->features, j->images.count * D * sizeof *j->features, 0);
}

static ddpm_status hand_over(ddpm_features *out, job *j, const char *identity)
{
    *out = (ddpm_features){ .n = j->images.count, .d = D, .features = j->features };
    j->features = NULL;
    snprintf(out->protocol, sizeof out->protocol, "%s", j->extractor->protocol);
    /* Which images, in the place of the hash of a file. */
    ddpm_features_set_hash(out, identity, strlen(identity));
    out->about = eval_images_describe(&j->images);
    return out->about ? DDPM_OK : ddpm_fail(DDPM_EOS, "out of memory");
}

ddpm_status eval_extract(ddpm_features *out, eval_extractor *e, const char *path, size_t most)
{
    job j = { .extractor = e };
    char identity[DDPM_FEATURES_IDENTITY];
    ddpm_status status = prepare(&j, path, most);
    ddpm_features_identity(identity, e->weights, eval_images_hash(&j.images), j.images.count);
    status = eval_agree(e->comm, status, identity);
    if (status == DDPM_OK) {
        ddpm_log_info("%s: features of %zu images by %s (weights %.16s)", path, j.images.count,
                      e->path, e->weights);
        status = do_all(&j, identity);
    }
    if (status == DDPM_OK) status = hand_over(out, &j, identity);
    status = ddpm_comm_agree(e->comm, status);
    eval_images_close(&j.images);
    ddpm_memory_free(j.x);
    ddpm_memory_free(j.batch);
    free(j.features);
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

ddpm_status eval_take_features(ddpm_features *out, ddpm_comm *comm, eval_extractor *e,
                               const char *path, size_t most, const char *protocol)
{
    const bool first = ddpm_comm_rank(comm) == 0;
    unsigned char images = first && holds_images(path);
    DDPM_TRY(ddpm_comm_broadcast(comm, &images, sizeof images, 0));
    if (images && e) return eval_extract(out, e, path, most);
    ddpm_status status = DDPM_OK;
    if (images)
        status = ddpm_fail(DDPM_EDATA,
                           "%s holds images; a network makes features of them: --network", path);
    else if (first)
        status = ddpm_features_read(out, path, protocol);
    status = ddpm_comm_agree(comm, status);
    if (status != DDPM_OK) return status;
    return ddpm_features_share(out, comm);
}
