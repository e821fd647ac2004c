/** @file h5_private.h  What the files of h5 share. */
#ifndef H5_PRIVATE_H
#define H5_PRIVATE_H
#include "ddpm/io/h5.h"
#include "publish.h"

#include <hdf5.h>

enum {
    DDPM_H5_PATH_BYTES = 1024,     /**< of an object's path, with its 0 */
    DDPM_H5_CHUNK_BYTES = 1 << 30, /**< the largest chunk that is read */
    DDPM_H5_INFLATION = 1100       /**< deflate makes at most 1032 bytes of one */
};

typedef enum { DDPM_H5_READS, DDPM_H5_WRITES_IMAGE, DDPM_H5_WRITES_DISK } ddpm_h5_kind;

struct ddpm_h5 {
    hid_t file; /**< H5I_INVALID_HID once an image is taken out */
    char *name;
    ddpm_h5_kind kind;
    ddpm_io__publish publish; /**< of a file on disk that is written */
    void *image;              /**< of a file in memory: what HDF5 left when it closed */
    void *borrowed;           /**< of a file in memory that is read: the caller's */
    /* The dataset that rows were last read from or added to stays open, with its chunk cache. */
    hid_t rows;
    char rows_object[DDPM_H5_PATH_BYTES];
    ddpm_h5_info rows_info;
};

/** Holds HDF5 until the end of the enclosing block. Not every build of HDF5 is thread-safe, and a
 *  prefetch thread reads data while another thread writes a checkpoint. Recursive. Where HDF5
 *  crashes meanwhile over a file that is read, that is told, and the process ends (h5_crash.c). */
#define H5_HELD(file)                                                                              \
    __attribute__((cleanup(ddpm_h5__leave), unused))                                               \
    const ddpm_h5__held held_here = ddpm_h5__enter(file)
typedef struct {
    const char *before; /**< what this thread was reading; NULL: nothing */
} ddpm_h5__held;
ddpm_h5__held ddpm_h5__enter(const ddpm_h5 *file);
void ddpm_h5__leave(const ddpm_h5__held *held);

/** From now on, while this thread reads a file of this name, a crash is the file's. NULL: it is
 * not. Returns the name before. */
const char *ddpm_h5__blame(const char *name);
/** For the whole process, once. */
void ddpm_h5__catch_crashes(void);

/** A failure of HDF5: "name: <what was done> (HDF5: its innermost reason)". Where the operating
 *  system failed to read or write, the status is DDPM_EIO whatever `status` is. */
#define h5_fail(file, status, ...)                                                                 \
    ddpm_h5__fail_at(__FILE__, __LINE__, (file), (status), __VA_ARGS__)
DDPM_PRINTF(5, 6)
DDPM_NODISCARD ddpm_status ddpm_h5__fail_at(const char *source, int line, const ddpm_h5 *file,
                                            ddpm_status status, const char *format, ...);

/** Whether an object is there, reached by hard links alone; any other link on the way is
 *  DDPM_EDATA. */
DDPM_NODISCARD ddpm_status ddpm_h5__find(bool *found, const ddpm_h5 *file, const char *object);
/** DDPM_EDATA where it is not there. */
DDPM_NODISCARD ddpm_status ddpm_h5__require(const ddpm_h5 *file, const char *object);
/** Makes the groups above an object. */
DDPM_NODISCARD ddpm_status ddpm_h5__make_parents(const ddpm_h5 *file, const char *object);
/** Opens a dataset and believes what it claims: layout, filters, storage, size. */
DDPM_NODISCARD ddpm_status ddpm_h5__open_dataset(hid_t *dataset, ddpm_h5_info *info,
                                                 const ddpm_h5 *file, const char *object);

ddpm_h5_type ddpm_h5__type_of(hid_t type);
/** The type in memory, and in the file (little-endian); never DDPM_H5_OTHER. */
hid_t ddpm_h5__memory_type(ddpm_h5_type type);
hid_t ddpm_h5__file_type(ddpm_h5_type type);
size_t ddpm_h5__type_bytes(ddpm_h5_type type);
/** DDPM_EDATA unless every value of the type in the file has a value of the type in memory. */
DDPM_NODISCARD ddpm_status ddpm_h5__convertible(const ddpm_h5 *file, const char *object,
                                                hid_t in_file, ddpm_h5_type in_memory);
const char *ddpm_h5__type_name(ddpm_h5_type type);
/** Closes the dataset that was kept for rows. */
void ddpm_h5__forget_rows(ddpm_h5 *file);
#endif
