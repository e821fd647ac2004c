/* https://github.com/huggingface/safetensors, "Format": after the header the file is data, and
 * every byte of it belongs to exactly one tensor. */
#include "safetensors.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, TENSORS_MOST = 1 << 16 };

static const struct {
    const char *name;
    size_t bytes;
    safetensors_convert *convert; /* NULL: not read as numbers */
} types[] = {
    { "F32", 4, safetensors_from_f32 },
    { "F16", 2, safetensors_from_f16 },
    { "BF16", 2, safetensors_from_bf16 },
    { "F64", 8, safetensors_from_f64 },
    { "I64", 8, NULL }, /* num_batches_tracked of PyTorch's batch norm */
    { "U64", 8, NULL },
    { "C64", 8, NULL },
    { "I32", 4, NULL },
    { "U32", 4, NULL },
    { "I16", 2, NULL },
    { "U16", 2, NULL },
    { "I8", 1, NULL },
    { "U8", 1, NULL },
    { "BOOL", 1, NULL },
    { "F8_E5M2", 1, NULL },
    { "F8_E4M3", 1, NULL },
    { "F8_E8M0", 1, NULL },
};
enum { TYPES = sizeof types / sizeof *types };

typedef struct {
    const char *name; /* the header's */
    size_t type, rank, size[DDPM_SAFETENSORS_RANK], count;
    size_t begin, end; /* bytes of the data */
} tensor;

struct ddpm_safetensors {
    char *name;
    json_t *header;
    const unsigned char *data;
    size_t data_bytes, count;
    tensor *tensors;
};

static ddpm_status damaged(const ddpm_safetensors *file, const char *tensor_name, const char *what)
{
    return ddpm_fail(DDPM_EDATA, "%s: tensor '%.200s' %s", file->name, tensor_name, what);
}

/* A count or an offset: a whole number that is not negative. */
static bool take_size(size_t *size, const json_t *value)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
    *size = (size_t)json_integer_value(value);
    return true;
}

static ddpm_status take_type(tensor *t, const ddpm_safetensors *file, const json_t *value)
{
    if (!json_is_string(value)) return damaged(file, t->name, "has no dtype");
    const char *name = json_string_value(value);
    for (t->type = 0; t->type < TYPES; t->type++)
        if (strcmp(types[t->type].name, name) == 0) return DDPM_OK;
    return ddpm_fail(DDPM_EDATA, "%s: tensor '%.200s' is of the unknown type '%.20s'", file->name,
                     t->name, name);
}

static ddpm_status take_shape(tensor *t, const ddpm_safetensors *file, const json_t *value)
{
    if (!json_is_array(value)) return damaged(file, t->name, "has no shape");
    t->rank = json_array_size(value);
    if (t->rank > DDPM_SAFETENSORS_RANK) return damaged(file, t->name, "has too many dimensions");
    t->count = 1;
    for (size_t i = 0; i < t->rank; i++)
        if (!take_size(&t->size[i], json_array_get(value, i)) ||
            __builtin_mul_overflow(t->count, t->size[i], &t->count))
            return damaged(file, t->name, "has a size that is none");
    return DDPM_OK;
}

static ddpm_status take_place(tensor *t, const ddpm_safetensors *file, const json_t *value)
{
    size_t bytes;
    if (!json_is_array(value) || json_array_size(value) != 2 ||
        !take_size(&t->begin, json_array_get(value, 0)) ||
        !take_size(&t->end, json_array_get(value, 1)) || t->begin > t->end)
        return damaged(file, t->name, "has no data_offsets");
    if (t->end > file->data_bytes)
        return damaged(file, t->name, "lies past the end of the file, which may be truncated");
    if (__builtin_mul_overflow(t->count, types[t->type].bytes, &bytes) ||
        bytes != t->end - t->begin)
        return damaged(file, t->name, "has data of another size than its shape says");
    return DDPM_OK;
}

static ddpm_status take_tensor(tensor *t, const ddpm_safetensors *file, const char *name,
                               const json_t *entry)
{
    t->name = name;
    if (strlen(name) >= DDPM_SAFETENSORS_NAME_BYTES)
        return damaged(file, name, "has too long a name");
    if (!json_is_object(entry)) return damaged(file, name, "is not described by an object");
    DDPM_TRY(take_type(t, file, json_object_get(entry, "dtype")));
    DDPM_TRY(take_shape(t, file, json_object_get(entry, "shape")));
    return take_place(t, file, json_object_get(entry, "data_offsets"));
}

static int by_place(const void *a, const void *b)
{
    const tensor *s = a, *t = b;
    if (s->begin != t->begin) return s->begin < t->begin ? -1 : 1;
    if (s->end != t->end) return s->end < t->end ? -1 : 1;
    return strcmp(s->name, t->name);
}

static ddpm_status check_places(const ddpm_safetensors *file)
{
    size_t end = 0;
    for (size_t i = 0; i < file->count; i++) {
        const tensor *t = &file->tensors[i];
        if (t->begin < end) return damaged(file, t->name, "overlaps the one before it");
        if (t->begin > end) return damaged(file, t->name, "leaves a hole before it");
        end = t->end;
    }
    if (end == file->data_bytes) return DDPM_OK;
    return ddpm_fail(DDPM_EDATA, "%s has %zu bytes at its end that belong to no tensor", file->name,
                     file->data_bytes - end);
}

static ddpm_status take_all(ddpm_safetensors *file)
{
    const size_t entries = json_object_size(file->header);
    if (entries > TENSORS_MOST)
        return ddpm_fail(DDPM_EDATA, "%s has %zu tensors, more than the %d that are read",
                         file->name, entries, TENSORS_MOST);
    file->tensors = calloc(entries ? entries : 1, sizeof *file->tensors);
    if (!file->tensors) return ddpm_fail(DDPM_EOS, "%s: out of memory", file->name);
    const char *name;
    json_t *entry;
    json_object_foreach(file->header, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0) continue;
        DDPM_TRY(take_tensor(&file->tensors[file->count], file, name, entry));
        file->count++;
    }
    qsort(file->tensors, file->count, sizeof *file->tensors, by_place);
    return check_places(file);
}

static ddpm_status parse(ddpm_safetensors *file, const unsigned char *image, size_t bytes)
{
    uint64_t length = 0;
    if (bytes < LENGTH_BYTES)
        return ddpm_fail(DDPM_EDATA, "%s is no safetensors file: it has %zu bytes", file->name,
                         bytes);
    for (size_t i = 0; i < LENGTH_BYTES; i++) length |= (uint64_t)image[i] << (8 * i);
    if (length > bytes - LENGTH_BYTES || length > DDPM_SAFETENSORS_HEADER_BYTES)
        return ddpm_fail(DDPM_EDATA, "%s is no safetensors file: a header of %llu bytes",
                         file->name, (unsigned long long)length);
    const char *text = (const char *)image + LENGTH_BYTES;
    if (length == 0 || *text != '{')
        return ddpm_fail(DDPM_EDATA, "%s is no safetensors file: its header is no JSON object",
                         file->name);
    json_error_t error;
    file->header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &error);
    if (!file->header && json_error_code(&error) == json_error_out_of_memory)
        return ddpm_fail(DDPM_EOS, "%s: out of memory", file->name);
    if (!file->header)
        return ddpm_fail(DDPM_EDATA, "%s: the header at byte %d: %s", file->name,
                         LENGTH_BYTES + error.position, error.text);
    file->data = image + LENGTH_BYTES + length;
    file->data_bytes = bytes - LENGTH_BYTES - (size_t)length;
    return take_all(file);
}

ddpm_status ddpm_safetensors_open_image(ddpm_safetensors **out, const void *image, size_t bytes,
                                        const char *name)
{
    ddpm_safetensors *file = calloc(1, sizeof *file);
    if (file) file->name = strdup(name);
    if (!file || !file->name) {
        free(file);
        return ddpm_fail(DDPM_EOS, "%s: out of memory", name);
    }
    const ddpm_status status = parse(file, image, bytes);
    if (status == DDPM_OK)
        *out = file;
    else
        ddpm_safetensors_close(file);
    return status;
}

void ddpm_safetensors_close(ddpm_safetensors *file)
{
    if (!file) return;
    json_decref(file->header);
    free(file->tensors);
    free(file->name);
    free(file);
}

size_t ddpm_safetensors_count(const ddpm_safetensors *file)
{
    return file->count;
}

ddpm_safetensors_info ddpm_safetensors_get(const ddpm_safetensors *file, size_t index)
{
    const tensor *t = &file->tensors[index];
    ddpm_safetensors_info info = {
        .name = t->name, .dtype = types[t->type].name, .rank = t->rank, .count = t->count
    };
    memcpy(info.size, t->size, sizeof info.size);
    return info;
}

size_t ddpm_safetensors_find(const ddpm_safetensors *file, const char *name)
{
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->tensors[i].name, name) == 0) return i;
    return file->count;
}

ddpm_status ddpm_safetensors_read(const ddpm_safetensors *file, size_t index, float *data)
{
    const tensor *t = &file->tensors[index];
    if (!types[t->type].convert)
        return ddpm_fail(DDPM_EDATA,
                         "%s: tensor '%s' is of the type %s; F32, F16, BF16 and F64 are read",
                         file->name, t->name, types[t->type].name);
    types[t->type].convert(data, file->data + t->begin, t->count);
    return DDPM_OK;
}
