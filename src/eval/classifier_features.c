/* The classifier at work: features of images, and itself on all ranks. */
#include "classifier.h"
#include "ddpm/base/memory.h"
#include "ddpm/dist/share.h"

#include <string.h>

enum { IMAGES = 64 /* of a unit of work */ };

typedef struct {
    ddpm_classifier *c;
    ddpm_row_reader *read;
    void *context;
    size_t n;
    float *x, *features; /* [BATCH,H,W,C], [n,64] */
} extraction;

/* Always in calls of the same images: how many there are in one, and which, may show in the bits.
 */
static ddpm_status extract(double *none, size_t unit, void *context)
{
    const extraction *e = context;
    const size_t end = (unit + 1) * IMAGES < e->n ? (unit + 1) * IMAGES : e->n;
    (void)none;
    for (size_t i = unit * IMAGES; i < end; i += DDPM_CLASSIFIER_BATCH) {
        const size_t count = end - i < DDPM_CLASSIFIER_BATCH ? end - i : DDPM_CLASSIFIER_BATCH;
        DDPM_TRY(e->read(e->x, i, count, e->context));
        classifier_repeat_last(e->x, count, e->c);
        classifier_forward(e->c, e->x);
        memcpy(e->features + i * DDPM_CLASSIFIER_FEATURES, e->c->features,
               count * DDPM_CLASSIFIER_FEATURES * sizeof *e->features);
    }
    return DDPM_OK;
}

ddpm_status ddpm_classifier_features(float *features, ddpm_classifier *classifier, size_t n,
                                     ddpm_row_reader *read, void *context, ddpm_comm *comm)
{
    const size_t bytes = DDPM_CLASSIFIER_FEATURES * sizeof *features;
    extraction e = { .c = classifier, .read = read, .context = context, .n = n };
    e.features = features;
    ddpm_status status = ddpm_memory_alloc(&e.x, ddpm_shape_count(classifier->shape), sizeof *e.x,
                                           DDPM_MEMORY_DATA);
    status = ddpm_share_agree(status, comm);
    if (status == DDPM_OK)
        status = ddpm_share_work(&(ddpm_share){ .name = "features",
                                                .units = (n + IMAGES - 1) / IMAGES,
                                                .compute = extract,
                                                .context = &e },
                                 comm);
    if (status == DDPM_OK) status = ddpm_share_spread(features, n * bytes, IMAGES * bytes, comm);
    ddpm_memory_free(e.x);
    return status;
}

ddpm_status ddpm_classifier_share(ddpm_classifier **classifier, ddpm_comm *comm)
{
    struct {
        ddpm_shape shape;
        size_t classes;
        uint64_t seed;
    } of = { { 0 }, 0, 0 };
    const bool first = ddpm_comm_rank(comm) == 0;
    if (first) {
        const ddpm_classifier *c = *classifier;
        of.shape = c->shape;
        of.classes = c->classes;
        of.seed = c->seed;
    }
    /* A plain struct, and the ranks are one program: its bytes are the message. */
    DDPM_TRY(ddpm_comm_broadcast(comm, &of, sizeof of, 0));
    ddpm_status status = DDPM_OK;
    if (!first) status = ddpm_classifier_create(classifier, of.shape, of.classes, of.seed);
    status = ddpm_comm_agree(comm, status);
    if (status != DDPM_OK) return status;
    ddpm_classifier *c = *classifier;
    return ddpm_comm_broadcast(comm, c->weights, c->floats * sizeof *c->weights, 0);
}
