/** @file safetensors.h  Little-endian numbers of safetensors as float32, wherever they lie. */
#ifndef SAFETENSORS_H
#define SAFETENSORS_H
#include "ddpm/io/safetensors.h"

#include <stdbool.h>

typedef void safetensors_convert(float *to, const unsigned char *from, size_t count);
safetensors_convert safetensors_from_f32, safetensors_from_f16, safetensors_from_bf16,
    safetensors_from_f64;
#endif
