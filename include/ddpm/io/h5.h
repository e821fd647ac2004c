/** @file io/h5.h
 *  HDF5 with checked calls and limits; the only header of ours behind which HDF5 is seen. Files
 *  of strangers are opened read-only, and before anything is allocated a dataset's claim (rank,
 *  size, type, layout) is held against what the caller allows: no external storage, no links that
 *  leave the file, no filters but deflate, shuffle and Fletcher32, nothing unallocated. */
#ifndef DDPM_IO_H5_H
#define DDPM_IO_H5_H
#include "ddpm/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ddpm_h5 ddpm_h5; /**< an open file, on disk or in memory */

enum { DDPM_H5_RANK = 6, DDPM_H5_ROW_CACHE_BYTES = 1 << 24 /**< of decoded chunks, a file */ };
typedef enum {
    DDPM_H5_U8,
    DDPM_H5_F32,
    DDPM_H5_F64,
    DDPM_H5_I64,
    DDPM_H5_U64,
    DDPM_H5_OTHER
} ddpm_h5_type;

typedef struct {
    ddpm_h5_type type; /**< of the elements in the file */
    size_t rank, size[DDPM_H5_RANK], count;
    size_t chunk_rows; /**< of the first dimension; 0: contiguous */
} ddpm_h5_info;

/** An existing file, read-only. DDPM_ENOINPUT, DDPM_EDATA. */
DDPM_NODISCARD ddpm_status ddpm_h5_open(ddpm_h5 **out, const char *path);
/** A file image in memory, read-only; not copied: it must stay as it is until ddpm_h5_close. `name`
 *  for messages. */
DDPM_NODISCARD ddpm_status ddpm_h5_open_image(ddpm_h5 **out, const void *image, size_t bytes,
                                              const char *name);
/** A new file in memory with a 512-byte user block; ddpm_h5_image takes it out. */
DDPM_NODISCARD ddpm_status ddpm_h5_create_image(ddpm_h5 **out, const char *name);
/** A new file on disk under a temporary name; ddpm_h5_publish gives it its name. For datasets,
 *  which may be larger than memory. */
DDPM_NODISCARD ddpm_status ddpm_h5_create(ddpm_h5 **out, const char *path);
/** Closes and renames durably. On failure the temporary file is removed. Frees file in any case. */
DDPM_NODISCARD ddpm_status ddpm_h5_publish(ddpm_h5 *file);
/** The bytes of a file made by ddpm_h5_create_image, malloc'ed. */
DDPM_NODISCARD ddpm_status ddpm_h5_image(ddpm_h5 *file, void **image, size_t *bytes);
void ddpm_h5_close(ddpm_h5 *file); /**< takes NULL; drops an unpublished file */
const char *ddpm_h5_name(const ddpm_h5 *file);

/** Object paths are absolute ("/model/conv_in.weight"); groups are made as needed when writing. */
bool ddpm_h5_exists(ddpm_h5 *file, const char *object);
DDPM_NODISCARD ddpm_status ddpm_h5_info_of(ddpm_h5_info *info, ddpm_h5 *file, const char *object);
/** Calls visit for each dataset below a group, in order of names. */
typedef ddpm_status ddpm_h5_visit(const char *object, const ddpm_h5_info *info, void *context);
DDPM_NODISCARD ddpm_status ddpm_h5_each(ddpm_h5 *file, const char *group, ddpm_h5_visit *visit,
                                        void *context);

/** Whole datasets. Reading converts to the type asked for; `count` must be what the file has, and
 *  DDPM_EDATA otherwise. Writing makes a contiguous dataset, with its XXH3-64 as an attribute. */
DDPM_NODISCARD ddpm_status ddpm_h5_read(ddpm_h5 *file, const char *object, ddpm_h5_type type,
                                        void *data, size_t count);
DDPM_NODISCARD ddpm_status ddpm_h5_write(ddpm_h5 *file, const char *object, ddpm_h5_type type,
                                         const void *data, size_t rank, const size_t *size);
/** A text as a scalar dataset: fixed-length UTF-8. Reading: malloc'ed, DDPM_EDATA where it is
 *  none. */
DDPM_NODISCARD ddpm_status ddpm_h5_write_text(ddpm_h5 *file, const char *object, const char *text);
DDPM_NODISCARD ddpm_status ddpm_h5_read_text(ddpm_h5 *file, const char *object, char **text);
/** Rows first .. first+count-1 of the first dimension. */
DDPM_NODISCARD ddpm_status ddpm_h5_read_rows(ddpm_h5 *file, const char *object, ddpm_h5_type type,
                                             void *data, size_t first, size_t count);
/** An extendible chunked dataset with Fletcher32 and deflate (level 0: none), then rows at its
 *  end. */
DDPM_NODISCARD ddpm_status ddpm_h5_create_rows(ddpm_h5 *file, const char *object, ddpm_h5_type type,
                                               size_t rank, const size_t *row_size,
                                               size_t chunk_rows, int deflate);
DDPM_NODISCARD ddpm_status ddpm_h5_append_rows(ddpm_h5 *file, const char *object, ddpm_h5_type type,
                                               const void *data, size_t count);

/** Attributes of any object ("/" is the file). Text is fixed-length ASCII or UTF-8 on writing,
 *  either kind on reading; malloc'ed. */
DDPM_NODISCARD ddpm_status ddpm_h5_attribute_text(ddpm_h5 *file, const char *object,
                                                  const char *name, char **text);
DDPM_NODISCARD ddpm_status ddpm_h5_attribute(ddpm_h5 *file, const char *object, const char *name,
                                             ddpm_h5_type type, void *data, size_t count);
bool ddpm_h5_has_attribute(ddpm_h5 *file, const char *object, const char *name);
DDPM_NODISCARD ddpm_status ddpm_h5_set_attribute_text(ddpm_h5 *file, const char *object,
                                                      const char *name, const char *text);
DDPM_NODISCARD ddpm_status ddpm_h5_set_attribute(ddpm_h5 *file, const char *object,
                                                 const char *name, ddpm_h5_type type,
                                                 const void *data, size_t count);
#endif
