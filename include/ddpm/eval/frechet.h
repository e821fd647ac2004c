/** @file eval/frechet.h
 *  Distances between sets of feature vectors. What they are called depends on the features: only
 *  those of a named protocol give an FID (features.h).
 *
 *  Where a communicator is taken the call is collective: every rank has all features, they share
 * the work and come to the same bits, whatever their number. NULL: this process alone. */
#ifndef DDPM_EVAL_FRECHET_H
#define DDPM_EVAL_FRECHET_H
#include "ddpm/dist/comm.h"

/** Mean [D] and covariance [D,D] (divided by n - 1, as numpy's cov). */
typedef struct {
    size_t d, n; /**< n 0: not known */
    double *mean, *covariance;
} ddpm_feature_stats;
/** Of features [n,D], n > 1. DDPM_ECONFIG, DDPM_EOS; DDPM_EDATA: one is not finite. */
DDPM_NODISCARD ddpm_status ddpm_feature_stats_of(ddpm_feature_stats *out, const float *features,
                                                 size_t n, size_t d, ddpm_comm *comm);
void ddpm_feature_stats_free(ddpm_feature_stats *stats); /**< frees what it points to */

/** |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) (Heusel et al. 2017 eq. 6). The trace of the root is
 *  the sum of roots of the eigenvalues of S1^(1/2) S2 S1^(1/2), which is symmetric, so that it is
 *  also right where covariances have no inverse. DDPM_ECONFIG: other dimensions; DDPM_EDATA: what
 *  comes out is not finite. */
DDPM_NODISCARD ddpm_status ddpm_frechet_distance(double *distance, const ddpm_feature_stats *a,
                                                 const ddpm_feature_stats *b);

/** Kernel distance (Binkowski et al. 2018): unbiased squared MMD with the kernel (x.y / D + 1)^3,
 *  mean and standard deviation over `subsets` drawn pairs of subsets of `size` features each. */
typedef struct {
    double mean, std; /**< std: NaN of a single pair */
    size_t subsets, size;
} ddpm_kernel_distance;
/** size and subsets of *out are wishes: size is cut to the smaller set, and where both have no more
 *  than that there is one pair of subsets, which is all of both. Memory grows with the size of a
 *  subset. DDPM_EOS, DDPM_ECONFIG. */
DDPM_NODISCARD ddpm_status ddpm_kernel_distance_of(ddpm_kernel_distance *out, const float *a,
                                                   size_t a_count, const float *b, size_t b_count,
                                                   size_t d, uint64_t seed, ddpm_comm *comm);

/** Precision and recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al. 2020) by
 *  balls that reach to the k-th neighbour: exact counts, in memory that grows with the numbers of
 *  features and not with their product. DDPM_ECONFIG: k is not below both numbers; DDPM_EOS. */
typedef struct {
    double precision, recall, density, coverage;
} ddpm_prdc;
DDPM_NODISCARD ddpm_status ddpm_prdc_of(ddpm_prdc *out, const float *real, size_t real_count,
                                        const float *fake, size_t fake_count, size_t d, size_t k,
                                        ddpm_comm *comm);
#endif
