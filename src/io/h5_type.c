#include "h5_private.h"

#include <assert.h>

static const struct {
    const char *name;
    size_t bytes;
} types[] = {
    [DDPM_H5_U8] = { "uint8", 1 },    [DDPM_H5_F32] = { "float32", 4 },
    [DDPM_H5_F64] = { "float64", 8 }, [DDPM_H5_I64] = { "int64", 8 },
    [DDPM_H5_U64] = { "uint64", 8 },  [DDPM_H5_OTHER] = { "another type", 0 },
};

/* Whether a number fills its bytes as processors have it. HDF5 can describe others, of any number
 * of bits at any place, which it converts bit by bit and we never meet. */
static bool is_plain(hid_t type)
{
    static const struct {
        size_t bytes, exponent_bits, mantissa_bits, bias;
    } ieee[] = { { 2, 5, 10, 15 }, { 4, 8, 23, 127 }, { 8, 11, 52, 1023 } };
    const H5T_class_t class = H5Tget_class(type);
    const size_t bytes = H5Tget_size(type);
    if (class != H5T_INTEGER && class != H5T_FLOAT) return false;
    const H5T_order_t order = H5Tget_order(type);
    if ((order != H5T_ORDER_LE && order != H5T_ORDER_BE) || H5Tget_offset(type) != 0 ||
        H5Tget_precision(type) != 8 * bytes)
        return false;
    if (class == H5T_INTEGER) return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
    for (size_t i = 0; i < sizeof ieee / sizeof *ieee; i++) {
        size_t sign, exponent, exponent_bits, mantissa, mantissa_bits;
        if (bytes != ieee[i].bytes) continue;
        return H5Tget_fields(type, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits) >=
                   0 &&
               sign == 8 * bytes - 1 && mantissa == 0 && exponent == ieee[i].mantissa_bits &&
               mantissa_bits == ieee[i].mantissa_bits && exponent_bits == ieee[i].exponent_bits &&
               H5Tget_ebias(type) == ieee[i].bias && H5Tget_norm(type) == H5T_NORM_IMPLIED;
    }
    return false;
}

ddpm_h5_type ddpm_h5__type_of(hid_t type)
{
    if (!is_plain(type)) return DDPM_H5_OTHER;
    const H5T_class_t class = H5Tget_class(type);
    const size_t bytes = H5Tget_size(type);
    if (class == H5T_FLOAT) {
        if (bytes == 4) return DDPM_H5_F32;
        if (bytes == 8) return DDPM_H5_F64;
    } else if (class == H5T_INTEGER) {
        const bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
        if (bytes == 1 && !is_signed) return DDPM_H5_U8;
        if (bytes == 8) return is_signed ? DDPM_H5_I64 : DDPM_H5_U64;
    }
    return DDPM_H5_OTHER;
}

hid_t ddpm_h5__memory_type(ddpm_h5_type type)
{
    switch (type) {
    case DDPM_H5_U8: return H5T_NATIVE_UINT8;
    case DDPM_H5_F32: return H5T_NATIVE_FLOAT;
    case DDPM_H5_F64: return H5T_NATIVE_DOUBLE;
    case DDPM_H5_I64: return H5T_NATIVE_INT64;
    case DDPM_H5_U64: return H5T_NATIVE_UINT64;
    case DDPM_H5_OTHER: break;
    }
    assert(false);
    return H5I_INVALID_HID;
}

hid_t ddpm_h5__file_type(ddpm_h5_type type)
{
    switch (type) {
    case DDPM_H5_U8: return H5T_STD_U8LE;
    case DDPM_H5_F32: return H5T_IEEE_F32LE;
    case DDPM_H5_F64: return H5T_IEEE_F64LE;
    case DDPM_H5_I64: return H5T_STD_I64LE;
    case DDPM_H5_U64: return H5T_STD_U64LE;
    case DDPM_H5_OTHER: break;
    }
    assert(false);
    return H5I_INVALID_HID;
}

size_t ddpm_h5__type_bytes(ddpm_h5_type type)
{
    return types[type].bytes;
}

const char *ddpm_h5__type_name(ddpm_h5_type type)
{
    return types[type].name;
}

static const char *class_name(H5T_class_t class, bool is_signed)
{
    switch (class) {
    case H5T_INTEGER: return is_signed ? "signed integers" : "unsigned integers";
    case H5T_FLOAT: return "floating-point numbers";
    case H5T_STRING: return "text";
    default: return "values that are no numbers";
    }
}

ddpm_status ddpm_h5__convertible(const ddpm_h5 *file, const char *object, hid_t in_file,
                                 ddpm_h5_type in_memory)
{
    const H5T_class_t class = H5Tget_class(in_file);
    const size_t from = H5Tget_size(in_file), to = types[in_memory].bytes;
    const bool from_signed = class == H5T_INTEGER && H5Tget_sign(in_file) == H5T_SGN_2;
    const bool to_signed = in_memory == DDPM_H5_I64;
    bool fits = false;
    if ((class == H5T_INTEGER || class == H5T_FLOAT) && !is_plain(in_file))
        return ddpm_fail(DDPM_EDATA,
                         "%s: %s holds numbers that are none of a processor's; convert it",
                         file->name, object);
    if (in_memory == DDPM_H5_F32 || in_memory == DDPM_H5_F64)
        fits = (class == H5T_FLOAT || class == H5T_INTEGER) && from <= 8;
    else if (class == H5T_INTEGER)
        fits = from_signed == to_signed ? from <= to : to_signed && from < to;
    if (fits) return DDPM_OK;
    return ddpm_fail(DDPM_EDATA, "%s: %s holds %s of %zu bytes, which cannot be read as %s",
                     file->name, object, class_name(class, from_signed), from,
                     types[in_memory].name);
}
