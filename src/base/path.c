#include "ddpm/base/path.h"

#include <stdarg.h>
#include <stdio.h>

ddpm_status ddpm_path_print(char *out, size_t bytes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(out, bytes, format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < bytes) return DDPM_OK;
    return ddpm_fail(DDPM_ECREATE, "%.60s...: the path is too long: %d bytes, and %zu are most",
                     out, length, bytes - 1);
}
