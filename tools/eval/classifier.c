/* classifier-distance: the Frechet distance in features of a classifier of our own. */
#include "ddpm/eval/classifier.h"

#include "ddpm/base/log.h"
#include "ddpm/base/memory.h"
#include "ddpm/base/path.h"
#include "ddpm/eval/frechet.h"
#include "images.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    OPTION_TRAIN = 256,
    OPTION_CLASSIFIER,
    OPTION_EPOCHS,
    OPTION_SEED,
    TEST_EVERY = 10,
    EPOCHS = 3
};
static const double learning_rate = 2e-3;

typedef struct {
    eval_common common;
    const char *samples, *reference, *train, *classifier;
    size_t most, epochs;
    uint64_t seed;
    bool training_said; /* an option about the training was given */
} arguments;

static const struct argp_option options[] = {
    { "count", 'n', "N", 0, "At most so many images of each; default: all", 0 },
    { "classifier", OPTION_CLASSIFIER, "FILE", 0,
      "The classifier: used where it is there, else trained and kept; default classifier.h5 in DIR",
      0 },
    { "train", OPTION_TRAIN, "LABELLED.h5", 0,
      "The set to train it on; default: DATA.h5, if that has labels", 0 },
    { "epochs", OPTION_EPOCHS, "E", 0, "Of its training; default 3", 0 },
    { "seed", OPTION_SEED, "SEED", 0, "Of its training; default 0", 0 },
    { 0 },
};
static const char help[] =
    "The Frechet distance between samples and a data set in the 64 features of a small classifier "
    "that is trained on labelled images first. It is no FID, and compares with nothing but "
    "distances by the same classifier.\vA tenth of the labelled images is held out, for the "
    "accuracy that is told.";

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *to = state->input;
    switch (key) {
    case 'n': to->most = (size_t)eval_number(text, 2, 100000000, "-n", state); return 0;
    case OPTION_CLASSIFIER: to->classifier = text; return 0;
    case OPTION_TRAIN:
        to->train = text;
        to->training_said = true;
        return 0;
    case OPTION_EPOCHS:
        to->training_said = true;
        to->epochs = (size_t)eval_number(text, 1, 1000, "--epochs", state);
        return 0;
    case OPTION_SEED:
        to->training_said = true;
        to->seed = eval_seed(text, state);
        return 0;
    case ARGP_KEY_ARG: eval_take(&to->samples, &to->reference, text, state); return 0;
    case ARGP_KEY_END:
        if (!to->reference) argp_error(state, "samples and a data set are needed");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

typedef struct {
    const arguments *arguments;
    ddpm_comm *comm;
    eval_images samples, reference;
    ddpm_dataset *train;
    ddpm_classifier *classifier;
    double accuracy; /* on rank 0, as is the note: on what it was trained, and how */
    char *note;
    char directory[EVAL_PATH], path[EVAL_PATH + 32], hash[33], key[EVAL_KEY];
} job;

static ddpm_status read_labelled(float *x, int64_t *labels, const uint64_t *index, size_t count,
                                 void *set)
{
    return ddpm_dataset_read(set, x, labels, index, NULL, count);
}

/* Every tenth image is held out. */
static void split(uint64_t *train, size_t *train_count, uint64_t *test, size_t *test_count,
                  size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (i % TEST_EVERY == TEST_EVERY - 1)
            test[(*test_count)++] = i;
        else
            train[(*train_count)++] = i;
}

static ddpm_status train_on(job *j, size_t n)
{
    uint64_t *index = NULL;
    ddpm_status status = ddpm_memory_alloc(&index, 2 * n, sizeof *index, DDPM_MEMORY_OTHER);
    status = ddpm_comm_agree(j->comm, status);
    if (status != DDPM_OK) return status;
    ddpm_classifier_data data = { .read = read_labelled,
                                  .context = j->train,
                                  .train = index,
                                  .test = index + n,
                                  .epochs = j->arguments->epochs,
                                  .lr = learning_rate };
    split(index, &data.train_count, index + n, &data.test_count, n);
    ddpm_log_info("training a classifier on %zu images, %zu epochs", data.train_count, data.epochs);
    status = ddpm_classifier_train(j->classifier, &j->accuracy, &data, j->comm);
    ddpm_memory_free(index);
    return status;
}

/* The labelled set, and in what words it is noted that a classifier was trained on it. */
static ddpm_status open_train(job *j, char note[256])
{
    const arguments *a = j->arguments;
    const char *path = a->train ? a->train : a->reference;
    DDPM_TRY(ddpm_dataset_open(&j->train, path));
    const ddpm_dataset_info *info = ddpm_dataset_get_info(j->train);
    snprintf(note, 256, "%s, %zu epochs, seed %llu", info->content_hash, a->epochs,
             (unsigned long long)a->seed);
    if (info->has_labels) return DDPM_OK;
    return ddpm_fail(DDPM_ECONFIG,
                     "%s has no labels to train a classifier by: give --train LABELLED.h5, or "
                     "--classifier FILE",
                     path);
}

static ddpm_status create_classifier(job *j, char note[256])
{
    DDPM_TRY(open_train(j, note));
    const ddpm_dataset_info *info = ddpm_dataset_get_info(j->train);
    return ddpm_classifier_create(&j->classifier, info->shape, info->classes, j->arguments->seed);
}

/* Rank 0. */
static ddpm_status keep(job *j, const char *note)
{
    DDPM_TRY(ddpm_classifier_save(j->classifier, j->path, note, j->accuracy));
    j->note = strdup(note);
    return j->note ? DDPM_OK : ddpm_fail(DDPM_EOS, "out of memory");
}

static ddpm_status train_classifier(job *j)
{
    char note[256] = "";
    ddpm_status status = create_classifier(j, note);
    DDPM_TRY(eval_agree(j->comm, status, note));
    const size_t n = ddpm_dataset_get_info(j->train)->shape.n;
    DDPM_TRY(train_on(j, n));
    status = ddpm_comm_agree(j->comm, ddpm_comm_rank(j->comm) == 0 ? keep(j, note) : DDPM_OK);
    if (status == DDPM_OK)
        ddpm_log_info("%s: %.2f%% of %zu held-out images are classified correctly", j->path,
                      100.0 * j->accuracy, n / TEST_EVERY);
    return status;
}

/* One that was found, and not named, is that of the set at hand. Without labels it cannot have been
 * trained on that in any case. */
static ddpm_status check_data(const job *j)
{
    const ddpm_dataset_info *info = ddpm_dataset_get_info(j->reference.set);
    const size_t length = strcspn(j->note, ",");
    if (j->arguments->classifier || !info->has_labels) return DDPM_OK;
    if (strlen(info->content_hash) == length && memcmp(j->note, info->content_hash, length) == 0)
        return DDPM_OK;
    return ddpm_fail(DDPM_ECONFIG,
                     "%s was trained on %s, and %s is %s: give the set it was trained on by "
                     "--train, or it by --classifier %s, or a name for another by --classifier",
                     j->path, j->note, j->reference.path, info->content_hash, j->path);
}

static ddpm_status check_training(job *j)
{
    char wanted[256];
    if (!j->arguments->training_said) return check_data(j);
    DDPM_TRY(open_train(j, wanted));
    if (strcmp(j->note, wanted) == 0) return DDPM_OK;
    return ddpm_fail(DDPM_ECONFIG, "%s was trained otherwise: on %s; name another by --classifier",
                     j->path, j->note);
}

static ddpm_status load_classifier(job *j)
{
    DDPM_TRY(ddpm_classifier_load(&j->classifier, j->path, &j->note, &j->accuracy));
    ddpm_log_info("%s: trained on %s, accuracy %.2f%%", j->path, j->note, 100.0 * j->accuracy);
    return check_training(j);
}

/* That of rank 0's file, or where it has none a new one. */
static ddpm_status find_classifier(job *j)
{
    const bool first = ddpm_comm_rank(j->comm) == 0;
    uint64_t is_there = first && access(j->path, F_OK) == 0;
    DDPM_TRY(ddpm_comm_broadcast(j->comm, &is_there, sizeof is_there, 0));
    if (!is_there) return train_classifier(j);
    const ddpm_status status = ddpm_comm_agree(j->comm, first ? load_classifier(j) : DDPM_OK);
    if (status != DDPM_OK) return status;
    return ddpm_classifier_share(&j->classifier, j->comm);
}

static ddpm_status check_shape(const job *j)
{
    const ddpm_shape s = ddpm_classifier_shape(j->classifier), t = j->samples.shape;
    if (s.h == t.h && s.w == t.w && s.c == t.c) return DDPM_OK;
    return ddpm_fail(DDPM_ECONFIG, "%s is for images of %zu x %zu x %zu, these are %zu x %zu x %zu",
                     j->path, s.h, s.w, s.c, t.h, t.w, t.c);
}

static ddpm_status stats_of(ddpm_feature_stats *out, job *j, eval_images *images)
{
    const size_t n = images->count;
    float *features = NULL;
    ddpm_status status = ddpm_memory_alloc(
        &features, n, DDPM_CLASSIFIER_FEATURES * sizeof *features, DDPM_MEMORY_DATA);
    status = ddpm_comm_agree(j->comm, status);
    if (status == DDPM_OK)
        status = ddpm_classifier_features(features, j->classifier, n, eval_images_read, images,
                                          j->comm);
    if (status == DDPM_OK)
        status = ddpm_feature_stats_of(out, features, n, DDPM_CLASSIFIER_FEATURES, j->comm);
    ddpm_memory_free(features);
    return status;
}

static json_t *result_of(const job *j, double distance)
{
    return json_pack("{s:s,s:s,s:f,s:I,s:{s:o,s:s,s:o,s:s},s:o,s:o}", "metric",
                     "classifier_distance", "key", j->key, "value", distance, "images",
                     (json_int_t)j->samples.count, "classifier", "path", eval_json_text(j->path),
                     "hash", j->hash, "accuracy", eval_json_real(j->accuracy), "note", j->note,
                     "samples", eval_images_describe(&j->samples), "reference",
                     eval_images_describe(&j->reference));
}

/* Rank 0. */
static ddpm_status report(job *j, const ddpm_feature_stats *samples,
                          const ddpm_feature_stats *reference)
{
    const eval_common *common = &j->arguments->common;
    char identity[512];
    double distance = 0.0;
    DDPM_TRY(ddpm_frechet_distance(&distance, samples, reference));
    snprintf(identity, sizeof identity, "classifier distance 1\n%s\n%s\n%s\n%zu %zu", j->hash,
             eval_images_hash(&j->samples), eval_images_hash(&j->reference), j->samples.count,
             j->reference.count);
    eval_key(j->key, identity);
    DDPM_TRY(eval_publish(result_of(j, distance), common, j->directory));
    if (common->json) return DDPM_OK;
    eval_images_print("samples", &j->samples);
    eval_images_print("reference", &j->reference);
    printf("%-16s %s, accuracy %.2f%%, xxh128:%.12s\n", "classifier", j->path, 100.0 * j->accuracy,
           j->hash);
    printf("%-16s %s\n", "trained on", j->note);
    printf("classifier distance %.6f\n", distance);
    return DDPM_OK;
}

static ddpm_status open_sets(job *j)
{
    const arguments *a = j->arguments;
    DDPM_TRY(eval_images_open(&j->samples, a->samples, a->most));
    DDPM_TRY(eval_images_open(&j->reference, a->reference, a->most));
    DDPM_TRY(eval_images_match(&j->samples, &j->reference));
    if (ddpm_comm_rank(j->comm) != 0) return DDPM_OK;
    DDPM_TRY(eval_directory(j->directory, &a->common, a->samples));
    if (a->classifier) return ddpm_path_print(j->path, sizeof j->path, "%s", a->classifier);
    return ddpm_path_print(j->path, sizeof j->path, "%s/classifier.h5", j->directory);
}

static ddpm_status compare(job *j)
{
    ddpm_feature_stats samples = { 0 }, reference = { 0 };
    ddpm_status status = stats_of(&samples, j, &j->samples);
    if (status == DDPM_OK) status = stats_of(&reference, j, &j->reference);
    if (status == DDPM_OK && ddpm_comm_rank(j->comm) == 0) status = report(j, &samples, &reference);
    ddpm_feature_stats_free(&samples);
    ddpm_feature_stats_free(&reference);
    return ddpm_comm_agree(j->comm, status);
}

static ddpm_status run(job *j)
{
    char identity[512];
    const ddpm_status opened = open_sets(j);
    snprintf(identity, sizeof identity, "samples %s\nreference %s\n%zu %zu",
             eval_images_hash(&j->samples), eval_images_hash(&j->reference), j->samples.count,
             j->reference.count);
    DDPM_TRY(eval_agree(j->comm, opened, identity));
    DDPM_TRY(find_classifier(j));
    const ddpm_status status = ddpm_comm_agree(j->comm, check_shape(j));
    if (status != DDPM_OK) return status;
    ddpm_classifier_hash(j->hash, j->classifier);
    return compare(j);
}

static ddpm_status perform(ddpm_comm *comm, const void *given)
{
    job j = { .arguments = given, .comm = comm };
    DDPM_TRY(eval_prepare(comm, &j.arguments->common));
    const ddpm_status status = run(&j);
    eval_images_close(&j.samples);
    eval_images_close(&j.reference);
    ddpm_dataset_close(j.train);
    ddpm_classifier_free(j.classifier);
    free(j.note);
    return status;
}

int eval_classifier_distance(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options, .parser = parse, .args_doc = "SAMPLES.h5 DATA.h5", .doc = help
    };
    arguments given = { .epochs = EPOCHS };
    ddpm_command_parse(&argp, &eval_common_argp, argc, argv, &given);
    return eval_run(perform, &given, &given.common);
}
