/* Residual block (Ho et al. 2020, appendix B), [N,H,W,C]:
 *   x = [h, skip]                joined along channels, where there is a skip
 *   a = silu(norm1(x))
 *   u = conv1(a) + proj          proj = time_emb_proj(e), e = silu(temb), to every pixel
 *   b = drop(silu(norm2(u)))
 *   y = conv2(b) + r             r = shortcut(x), 1x1, where channels change, else x itself
 * Kept for the backward pass: u, and mean and rstd of the norms. Done again there, unless
 * build->keep: x, a, b and the mask of drop. */
#ifndef DDPM_NN_RESBLOCK_H
#define DDPM_NN_RESBLOCK_H
#include "layers.h"

typedef struct {
    ddpm_shape in;     /* of h */
    size_t skip;       /* channels of the skip; 0: none */
    size_t out, width; /* channels of y; of e */
    size_t groups;
    float epsilon, dropout;
    uint32_t layer; /* stream of dropout's random numbers: the block's number in the network */
} ddpm_nn__resblock_config;

typedef struct {
    ddpm_nn__resblock_config config;
    ddpm_nn__norm norm1, norm2;
    ddpm_nn__conv conv1, conv2;
    ddpm_nn__linear time_emb_proj, shortcut;
    bool has_shortcut;
    ddpm_dropout drop;
    size_t u;  /* buffer, kept */
    bool kept; /* so are x, a, b and the mask of drop */
    struct {
        size_t x, a, proj, b, mask;
    } forward, backward; /* buffers of one step */
} ddpm_nn__resblock;

void ddpm_nn__resblock_add(ddpm_nn__resblock *block, ddpm_nn__build *build, const char *prefix,
                           const ddpm_nn__resblock_config *config);
void ddpm_nn__resblock_free(ddpm_nn__resblock *block);
/* y [N,H,W,out]; h [N,H,W,C]; skip [N,H,W,skip] or NULL; e [N,width]. */
void ddpm_nn__resblock_forward(float *y, const float *h, const float *skip, const float *e,
                               const ddpm_nn__resblock *block, const ddpm_nn__run *run);
/* dh is overwritten; dskip (NULL where there is none) and de are added to. */
void ddpm_nn__resblock_backward(float *dh, float *dskip, float *de, const float *dy, const float *h,
                                const float *skip, const float *e, const ddpm_nn__resblock *block,
                                const ddpm_nn__run *run);
#endif
