#include "signals.h"

#include <signal.h>
#include <stddef.h>

static const struct {
    int number;
    const char *name;
} watched[] = { { SIGUSR1, "SIGUSR1" }, { SIGTERM, "SIGTERM" }, { SIGINT, "SIGINT" } };
enum { WATCHED = sizeof watched / sizeof *watched };

static volatile sig_atomic_t caught;
static struct sigaction before[WATCHED];

static void note(int number)
{
    caught = number;
    if (number == SIGINT) signal(SIGINT, SIG_DFL);
}

void ddpm_train__signals_install(void)
{
    caught = 0;
    struct sigaction action = { .sa_handler = note, .sa_flags = SA_RESTART };
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < WATCHED; i++) sigaction(watched[i].number, &action, &before[i]);
}

void ddpm_train__signals_restore(void)
{
    for (size_t i = 0; i < WATCHED; i++) sigaction(watched[i].number, &before[i], NULL);
}

int ddpm_train__signals_caught(void)
{
    return caught;
}

const char *ddpm_train__signal_name(int number)
{
    for (size_t i = 0; i < WATCHED; i++)
        if (watched[i].number == number) return watched[i].name;
    return "a signal on another rank";
}
