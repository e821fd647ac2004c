/** @file weights.h
 *  Golden networks: their configuration, and their tensors between diffusers' storage order (OIHW
 *  convolutions, [out,in] linear layers) and ours (HWIO, [in,out]). Every function fails the
 *  running test where something is missing or of another size. */
#ifndef WEIGHTS_H
#define WEIGHTS_H
#include "golden.h"

#include "ddpm/nn/params.h"
#include "ddpm/nn/unet.h"

/** A scalar attribute of `group`. */
double golden_real(golden *file, const char *name, const char *group);
size_t golden_number(golden *file, const char *name, const char *group);

/** From the attributes of `group` ("tiny"); no dropout. */
ddpm_unet_config load_golden_config(golden *file, const char *group);

/** Every tensor <group>/<name> into flat [params->total]; padding becomes 0. */
void load_golden_weights(golden *file, const char *group, const ddpm_params *params, float *flat);
/** One tensor <group>/<row->name> in our order, in double, malloc'ed. */
double *golden_tensor(golden *file, const char *group, const ddpm_param *row);

/** theirs[count] of diffusers from ours[count]. */
void to_diffusers(float *theirs, const float *ours, const ddpm_param *row);
#endif
