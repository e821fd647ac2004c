/** @file eval/classifier.h
 *  A small convolutional classifier, trained here on a labelled set: its penultimate layer gives
 *  features of images for which there is no network that everyone uses.
 *
 *      conv3x3 C -> 16, GroupNorm + SiLU, conv3x3/2 -> 32, GroupNorm + SiLU, conv3x3/2 -> 64,
 *      GroupNorm + SiLU, mean over pixels: the features [64]; dense -> classes, softmax
 *
 *  What it becomes is a function of the images, their order and the seed alone, on any number of
 *  ranks and threads: a step of training is DDPM_CLASSIFIER_CALLS calls of the network, which ranks
 *  share as leaves of the reducer's tree (dist/reducer.h). */
#ifndef DDPM_EVAL_CLASSIFIER_H
#define DDPM_EVAL_CLASSIFIER_H
#include "ddpm/base/shape.h"
#include "ddpm/eval/neighbours.h"

enum {
    DDPM_CLASSIFIER_FEATURES = 64,
    DDPM_CLASSIFIER_BATCH = 8, /**< images a call of the network */
    DDPM_CLASSIFIER_CALLS = 8  /**< of a step of training: 64 images */
};

typedef struct ddpm_classifier ddpm_classifier;

/** Initial weights by the seed. shape.n is not looked at. DDPM_ECONFIG: fewer than two classes, or
 *  images smaller than 8 x 8; DDPM_EOS. The caller owns *out. */
DDPM_NODISCARD ddpm_status ddpm_classifier_create(ddpm_classifier **out, ddpm_shape shape,
                                                  size_t classes, uint64_t seed);
void ddpm_classifier_free(ddpm_classifier *classifier); /**< takes NULL */

/** Images with their labels, x [count,H,W,C]; indices in any order. */
typedef ddpm_status ddpm_labelled_reader(float *x, int64_t *labels, const uint64_t *index,
                                         size_t count, void *context);
typedef struct {
    ddpm_labelled_reader *read;
    void *context;
    const uint64_t *train, *test; /**< which of its images are for what */
    size_t train_count, test_count;
    size_t epochs;
    double lr; /**< of Adam, falling to 0 in a line */
} ddpm_classifier_data;
/** Trains from the initial weights, the same on every rank; *accuracy: share of the test images it
 *  gets right. Collective, and `comm` is needed also of one rank. DDPM_EDATA: the loss is not
 * finite; DDPM_ECONFIG: there is nothing to train on; what the reader failed with. */
DDPM_NODISCARD ddpm_status ddpm_classifier_train(ddpm_classifier *classifier, double *accuracy,
                                                 const ddpm_classifier_data *data, ddpm_comm *comm);

/** Features [n,64] of images 0 .. n - 1 of a reader, on every rank; the ranks share the images.
 *  Collective; NULL: this process alone. DDPM_EOS, or what the reader failed with. */
DDPM_NODISCARD ddpm_status ddpm_classifier_features(float *features, ddpm_classifier *classifier,
                                                    size_t n, ddpm_row_reader *read, void *context,
                                                    ddpm_comm *comm);
/** The loss of images [BATCH,H,W,C], mean cross entropy in nats, and its gradient: added to
 *  gradient [floats]. For tests, and what training does. */
double ddpm_classifier_loss(float *gradient, ddpm_classifier *classifier, const float *x,
                            const int64_t *labels);
float *ddpm_classifier_weights(ddpm_classifier *classifier, size_t *floats);

/** A sealed file (io/sealed_file.h): /weights, and what they are of. `note`: the set's content hash
 *  and how it was trained. */
DDPM_NODISCARD ddpm_status ddpm_classifier_save(const ddpm_classifier *classifier, const char *path,
                                                const char *note, double accuracy);
/** DDPM_ENOINPUT; DDPM_EDATA: damaged, or no such file; *note malloc'ed. */
DDPM_NODISCARD ddpm_status ddpm_classifier_load(ddpm_classifier **out, const char *path,
                                                char **note, double *accuracy);
/** Rank 0's classifier to all others, which get one of their own in *classifier. Collective.
 * DDPM_EOS.
 */
DDPM_NODISCARD ddpm_status ddpm_classifier_share(ddpm_classifier **classifier, ddpm_comm *comm);
ddpm_shape ddpm_classifier_shape(const ddpm_classifier *classifier); /**< n is 0 */
/** XXH3-128 of its weights, in hexadecimal. */
void ddpm_classifier_hash(char hash[33], const ddpm_classifier *classifier);
#endif
