#include "ddpm/base/stop.h"

#include <stddef.h>

volatile sig_atomic_t ddpm_stop_asked;

static void on_signal(int number)
{
    (void)number;
    ddpm_stop_asked = 1;
}

void ddpm_stop_catch(void)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1 };
    struct sigaction action = { .sa_handler = on_signal,
                                .sa_flags = SA_RESTART | (int)SA_RESETHAND };
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction before;
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
    }
}
