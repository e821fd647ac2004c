/* Tensors by name out of a file of either form: safetensors, or HDF5 with a dataset a tensor. */
#ifndef TENSOR_FILE_H
#define TENSOR_FILE_H
#include "ddpm/base/status.h"

#include <stddef.h>

typedef struct tensor_file tensor_file;

/* DDPM_ENOINPUT, DDPM_EDATA. The caller owns *out. */
DDPM_NODISCARD ddpm_status tensor_file_open(tensor_file **out, const char *path);
void tensor_file_close(tensor_file *file); /* takes NULL */
/* DDPM_EDATA, naming it, unless the tensor is there and of this shape. */
DDPM_NODISCARD ddpm_status tensor_file_check(const tensor_file *file, const char *name, size_t rank,
                                             const size_t *size);
/* Its numbers, as float32; of a tensor that was checked. DDPM_EDATA, naming it, where one is not
 * finite. */
DDPM_NODISCARD ddpm_status tensor_file_read(float *data, const tensor_file *file, const char *name,
                                            size_t count);
#endif
