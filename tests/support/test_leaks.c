/* Loses memory, so that tests/leaks.sh knows that a leak is seen. */
#include <stdlib.h>

static void *volatile kept;

__attribute__((noinline)) static void lose_memory(void)
{
    kept = malloc(100);
    kept = NULL;
}

int main(void)
{
    lose_memory();
    return kept != NULL;
}
