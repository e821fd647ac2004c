/* Preloaded by tests/leaks.sh: libraries that a program unloads before its end stay, so that the
 * leak checker can name who lost what. */
#include <dlfcn.h>

int dlclose(void *handle)
{
    (void)handle;
    return 0;
}
