/* fid, kid, prdc: from files of features, or from images by a network. */
#include "extract.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    OPTION_PROTOCOL = 256,
    OPTION_NETWORK,
    OPTION_SUBSETS,
    OPTION_SIZE,
    OPTION_SEED,
    DEFAULT_SUBSETS = 100,
    DEFAULT_SIZE = 1000,
    DEFAULT_NEIGHBOURS = 5
};

typedef struct job job;
/* Of one metric: what the ranks find together, into j->result on rank 0. Collective. */
typedef ddpm_status compute(job *j);

typedef struct {
    eval_common common;
    const char *name; /* of the subcommand */
    compute *metric;
    const char *generated, *real, *protocol, *network;
    size_t most, subsets, size, neighbours;
    uint64_t seed;
} arguments;

static const struct argp_option input_options[] = {
    { "protocol", OPTION_PROTOCOL, "NAME", 0,
      "How the features were made, of files that do not say it, e.g. pytorch-fid", 0 },
    { "network", OPTION_NETWORK, "FILE", 0,
      "Inception's weights (docs/features.md): images are taken in the place of features", 0 },
    { "count", 'n', "N", 0, "With --network: at most so many images of each; default: all", 0 },
    { 0 }
};
static const struct argp_option kid_options[] = {
    { "subsets", OPTION_SUBSETS, "N", 0, "Pairs of subsets; default 100", 0 },
    { "subset-size", OPTION_SIZE, "M", 0, "Features in each; default 1000", 0 },
    { "seed", OPTION_SEED, "SEED", 0, "Of the subsets; default 0", 0 },
    { 0 }
};
static const struct argp_option prdc_options[] = {
    { "neighbours", 'k', "K", 0, "Balls reach to the K-th; default 5", 0 }, { 0 }
};

static error_t parse_inputs(int key, char *text, struct argp_state *state)
{
    arguments *to = state->input;
    switch (key) {
    case OPTION_PROTOCOL: to->protocol = text; return 0;
    case OPTION_NETWORK: to->network = text; return 0;
    case 'n': to->most = (size_t)eval_number(text, 2, 100000000, "-n", state); return 0;
    case ARGP_KEY_ARG: eval_take(&to->generated, &to->real, text, state); return 0;
    case ARGP_KEY_END:
        if (!to->real) argp_error(state, "features of samples and of real images are needed");
        if (to->most && !to->network) argp_error(state, "-n counts images: --network is needed");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *to = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = to; return 0;
    case OPTION_SUBSETS:
        to->subsets = (size_t)eval_number(text, 1, 100000, "--subsets", state);
        return 0;
    case OPTION_SIZE:
        to->size = (size_t)eval_number(text, 2, 10000, "--subset-size", state);
        return 0;
    case OPTION_SEED: to->seed = eval_seed(text, state); return 0;
    case 'k': to->neighbours = (size_t)eval_number(text, 1, 1000, "-k", state); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

struct job {
    const arguments *arguments;
    ddpm_comm *comm;
    bool prints;                   /* rank 0's table */
    eval_extractor extractor;      /* where there is a network */
    ddpm_features generated, real; /* on every rank */
    json_t *result;
};

static ddpm_status need_features(const job *j, const char *metric)
{
    const char *lacks = !j->generated.features ? j->arguments->generated
                        : !j->real.features    ? j->arguments->real
                                               : NULL;
    if (!lacks) return DDPM_OK;
    return ddpm_fail(DDPM_ECONFIG, "%s has mean and covariance alone; %s takes the features", lacks,
                     metric);
}

static bool is_first(const job *j)
{
    return ddpm_comm_rank(j->comm) == 0;
}

/* The root of a matrix is rank 0's. */
static ddpm_status fid_of(job *j, const ddpm_feature_stats *a, const ddpm_feature_stats *b)
{
    const ddpm_protocol *known = ddpm_protocol_find(j->real.protocol);
    const char *name = known ? known->frechet_name : "Frechet distance";
    double distance = 0.0;
    if (!is_first(j)) return DDPM_OK;
    DDPM_TRY(ddpm_frechet_distance(&distance, a, b));
    j->result = json_pack("{s:s,s:f,s:s}", "metric", known ? "fid" : "frechet_distance", "value",
                          distance, "name", name);
    if (j->prints) printf("%s %.6f\n", name, distance);
    return DDPM_OK;
}

static ddpm_status fid(job *j)
{
    ddpm_feature_stats a = { 0 }, b = { 0 };
    ddpm_status status = ddpm_features_stats(&a, &j->generated, j->comm);
    if (status == DDPM_OK) status = ddpm_features_stats(&b, &j->real, j->comm);
    if (status == DDPM_OK) status = fid_of(j, &a, &b);
    ddpm_feature_stats_free(&a);
    ddpm_feature_stats_free(&b);
    return status;
}

static void print_kernel_distance(const char *name, const ddpm_kernel_distance *of)
{
    if (isfinite(of->std))
        printf("%s %.6g, %.3g between %zu subsets of %zu\n", name, of->mean, of->std, of->subsets,
               of->size);
    else
        printf("%s %.6g, - between subsets: there is one, of %zu\n", name, of->mean, of->size);
}

static ddpm_status kid(job *j)
{
    const arguments *a = j->arguments;
    const bool known = ddpm_protocol_find(j->real.protocol) != NULL;
    ddpm_kernel_distance distance = { .subsets = a->subsets, .size = a->size };
    DDPM_TRY(need_features(j, "kid"));
    DDPM_TRY(ddpm_kernel_distance_of(&distance, j->generated.features, j->generated.n,
                                     j->real.features, j->real.n, j->real.d, a->seed, j->comm));
    if (!is_first(j)) return DDPM_OK;
    const char *name = known ? "KID" : "kernel distance";
    j->result = json_pack("{s:s,s:f,s:o,s:s,s:I,s:I,s:I}", "metric",
                          known ? "kid" : "kernel_distance", "value", distance.mean, "std",
                          eval_json_real(distance.std), "name", name, "subsets",
                          (json_int_t)distance.subsets, "subset_size", (json_int_t)distance.size,
                          "seed", (json_int_t)a->seed);
    if (j->prints) print_kernel_distance(name, &distance);
    return DDPM_OK;
}

static ddpm_status prdc(job *j)
{
    const size_t k = j->arguments->neighbours;
    ddpm_prdc of;
    DDPM_TRY(need_features(j, "prdc"));
    DDPM_TRY(ddpm_prdc_of(&of, j->real.features, j->real.n, j->generated.features, j->generated.n,
                          j->real.d, k, j->comm));
    if (!is_first(j)) return DDPM_OK;
    j->result = json_pack("{s:s,s:f,s:f,s:f,s:f,s:f,s:I}", "metric", "precision", "value",
                          of.precision, "precision", of.precision, "recall", of.recall, "density",
                          of.density, "coverage", of.coverage, "neighbours", (json_int_t)k);
    if (j->prints)
        printf("precision %.4f, recall %.4f, density %.4f, coverage %.4f (%zu neighbours)\n",
               of.precision, of.recall, of.density, of.coverage, k);
    return DDPM_OK;
}

/* Of mean and covariance alone it is not known. */
static json_t *number_of_images(const ddpm_features *of)
{
    return of->n ? json_integer((json_int_t)of->n) : json_null();
}

/* The images, where these are known, and the file of their features, where there was one. */
static json_t *describe(const ddpm_features *of, const char *path)
{
    if (!of->about)
        return json_pack("{s:o,s:s,s:o,s:I}", "path", eval_json_text(path), "hash", of->hash,
                         "images", number_of_images(of), "dimensions", (json_int_t)of->d);
    const char *images = json_string_value(json_object_get(of->about, "path"));
    if (!images || strcmp(images, path) != 0)
        json_object_set_new(of->about, "features", eval_json_text(path));
    return json_incref(of->about);
}

static void print_line(const char *name, const ddpm_features *of, const char *path)
{
    printf("%-16s %s, ", name, path);
    if (of->n) printf("%zu images, ", of->n);
    printf("%zu dimensions by %s, %.19s\n", of->d, of->protocol, of->hash);
}

/* Rank 0. */
static ddpm_status report(job *j)
{
    const arguments *a = j->arguments;
    char identity[512], key[EVAL_KEY], directory[EVAL_PATH];
    json_t *json = j->result;
    j->result = NULL;
    if (!json) return ddpm_fail(DDPM_EOS, "out of memory");
    snprintf(identity, sizeof identity, "%s 1\n%s\n%s\n%s\n%zu %zu %zu %llu", a->name,
             j->generated.hash, j->real.hash, j->real.protocol, a->subsets, a->size, a->neighbours,
             (unsigned long long)a->seed);
    eval_key(key, identity);
    json_object_set_new(json, "key", json_string(key));
    json_object_set_new(json, "images", number_of_images(&j->generated));
    json_object_set_new(json, "protocol", json_string(j->real.protocol));
    json_object_set_new(json, "samples", describe(&j->generated, a->generated));
    json_object_set_new(json, "reference", describe(&j->real, a->real));
    const ddpm_status status = eval_directory(directory, &a->common, a->generated);
    if (status == DDPM_OK) return eval_publish(json, &a->common, directory);
    json_decref(json);
    return status;
}

static ddpm_status open_extractor(job *j)
{
    const arguments *a = j->arguments;
    char directory[EVAL_PATH] = "";
    ddpm_status status = DDPM_OK;
    if (is_first(j)) status = eval_directory(directory, &a->common, a->generated);
    status = ddpm_comm_agree(j->comm, status);
    if (status != DDPM_OK) return status;
    return eval_extractor_open(&j->extractor, j->comm, a->network, directory);
}

static ddpm_status take(job *j)
{
    const arguments *a = j->arguments;
    eval_extractor *network = a->network ? &j->extractor : NULL;
    if (network) DDPM_TRY(open_extractor(j));
    DDPM_TRY(
        eval_take_features(&j->generated, j->comm, network, a->generated, a->most, a->protocol));
    return eval_take_features(&j->real, j->comm, network, a->real, a->most, a->protocol);
}

static ddpm_status run(job *j)
{
    const arguments *a = j->arguments;
    DDPM_TRY(take(j));
    DDPM_TRY(ddpm_features_match(&j->generated, &j->real));
    if (is_first(j) && j->prints) {
        print_line("samples", &j->generated, a->generated);
        print_line("reference", &j->real, a->real);
    }
    ddpm_status status = a->metric(j);
    if (status == DDPM_OK && is_first(j)) status = report(j);
    if (status == DDPM_OK) eval_extractor_forget(&j->extractor);
    return ddpm_comm_agree(j->comm, status);
}

static ddpm_status perform(ddpm_comm *comm, const void *given)
{
    job j = { .arguments = given, .comm = comm };
    j.prints = !j.arguments->common.json;
    DDPM_TRY(eval_prepare(comm, &j.arguments->common));
    const ddpm_status status = run(&j);
    json_decref(j.result);
    eval_extractor_close(&j.extractor);
    ddpm_features_free(&j.generated);
    ddpm_features_free(&j.real);
    return status;
}

static int judge(int argc, char **argv, const struct argp_option *options, const char *help,
                 const char *name, compute *metric)
{
    static const struct argp inputs = { .options = input_options, .parser = parse_inputs };
    static const struct argp_child children[] = { { &inputs, 0, NULL, 0 }, { 0 } };
    const struct argp argp = { .options = options,
                               .parser = parse,
                               .args_doc = "SAMPLES REAL",
                               .doc = help,
                               .children = children };
    arguments given = { .name = name,
                        .metric = metric,
                        .subsets = DEFAULT_SUBSETS,
                        .size = DEFAULT_SIZE,
                        .neighbours = DEFAULT_NEIGHBOURS };
    ddpm_command_parse(&argp, &eval_common_argp, argc, argv, &given);
    return eval_run(perform, &given, &given.common);
}

int eval_fid(int argc, char **argv)
{
    return judge(argc, argv, NULL,
                 "The Frechet distance between two sets of features; FID, where these are of a "
                 "protocol that is called so.\vA file is HDF5 with /features [N,D] and its "
                 "attribute protocol, or .npz with features, or with mu and sigma; with --network "
                 "also a data set, or what ddpm-sample wrote, of which the network makes features.",
                 "fid", fid);
}

int eval_kid(int argc, char **argv)
{
    return judge(argc, argv, kid_options, "The kernel distance between two sets of features.",
                 "kid", kid);
}

int eval_prdc(int argc, char **argv)
{
    return judge(argc, argv, prdc_options,
                 "Precision, recall, density and coverage by two sets of features.", "prdc", prdc);
}
