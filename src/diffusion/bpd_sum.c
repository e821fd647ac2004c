#include "bpd_unit.h"

#include <math.h>
#include <stdlib.h>

/* Sums over images of a value and of its square. */
typedef struct {
    double sum, squares;
} moments;

static void add(moments *m, double value)
{
    m->sum += value;
    m->squares += value * value;
}

static ddpm_bpd_estimate estimate(moments m, size_t images)
{
    const double n = (double)images, mean = m.sum / n;
    const double variance = fmax(m.squares / n - mean * mean, 0.0);
    return (ddpm_bpd_estimate){ mean, images > 1 ? sqrt(variance / (n - 1.0)) : (double)NAN };
}

typedef struct {
    moments total, prior, middle, decoder;
    double quarter[DDPM_QUARTILES];
} parts;

/* The images of a batch, each over its segments. */
static void add_images(parts *to, const double **segment, size_t segments,
                       const ddpm_bpd_options *options)
{
    const size_t count = (size_t)segment[0][BPD_COUNT], at = bpd_images_at(options);
    for (size_t s = 0; s < segments; s++)
        for (size_t q = 0; q < DDPM_QUARTILES; q++) to->quarter[q] += segment[s][BPD_QUARTERS + q];
    for (size_t i = 0; i < count; i++) {
        const double *first = segment[0] + at + i * BPD_IMAGE_VALUES;
        double bits = 0.0;
        for (size_t s = 0; s < segments; s++)
            bits += segment[s][at + i * BPD_IMAGE_VALUES + BPD_IMAGE_BITS];
        add(&to->total, bits + first[BPD_IMAGE_PRIOR]);
        add(&to->prior, first[BPD_IMAGE_PRIOR]);
        add(&to->decoder, first[BPD_IMAGE_DECODER]);
        add(&to->middle, bits - first[BPD_IMAGE_DECODER]);
    }
}

static void add_terms(moments *bits, double *mse, const double **segment, size_t segments,
                      const ddpm_bpd_options *options)
{
    for (size_t s = 0; s < segments; s++)
        for (size_t k = 0; k < bpd_segment_strata(options, s); k++) {
            const double *sums = segment[s] + BPD_STRATA + k * BPD_STRATUM_VALUES;
            const size_t term = s * bpd_segment_most(options) + k;
            bits[term].sum += sums[BPD_BITS];
            bits[term].squares += sums[BPD_SQUARES];
            mse[term] += sums[BPD_MSE];
        }
}

/* Known at timestep t is L_T and all terms above t; of a stratum the mean over its timesteps, as if
 * its terms were of one size: (count - 1) / (2 count) of it. */
static void fill_rates(ddpm_bpd_summary *summary)
{
    double above = summary->prior.mean;
    for (size_t k = summary->terms; k-- > 0;) {
        ddpm_bpd_term *term = &summary->term[k];
        const double count = (double)term->stratum.count;
        term->rate = above + term->bits.mean * (count - 1.0) / (2.0 * count);
        term->rmse = 127.5 * sqrt(term->mse);
        above += term->bits.mean;
    }
}

/* The numbers of a batch's segments; the first that is missing, or `segments`. */
static size_t find_segments(const double **segment, size_t segments, size_t batch,
                            ddpm_bpd_units *units, void *context)
{
    for (size_t s = 0; s < segments; s++) {
        segment[s] = units(batch * segments + s, context);
        if (!segment[s]) return s;
    }
    return segments;
}

static void fill_summary(ddpm_bpd_summary *summary, const parts *sums, const moments *bits,
                         const double *mse, const ddpm_bpd_options *options)
{
    const size_t images = summary->images;
    summary->total = estimate(sums->total, images);
    summary->prior = estimate(sums->prior, images);
    summary->middle = estimate(sums->middle, images);
    summary->decoder = estimate(sums->decoder, images);
    for (size_t q = 0; q < DDPM_QUARTILES; q++)
        summary->quarter[q] = sums->quarter[q] / (double)images;
    for (size_t k = 0; k < summary->terms; k++)
        summary->term[k] = (ddpm_bpd_term){ .stratum = options->strata[k],
                                            .bits = estimate(bits[k], images),
                                            .mse = mse[k] / (double)images };
    fill_rates(summary);
}

ddpm_status ddpm_bpd_sum(ddpm_bpd_summary *summary, size_t batches, ddpm_bpd_units *units,
                         void *context, const ddpm_bpd_options *options)
{
    const size_t terms = options->strata_count, segments = ddpm_bpd_segments(options);
    *summary = (ddpm_bpd_summary){ .terms = terms, .term = calloc(terms, sizeof *summary->term) };
    moments *bits = calloc(terms, sizeof *bits);
    double *mse = calloc(terms, sizeof *mse);
    const double **segment = calloc(segments, sizeof *segment);
    parts sums = { 0 };
    ddpm_status status = DDPM_OK;
    if (!summary->term || !bits || !mse || !segment) {
        status = ddpm_fail(DDPM_EOS, "out of memory");
        goto done;
    }
    for (size_t b = 0; b < batches; b++) {
        const size_t missing = find_segments(segment, segments, b, units, context);
        if (missing < segments) {
            status = ddpm_fail(DDPM_EINTERNAL, "unit %zu of the bound is missing",
                               b * segments + missing);
            goto done;
        }
        summary->images += (size_t)segment[0][BPD_COUNT];
        add_images(&sums, segment, segments, options);
        add_terms(bits, mse, segment, segments, options);
    }
    fill_summary(summary, &sums, bits, mse, options);
done:
    if (status != DDPM_OK) ddpm_bpd_summary_free(summary);
    free(bits);
    free(mse);
    free(segment);
    return status;
}

void ddpm_bpd_summary_free(ddpm_bpd_summary *summary)
{
    free(summary->term);
    *summary = (ddpm_bpd_summary){ 0 };
}
