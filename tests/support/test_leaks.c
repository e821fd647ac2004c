/* Loses memory, so that tests/leaks.sh knows that a leak is seen. */
#include <stdlib.h>

__attribute__((noinline)) static void *lose_memory(void)
{
    return malloc(100);
}

int main(void)
{
    void *volatile lost = lose_memory();
    lost = NULL;
    return lost != NULL;
}
