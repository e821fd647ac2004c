/* The table of configuration keys. Everything that knows the keys reads it here. */
#include "ddpm/base/config.h"

#include <float.h>

#define KEY(section, key) #section "." #key
#define AT(section, key)  offsetof(ddpm_config, section.key)
#define INT(section, key, standard, min, max, fixed, help)                                         \
    {                                                                                              \
        KEY(section, key), DDPM_KEY_INT, AT(section, key), standard, min, max, NULL, fixed, help   \
    }
#define REAL(section, key, standard, min, max, fixed, help)                                        \
    {                                                                                              \
        KEY(section, key), DDPM_KEY_REAL, AT(section, key), standard, min, max, NULL, fixed, help  \
    }
#define BOOL(section, key, standard, fixed, help)                                                  \
    {                                                                                              \
        KEY(section, key), DDPM_KEY_BOOL, AT(section, key), standard, 0, 0, NULL, fixed, help      \
    }
#define TEXT(section, key, standard, fixed, help)                                                  \
    {                                                                                              \
        KEY(section, key), DDPM_KEY_TEXT, AT(section, key), standard, 0, 0, NULL, fixed, help      \
    }
#define CHOICE(section, key, standard, choices, fixed, help)                                       \
    {                                                                                              \
        KEY(section, key), DDPM_KEY_CHOICE, AT(section, key), standard, 0, 0, choices, fixed, help \
    }
#define TIME(section, key, standard, fixed, help)                                                  \
    {                                                                                              \
        KEY(section, key), DDPM_KEY_DURATION, AT(section, key), standard, 0, 1e9, NULL, fixed,     \
            help                                                                                   \
    }
#define INTS(section, key, standard, min, max, fixed, help)                                        \
    {                                                                                              \
        KEY(section, key), DDPM_KEY_INT_LIST, AT(section, key), standard, min, max, NULL, fixed,   \
            help                                                                                   \
    }
#define REALS(section, key, standard, min, max, fixed, help)                                       \
    {                                                                                              \
        KEY(section, key), DDPM_KEY_REAL_LIST, AT(section, key), standard, min, max, NULL, fixed,  \
            help                                                                                   \
    }

/* Whole numbers up to 2^53 pass through double unharmed. */
#define MOST 0x1p53

// clang-format off
const ddpm_config_key ddpm_config_keys[] = {
    TEXT(data, path, "", false,
         "dataset file made by ddpm-data"),
    BOOL(data, flip, "false", true,
         "mirror every image left-right with probability 1/2"),
    INT(data, prefetch, "4", 1, 1024, false,
        "micro-batches read ahead of the training by a thread"),

    INT(model, image_size, "0", 0, 65536, true,
        "height of the images in pixels; 0: the data's"),
    INT(model, image_width, "0", 0, 65536, true,
        "width of the images in pixels; 0: the data's, or the height"),
    INT(model, image_channels, "0", 0, 4096, true,
        "channels of the images; 0: the data's"),
    INT(model, channels, "128", 1, 65536, true,
        "base channels of the U-Net"),
    INTS(model, channel_mult, "1,2,2,2", 1, 1024, true,
         "channels of each level, in units of model.channels; one level a number"),
    INT(model, blocks, "2", 1, 64, true,
        "residual blocks a level on the way down; one more on the way up"),
    INTS(model, attention, "16", 1, 65536, true,
         "heights of the levels that have attention blocks; may be empty (the middle always has one)"),
    REAL(model, dropout, "0.1", 0, 0.99, true,
         "probability to drop an activation in a residual block"),
    INT(model, groups, "32", 1, 4096, true,
        "groups of GroupNorm; must divide the channels of every level"),

    INT(model, classes, "0", 0, 1000000, true,
        "classes that the network is told apart by the data's labels; 0: it is not told"),

    INT(diffusion, steps, "1000", 1, 1000000, true,
        "T, the number of noising steps"),
    CHOICE(diffusion, process, "diffusion", "diffusion flow", true,
           "the noising process; flow: the rectified flow x_t = (1 - t) x_0 + t eps"),
    CHOICE(diffusion, schedule, "linear", "linear cosine quad const warmup10 warmup50 jsd", true,
           "how beta grows from beta_start to beta_end"),
    REAL(diffusion, beta_start, "0.0001", DBL_MIN, 1, true,
         "beta of the first step"),
    REAL(diffusion, beta_end, "0.02", DBL_MIN, 1, true,
         "beta of the last step"),

    CHOICE(objective, prediction, "auto", "auto eps x0 xprev v velocity", true,
           "what the network predicts; auto: eps, or the velocity of a flow"),
    CHOICE(objective, loss, "mse", "mse kl hybrid", true,
           "mse: L_simple; kl: the variational bound; hybrid: mse, and the bound for the variance"),
    CHOICE(objective, variance, "fixedlarge", "fixedlarge fixedsmall learned learned_range", true,
           "variance of the reverse process; the learned ones need loss kl or hybrid"),
    REAL(objective, min_snr, "0", 0, 1e6, true,
         "gamma of min-SNR weighting (5 is usual); 0: all timesteps weigh the same"),
    CHOICE(objective, timesteps, "stratified", "uniform stratified importance logit_normal", true,
           "noise levels of training images; stratified: a batch has one in each of train.batch equal parts"),

    INT(train, batch, "128", 1, MOST, true,
        "images a step, over all ranks"),
    INT(train, micro_batch, "8", 1, 65536, true,
        "images that a rank works on at once; part of the result, unlike the number of ranks"),
    INT(train, steps, "800000", 0, MOST, false,
        "optimiser steps until the run is done"),
    TIME(train, time_limit, "0", false,
         "training time after which the run is done (90, 5m, 2h, 1d12h, 1:30:00); 0: none"),
    TIME(train, wall_clock, "0", false,
         "time that one job has, from its start; it saves and ends with 75 before; 0: SLURM's limit, if any"),
    TIME(train, wall_clock_margin, "1m", false,
         "how long before the end of the job, in addition to a step and a checkpoint, it stops"),
    REAL(train, label_dropout, "0.1", 0, 1, true,
         "with model.classes: probability that an image's class is withheld, for guidance"),
    REAL(train, lr, "0.0002", 0, 1e6, true,
         "Adam's learning rate after the warm-up"),
    INT(train, warmup, "5000", 0, MOST, true,
        "steps over which the learning rate grows linearly from 0; 0: none"),
    REAL(train, clip, "1", 0, 1e30, true,
         "largest norm of the whole gradient; 0: no clipping"),
    REAL(train, beta1, "0.9", 0, 0.999999999, true,
         "Adam's decay of the first moment"),
    REAL(train, beta2, "0.999", 0, 0.999999999, true,
         "Adam's decay of the second moment"),
    REAL(train, epsilon, "1e-08", DBL_MIN, 1, true,
         "Adam's epsilon"),
    INT(train, seed, "0", 0, MOST, true,
        "seed of everything random"),
    BOOL(train, recompute, "true", false,
         "compute cheap activations again in the backward pass instead of keeping them"),
    CHOICE(train, precision, "fp32", "fp32 bf16", true,
           "factors of matrix products in training: float32, or rounded to bfloat16"),
    INT(train, threads, "0", 0, 4096, false,
        "threads a rank; 0: the cores it may use, shared with the ranks of its node"),

    INT(train, audit_every, "100", 0, MOST, false,
        "steps between comparisons of all ranks' weights and averages; 0: at checkpoints only"),

    REALS(ema, rates, "0.9999", 0, 0.999999999999, true,
          "decays of the moving averages of the weights; the first one is sampled from"),

    INT(checkpoint, every, "5000", 1, MOST, false,
        "steps between checkpoints; the last step always gets one"),
    INT(checkpoint, keep, "3", 2, 1000000, false,
        "newest checkpoints that are kept"),
    INT(checkpoint, keep_every, "0", 0, MOST, false,
        "steps divisible by this are kept for good; 0: none"),
    INT(checkpoint, attempts, "5", 1, 1000, false,
        "failed checkpoints in a row after which the run gives up"),
    TIME(checkpoint, retry, "10", false,
         "pause after the first failed checkpoint; it doubles with each further one"),

    INT(sample, every, "5000", 0, MOST, false,
        "steps between sample grids; 0: none"),
    INT(sample, count, "64", 1, 4096, false,
        "images of a grid"),
    CHOICE(sample, sampler, "auto", "auto ddpm ddim dpm++ heun euler", false,
           "sampler of the grids; auto: ddim, or euler along a flow"),
    INT(sample, steps, "50", 1, 1000000, false,
        "steps of that sampler"),
    REAL(sample, eta, "0", 0, 1, false,
         "DDIM's eta: 0 deterministic, 1 as noisy as the ancestral sampler"),

    INT(eval, every, "0", 0, MOST, false,
        "steps between evaluations on images that are not trained on; the last step gets one too; 0: none"),
    TEXT(eval, data, "", false,
         "data set file of these images"),
    INT(eval, images, "1000", 0, MOST, false,
        "how many of its images, from the first; 0: all"),
    INT(eval, draws, "20", 0, 1000000, false,
        "evaluations of the variational bound an image, as of ddpm-eval bpd; at most diffusion.steps; 0: no bits/dim"),
    CHOICE(eval, metric, "loss", "loss bpd none", false,
           "what the best checkpoint, which is kept, is told by; none: none is"),

    CHOICE(dist, allreduce, "tree", "tree mpi", true,
           "how gradients are summed over ranks; mpi: by MPI_Allreduce, other bits on other numbers of ranks"),
    BOOL(dist, overlap, "true", false,
         "communicate in a thread while the backward pass computes"),
    BOOL(dist, shared_memory, "true", false,
         "on several nodes, ranks of a node add up in shared memory before anything goes over the network"),
    BOOL(dist, sharded_optimizer, "false", false,
         "each rank keeps Adam's moments and the averages of its share of the weights only"),
    TIME(dist, timeout, "2m", false,
         "a job without progress for this long, and for 20 median steps, is ended; 0: never"),
    REAL(dist, straggler, "1.5", 0, 1000, false,
         "a rank that needs so many times the median rank's time is warned about; 0: never"),
    BOOL(dist, check_collectives, "false", false,
         "for debugging: compare the sequence of collective calls of all ranks before each of them"),

    INT(log, every, "100", 1, MOST, false,
        "steps between lines of the log and of metrics.jsonl"),
};
// clang-format on

const size_t ddpm_config_key_count = sizeof ddpm_config_keys / sizeof *ddpm_config_keys;
_Static_assert(sizeof ddpm_config_keys / sizeof *ddpm_config_keys <= DDPM_CONFIG_KEYS,
               "ddpm_config.source has room for every key");
