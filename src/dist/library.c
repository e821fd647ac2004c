/* What carries the messages. Open MPI falls back to TCP in silence where a fast network's component
 * is switched off or missing, so the start message has to say what was really chosen: of the
 * components, only those in use still have their variables in MPI's tool interface. */
#include "comm_internal.h"

#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 128, LIST_BYTES = 128 };

/* "<prefix>X<suffix>" -> X; false where `name` is not of that form. */
static bool component_of(char component[NAME_BYTES], const char *name, const char *prefix,
                         const char *suffix)
{
    const size_t length = strlen(name), front = strlen(prefix), back = strlen(suffix);
    if (length <= front + back || strncmp(name, prefix, front) != 0 ||
        strcmp(name + length - back, suffix) != 0)
        return false;
    snprintf(component, NAME_BYTES, "%.*s", (int)(length - front - back), name + front);
    return !strchr(component, '_');
}

static void append(char list[LIST_BYTES], const char *component)
{
    const size_t used = strlen(list);
    snprintf(list + used, LIST_BYTES - used, "%s%s", used ? "," : "", component);
}

static void list_transports(char layer[LIST_BYTES], char carriers[LIST_BYTES])
{
    int provided, count = 0;
    layer[0] = carriers[0] = 0;
    if (MPI_T_init_thread(MPI_THREAD_SINGLE, &provided) != MPI_SUCCESS) return;
    MPI_T_cvar_get_num(&count);
    for (int i = 0; i < count; i++) {
        char name[NAME_BYTES], component[NAME_BYTES];
        int length = sizeof name, verbosity, bind, scope;
        MPI_Datatype type;
        if (MPI_T_cvar_get_info(i, name, &length, &verbosity, &type, NULL, NULL, NULL, &bind,
                                &scope) != MPI_SUCCESS)
            continue;
        if (component_of(component, name, "pml_", "_priority")) append(layer, component);
        if (component_of(component, name, "btl_", "_flags") && strcmp(component, "self") != 0)
            append(carriers, component);
    }
    MPI_T_finalize();
}

void ddpm_dist__library_name(char *text, size_t size)
{
    char version[MPI_MAX_LIBRARY_VERSION_STRING] = "MPI", layer[LIST_BYTES], carriers[LIST_BYTES];
    int length;
    MPI_Get_library_version(version, &length);
    list_transports(layer, carriers);
    snprintf(text, size, "%.*s%s%s%s%s", (int)strcspn(version, ",\n"), version,
             *layer ? ", transport " : "", layer, *layer && *carriers ? "/" : "", carriers);
}
