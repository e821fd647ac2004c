#include "check.h"

#include "ddpm/base/status.h"

#include <string.h>

void check_le(double a, double b, const char *what, const char *file, int line)
{
    if (a <= b) return;
    print_error("%s: %.9g against %.9g\n", what, a, b);
    _fail(file, line);
}

void check_status(int status, int expected, const char *what, const char *file, int line)
{
    if (status == expected) return;
    print_error("%s: status %d, expected %d; message: %s\n", what, status, expected,
                ddpm_status_message());
    _fail(file, line);
}

void check_message(const char *part, const char *file, int line)
{
    if (strstr(ddpm_status_message(), part)) return;
    print_error("the message \"%s\" does not say \"%s\"\n", ddpm_status_message(), part);
    _fail(file, line);
}
