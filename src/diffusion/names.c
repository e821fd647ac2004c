#include "names.h"

#include "ddpm/base/text.h"

#include <stdio.h>

ddpm_status ddpm_diffusion__unknown(const char *what, const char *name, const char *const *known)
{
    char list[256] = "";
    size_t count = 0, used = 0;
    for (; known[count]; count++) {
        if (used >= sizeof list) continue;
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", count ? ", " : "",
                                 known[count]);
    }
    const char *nearest = ddpm_text_nearest(name, known, count);
    if (nearest)
        return ddpm_fail(DDPM_ECONFIG, "unknown %s '%s'; did you mean '%s'? There are %s", what,
                         name, nearest, list);
    return ddpm_fail(DDPM_ECONFIG, "unknown %s '%s'; there are %s", what, name, list);
}
