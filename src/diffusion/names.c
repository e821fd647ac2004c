#include "names.h"

#include "ddpm/base/text.h"

#include <stdio.h>
#include <string.h>

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

ddpm_status ddpm_diffusion__place(size_t *place, const char *what, const char *name,
                                  const char *const *known)
{
    for (*place = 0; known[*place]; ++*place)
        if (strcmp(known[*place], name) == 0) return DDPM_OK;
    return ddpm_diffusion__unknown(what, name, known);
}
