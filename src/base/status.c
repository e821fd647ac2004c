#include "ddpm/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[2048];
static _Thread_local char origin[256];

ddpm_status ddpm_fail_at(const char *file, int line, ddpm_status status, const char *format, ...)
{
    /* An argument may be the message of the failure before, so it is formatted aside. */
    char text[sizeof message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    memcpy(message, text, sizeof message);
    snprintf(origin, sizeof origin, "%s:%d", file, line);
    return status;
}

ddpm_status ddpm_fail_within(ddpm_status status, const char *format, ...)
{
    char text[sizeof message];
    va_list arguments;
    va_start(arguments, format);
    int used = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (used < 0) used = 0;
    if ((size_t)used < sizeof text)
        snprintf(text + used, sizeof text - (size_t)used, ": %s", message);
    memcpy(message, text, sizeof message);
    return status;
}

const char *ddpm_status_message(void)
{
    return message;
}

const char *ddpm_status_origin(void)
{
    return origin;
}

const char *ddpm_status_name(ddpm_status status)
{
    switch (status) {
    case DDPM_OK: return "ok";
    case DDPM_EUSAGE: return "usage";
    case DDPM_EDATA: return "data";
    case DDPM_ENOINPUT: return "no input";
    case DDPM_EINTERNAL: return "internal";
    case DDPM_EOS: return "system";
    case DDPM_ECREATE: return "cannot create";
    case DDPM_EIO: return "input/output";
    case DDPM_EAGAIN: return "again";
    case DDPM_EPERM: return "permission";
    case DDPM_ECONFIG: return "configuration";
    }
    return "unknown";
}
