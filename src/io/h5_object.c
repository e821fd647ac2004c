#include "h5_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of one visit: deeper or more is a file that links back to itself. */
enum { DEPTH_MOST = 16, OBJECTS_MOST = 1 << 20 };
/* Larger elements are compounds and the like, which are not read. */
enum { TYPE_BYTES_MOST = 64 };

ddpm_status ddpm_h5__find(bool *found, const ddpm_h5 *file, const char *object)
{
    *found = false;
    char prefix[DDPM_H5_PATH_BYTES];
    const size_t length = strlen(object);
    if (*object != '/' || length >= sizeof prefix)
        return ddpm_fail(DDPM_EDATA, "%s: \"%s\" is no absolute path of an object of HDF5",
                         file->name, object);
    memcpy(prefix, object, length + 1);
    for (char *end = prefix; end && end[1] != '\0';) {
        end = strchr(end + 1, '/');
        if (end) *end = '\0';
        H5L_info_t link;
        const htri_t there = H5Lexists(file->file, prefix, H5P_DEFAULT);
        if (there < 0 || (there > 0 && H5Lget_info(file->file, prefix, &link, H5P_DEFAULT) < 0))
            return h5_fail(file, DDPM_EDATA, "cannot look for %s", object);
        if (there == 0) return DDPM_OK;
        if (link.type != H5L_TYPE_HARD)
            return ddpm_fail(DDPM_EDATA,
                             "%s: %s is a soft or external link, which is not followed; store the "
                             "object itself in the file (h5copy, h5repack)",
                             file->name, prefix);
        if (end) *end = '/';
    }
    *found = true;
    return DDPM_OK;
}

ddpm_status ddpm_h5__require(const ddpm_h5 *file, const char *object)
{
    bool found;
    DDPM_TRY(ddpm_h5__find(&found, file, object));
    if (found) return DDPM_OK;
    return ddpm_fail(DDPM_EDATA, "%s has no %s", file->name, object);
}

bool ddpm_h5_exists(ddpm_h5 *file, const char *object)
{
    H5_HELD(file);
    bool found;
    return ddpm_h5__find(&found, file, object) == DDPM_OK && found;
}

ddpm_status ddpm_h5__make_parents(const ddpm_h5 *file, const char *object)
{
    char prefix[DDPM_H5_PATH_BYTES];
    assert(*object == '/' && strlen(object) < sizeof prefix);
    memcpy(prefix, object, strlen(object) + 1);
    for (char *end = strchr(prefix + 1, '/'); end; end = strchr(end + 1, '/')) {
        *end = '\0';
        if (H5Lexists(file->file, prefix, H5P_DEFAULT) <= 0) {
            const hid_t creation = H5Pcreate(H5P_GROUP_CREATE);
            H5Pset_obj_track_times(creation, false);
            const hid_t group = H5Gcreate2(file->file, prefix, H5P_DEFAULT, creation, H5P_DEFAULT);
            H5Pclose(creation);
            if (group < 0) return h5_fail(file, DDPM_EIO, "cannot make the group %s", prefix);
            H5Gclose(group);
        }
        *end = '/';
    }
    return DDPM_OK;
}

/* Filters but these three could load code, and one of them twice could inflate without bound. */
static ddpm_status check_filters(const ddpm_h5 *file, const char *object, hid_t creation)
{
    const int count = H5Pget_nfilters(creation);
    unsigned seen = 0;
    for (int i = 0; i < count; i++) {
        unsigned flags, config;
        size_t values = 0;
        const H5Z_filter_t filter = H5Pget_filter2(creation, (unsigned)i, &flags, &values, NULL, 0,
                                                   NULL, &config);
        if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE &&
            filter != H5Z_FILTER_FLETCHER32)
            return ddpm_fail(DDPM_EDATA,
                             "%s: %s is stored through filter %d; only deflate, shuffle and "
                             "Fletcher32 are read here (convert it by h5repack -f GZIP=4)",
                             file->name, object, (int)filter);
        if (seen & 1U << filter)
            return ddpm_fail(DDPM_EDATA, "%s: %s is filtered twice by filter %d", file->name,
                             object, (int)filter);
        seen |= 1U << filter;
    }
    return DDPM_OK;
}

/* Chunks, in number, that a dataset of this size is cut into; SIZE_MAX where that overflows. */
static size_t chunks_expected(const ddpm_h5_info *info, const hsize_t *chunk)
{
    size_t count = 1;
    for (size_t i = 0; i < info->rank; i++)
        if (__builtin_mul_overflow(count, (info->size[i] + chunk[i] - 1) / chunk[i], &count))
            return SIZE_MAX;
    return count;
}

/* Adds up what is stored of the chunks that the size calls for, each looked up: H5Dget_storage_size
   and H5Dget_num_chunks walk through as many as the file's index claims, for years. */
static ddpm_status add_up_chunks(hsize_t *stored, const ddpm_h5 *file, const char *object,
                                 hid_t dataset, const ddpm_h5_info *info, const hsize_t *chunk)
{
    hsize_t at[DDPM_H5_RANK] = { 0 };
    const size_t count = chunks_expected(info, chunk);
    for (size_t i = 0; i < count; i++) {
        hsize_t bytes = 0;
        if (H5Dget_chunk_storage_size(dataset, at, &bytes) < 0 || bytes == 0)
            return ddpm_fail(DDPM_EDATA, "%s: parts of %s were never written", file->name, object);
        if (__builtin_add_overflow(*stored, bytes, stored)) *stored = UINT64_MAX;
        for (size_t d = info->rank; d-- > 0; at[d] = 0) {
            at[d] += chunk[d];
            if (at[d] < info->size[d]) break;
        }
    }
    return DDPM_OK;
}

static ddpm_status read_chunk_shape(hsize_t *chunk, const ddpm_h5 *file, const char *object,
                                    hid_t creation, ddpm_h5_info *info, size_t type_bytes)
{
    hsize_t chunk_bytes = type_bytes;
    if (H5Pget_chunk(creation, DDPM_H5_RANK, chunk) != (int)info->rank)
        return h5_fail(file, DDPM_EDATA, "cannot read how %s is stored", object);
    for (size_t i = 0; i < info->rank; i++) {
        if (chunk[i] == 0)
            return ddpm_fail(DDPM_EDATA, "%s: %s has empty chunks", file->name, object);
        if (__builtin_mul_overflow(chunk_bytes, chunk[i], &chunk_bytes)) chunk_bytes = UINT64_MAX;
    }
    info->chunk_rows = (size_t)chunk[0];
    if (chunk_bytes > DDPM_H5_CHUNK_BYTES)
        return ddpm_fail(DDPM_EDATA, "%s: the chunks of %s have %llu bytes, above the limit of %d",
                         file->name, object, (unsigned long long)chunk_bytes, DDPM_H5_CHUNK_BYTES);
    return DDPM_OK;
}

/* Everything that a dataset claims is stored in this file and can come of what is stored: a few
   bytes may claim petabytes. */
static ddpm_status check_storage(const ddpm_h5 *file, const char *object, hid_t dataset,
                                 hid_t creation, ddpm_h5_info *info, size_t type_bytes)
{
    hsize_t file_bytes = 0, stored = 0, claim, chunk[DDPM_H5_RANK] = { 0 };
    H5Fget_filesize(file->file, &file_bytes);
    if (__builtin_mul_overflow(info->count, type_bytes, &claim)) claim = UINT64_MAX;
    const bool chunked = H5Pget_layout(creation) == H5D_CHUNKED;
    bool fits = true;
    if (chunked) {
        DDPM_TRY(read_chunk_shape(chunk, file, object, creation, info, type_bytes));
        /* A chunk has a byte at least: no more than that are looked up. */
        fits = chunks_expected(info, chunk) <= file_bytes;
        if (fits) DDPM_TRY(add_up_chunks(&stored, file, object, dataset, info, chunk));
    } else
        stored = H5Dget_storage_size(dataset);
    if (fits && stored <= file_bytes && claim / (chunked ? DDPM_H5_INFLATION : 1) <= stored)
        return DDPM_OK;
    return ddpm_fail(DDPM_EDATA,
                     "%s: %s claims %llu bytes, which the file (%llu bytes, %llu for it) cannot "
                     "hold",
                     file->name, object, (unsigned long long)claim, (unsigned long long)file_bytes,
                     (unsigned long long)stored);
}

static ddpm_status check_layout(const ddpm_h5 *file, const char *object, hid_t creation)
{
    const H5D_layout_t layout = H5Pget_layout(creation);
    if (layout != H5D_COMPACT && layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED)
        return ddpm_fail(DDPM_EDATA,
                         "%s: %s is a virtual dataset, made of other files; merge them by h5repack",
                         file->name, object);
    if (H5Pget_external_count(creation) != 0)
        return ddpm_fail(
            DDPM_EDATA,
            "%s: the content of %s lies in other files, which are not read; merge them "
            "by h5repack",
            file->name, object);
    return check_filters(file, object, creation);
}

static ddpm_status read_shape(ddpm_h5_info *info, const ddpm_h5 *file, const char *object,
                              hid_t dataset)
{
    hsize_t size[DDPM_H5_RANK] = { 0 };
    const hid_t space = H5Dget_space(dataset);
    const int rank = H5Sget_simple_extent_ndims(space);
    ddpm_status status = DDPM_OK;
    if (rank > DDPM_H5_RANK)
        status = ddpm_fail(DDPM_EDATA, "%s: %s has %d dimensions, more than %d", file->name, object,
                           rank, DDPM_H5_RANK);
    else if (rank < 0 || H5Sget_simple_extent_type(space) == H5S_NULL ||
             H5Sget_simple_extent_dims(space, size, NULL) < 0)
        status = h5_fail(file, DDPM_EDATA, "%s has no shape", object);
    H5Sclose(space);
    if (status != DDPM_OK) return status;
    info->rank = (size_t)rank;
    info->count = 1;
    for (size_t i = 0; i < info->rank; i++) {
        info->size[i] = (size_t)size[i];
        /* Bytes of any type must be countable too. */
        if (__builtin_mul_overflow(info->count, info->size[i], &info->count) ||
            info->count > SIZE_MAX / TYPE_BYTES_MOST)
            return ddpm_fail(DDPM_EDATA, "%s: %s claims more elements than can be counted",
                             file->name, object);
    }
    return DDPM_OK;
}

ddpm_status ddpm_h5__open_dataset(hid_t *dataset, ddpm_h5_info *info, const ddpm_h5 *file,
                                  const char *object)
{
    *info = (ddpm_h5_info){ 0 };
    DDPM_TRY(ddpm_h5__require(file, object));
    const hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    H5Pset_chunk_cache(access, 4099, DDPM_H5_ROW_CACHE_BYTES, 0.75);
    const hid_t opened = H5Dopen2(file->file, object, access);
    H5Pclose(access);
    if (opened < 0) return h5_fail(file, DDPM_EDATA, "%s cannot be opened as a dataset", object);
    const hid_t creation = H5Dget_create_plist(opened);
    ddpm_status status = check_layout(file, object, creation);
    if (status == DDPM_OK) status = read_shape(info, file, object, opened);
    if (status == DDPM_OK) {
        const hid_t type = H5Dget_type(opened);
        const size_t bytes = H5Tget_size(type);
        const bool is_text = H5Tget_class(type) == H5T_STRING;
        info->type = ddpm_h5__type_of(type);
        H5Tclose(type);
        /* A file that is being written has nothing to hide, and its chunks are not yet on disk. */
        if (file->kind == DDPM_H5_READS && (is_text || bytes <= TYPE_BYTES_MOST))
            status = check_storage(file, object, opened, creation, info, bytes);
    }
    H5Pclose(creation);
    if (status == DDPM_OK)
        *dataset = opened;
    else
        H5Dclose(opened);
    return status;
}

ddpm_status ddpm_h5_info_of(ddpm_h5_info *info, ddpm_h5 *file, const char *object)
{
    H5_HELD(file);
    hid_t dataset = H5I_INVALID_HID;
    DDPM_TRY(ddpm_h5__open_dataset(&dataset, info, file, object));
    H5Dclose(dataset);
    return DDPM_OK;
}

/* Paths of datasets, gathered before any is visited: a visitor may call HDF5. */
typedef struct {
    const ddpm_h5 *file;
    char **object;
    size_t count, capacity, seen;
    char prefix[DDPM_H5_PATH_BYTES];
    haddr_t ancestor[DEPTH_MOST]; /* groups around the one that is listed */
    int depth;
    ddpm_status status;
} gathering;

static bool is_ancestor(const gathering *all, haddr_t group)
{
    for (int d = 0; d < all->depth; d++)
        if (all->ancestor[d] == group) return true;
    return false;
}

static herr_t refuse_nesting(gathering *all)
{
    all->status = ddpm_fail(DDPM_EDATA,
                            "%s: too many or too deeply nested objects below %s; does the file "
                            "link back to itself?",
                            all->file->name, all->prefix);
    return -1;
}

static herr_t gather(hid_t group, const char *name, const H5L_info_t *link, void *context)
{
    gathering *all = context;
    const size_t length = strlen(all->prefix), more = strlen(name);
    if (link->type != H5L_TYPE_HARD) return 0;
    if (++all->seen > OBJECTS_MOST || all->depth >= DEPTH_MOST ||
        length + 1 + more >= sizeof all->prefix)
        return refuse_nesting(all);
    H5O_info_t about;
    if (H5Oget_info_by_name2(group, name, &about, H5O_INFO_BASIC, H5P_DEFAULT) < 0) {
        all->status = h5_fail(all->file, DDPM_EDATA, "cannot read %s/%s", all->prefix, name);
        return -1;
    }
    all->prefix[length] = '/';
    memcpy(all->prefix + length + 1, name, more + 1);
    herr_t result = 0;
    if (about.type == H5O_TYPE_GROUP && is_ancestor(all, about.addr)) return refuse_nesting(all);
    if (about.type == H5O_TYPE_GROUP) {
        all->ancestor[all->depth++] = about.addr;
        result = H5Literate_by_name(group, name, H5_INDEX_NAME, H5_ITER_INC, NULL, gather, all,
                                    H5P_DEFAULT);
        all->depth--;
    } else if (about.type == H5O_TYPE_DATASET) {
        if (all->count == all->capacity) {
            const size_t capacity = all->capacity ? 2 * all->capacity : 64;
            char **grown = realloc(all->object, capacity * sizeof *grown);
            if (grown) {
                all->object = grown;
                all->capacity = capacity;
            }
        }
        char *copy = all->count < all->capacity ? strdup(all->prefix) : NULL;
        if (copy)
            all->object[all->count++] = copy;
        else {
            all->status = ddpm_fail(DDPM_EOS, "%s: out of memory", all->file->name);
            result = -1;
        }
    }
    all->prefix[length] = '\0';
    return result;
}

ddpm_status ddpm_h5_each(ddpm_h5 *file, const char *group, ddpm_h5_visit *visit, void *context)
{
    H5_HELD(file);
    DDPM_TRY(ddpm_h5__require(file, group));
    gathering all = { .file = file, .status = DDPM_OK };
    if (strcmp(group, "/") != 0) snprintf(all.prefix, sizeof all.prefix, "%s", group);
    if (H5Literate_by_name(file->file, group, H5_INDEX_NAME, H5_ITER_INC, NULL, gather, &all,
                           H5P_DEFAULT) < 0 &&
        all.status == DDPM_OK)
        all.status = h5_fail(file, DDPM_EDATA, "cannot list %s", group);
    for (size_t i = 0; i < all.count && all.status == DDPM_OK; i++) {
        ddpm_h5_info info;
        all.status = ddpm_h5_info_of(&info, file, all.object[i]);
        if (all.status != DDPM_OK) break;
        const char *before = ddpm_h5__blame(NULL); /* what the visitor does is not HDF5's */
        all.status = visit(all.object[i], &info, context);
        ddpm_h5__blame(before);
    }
    for (size_t i = 0; i < all.count; i++) free(all.object[i]);
    free(all.object);
    return all.status;
}
