/** @file io/safetensors.h
 *  Tensors out of a file in the format safetensors: 8 bytes of length, a JSON header, the data. The
 *  header is a stranger's: before a tensor is believed in, its numbers are held against the file,
 *  and all tensors against each other. */
#ifndef DDPM_IO_SAFETENSORS_H
#define DDPM_IO_SAFETENSORS_H
#include "ddpm/base/status.h"

#include <stddef.h>

enum {
    DDPM_SAFETENSORS_RANK = 8,
    DDPM_SAFETENSORS_HEADER_BYTES = 1 << 22, /**< the largest header that is read */
    DDPM_SAFETENSORS_NAME_BYTES = 256        /**< of a tensor, with its 0 */
};

typedef struct ddpm_safetensors ddpm_safetensors;

typedef struct {
    const char *name;  /**< the file's, as long as it is open */
    const char *dtype; /**< "F32" */
    size_t rank, size[DDPM_SAFETENSORS_RANK], count;
} ddpm_safetensors_info;

/** A whole file in memory; not copied: it must stay as it is until ddpm_safetensors_close. `name`
 *  for messages. DDPM_EDATA: bad JSON, a tensor that is twice there, a type or shape that is none,
 *  data that do not have the size of the shape, lie outside, overlap or leave holes. */
DDPM_NODISCARD ddpm_status ddpm_safetensors_open_image(ddpm_safetensors **out, const void *image,
                                                       size_t bytes, const char *name);
void ddpm_safetensors_close(ddpm_safetensors *file); /**< takes NULL */
size_t ddpm_safetensors_count(const ddpm_safetensors *file);
/** In the order of their data. */
ddpm_safetensors_info ddpm_safetensors_get(const ddpm_safetensors *file, size_t index);
/** The index of a tensor; ddpm_safetensors_count(file) where there is none of this name. */
size_t ddpm_safetensors_find(const ddpm_safetensors *file, const char *name);
/** Its numbers as float32, data [count]; of F32, F16, BF16 or F64 (rounded). DDPM_EDATA: of another
 *  type. */
DDPM_NODISCARD ddpm_status ddpm_safetensors_read(const ddpm_safetensors *file, size_t index,
                                                 float *data);
#endif
