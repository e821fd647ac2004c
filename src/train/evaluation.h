/* Judging weights on images that are not trained on, by all ranks: the loss of the run's own
 * objective, without dropout and with every label, and bits a dimension by the variational bound.
 *
 * The work is cut into calls of the network, each of a batch of DDPM_BPD_BATCH images, keyed by
 * index, that the ranks take in turn; the sums go over them in order. So the numbers are the same,
 * bit for bit, on any number of ranks and threads, and bits/dim are those of ddpm-eval bpd with the
 * same settings. Ranks wait for each other after each call: one that is to stop stops all. */
#ifndef DDPM_TRAIN_EVALUATION_H
#define DDPM_TRAIN_EVALUATION_H
#include "ddpm/base/config.h"
#include "ddpm/data/dataset.h"
#include "ddpm/diffusion/held_out.h"
#include "ddpm/dist/comm.h"
#include "ddpm/nn/unet.h"

typedef struct ddpm_evaluator ddpm_evaluator;

typedef struct {
    size_t images;
    ddpm_held_out_loss loss;
    size_t draws; /* of the bound, an image; 0: it was not evaluated, and the rest is 0 */
    ddpm_bpd_estimate bits, prior, decoder; /* in all; L_T; L_0 */
    double middle[DDPM_QUARTILES];          /* L_1 .. L_{T-1} by quarter of T */
} ddpm_evaluation;

/* Opens eval.data; `config` (image size known) must outlive it. DDPM_ECONFIG: its images are not
 * like those of the training set; DDPM_ENOINPUT, DDPM_EDATA, DDPM_EOS. The caller owns *out. */
DDPM_NODISCARD ddpm_status ddpm_train__evaluator_create(ddpm_evaluator **out,
                                                        const ddpm_config *config,
                                                        const ddpm_dataset_info *training);
void ddpm_train__evaluator_free(ddpm_evaluator *evaluator); /* takes NULL */
const ddpm_dataset_info *ddpm_train__evaluator_data(const ddpm_evaluator *evaluator);
size_t ddpm_train__evaluator_images(const ddpm_evaluator *evaluator);
uint64_t ddpm_train__evaluator_data_bytes(const ddpm_evaluator *evaluator);

/* ddpm_share.go_on: false on any rank ends all with DDPM_EAGAIN. */
typedef bool ddpm_evaluation_may_go_on(void *context);
/* Judges `weights` (flat, the same on all ranks); *out is filled on rank 0. Takes the memory of a
 * network meanwhile. DDPM_EOS, DDPM_EIO, DDPM_EDATA; the same outcome on every rank. Collective. */
DDPM_NODISCARD ddpm_status ddpm_train__evaluator_run(ddpm_evaluation *out,
                                                     ddpm_evaluator *evaluator, ddpm_comm *comm,
                                                     const float *weights,
                                                     ddpm_evaluation_may_go_on *may_go_on,
                                                     void *context);

/* Bytes of rank 0, which takes most, of `ranks`: of the network, and of all else but the data.
 * `images` are those of eval.data; 0: not known. DDPM_ECONFIG. */
DDPM_NODISCARD ddpm_status ddpm_train__evaluation_needs(uint64_t *network_bytes,
                                                        uint64_t *scratch_bytes,
                                                        const ddpm_config *config,
                                                        const ddpm_unet_config *unet,
                                                        uint64_t images, int ranks);
#endif
