/* Being asked to stop: SIGUSR1 (sent early by batch scripts), SIGTERM, SIGINT. */
#ifndef DDPM_TRAIN_SIGNALS_H
#define DDPM_TRAIN_SIGNALS_H

/* From here on these signals are only noted; a second SIGINT ends the program as usual. */
void ddpm_train__signals_install(void);
/* Back to what was before. */
void ddpm_train__signals_restore(void);
/* The signal that came since install, or 0. */
int ddpm_train__signals_caught(void);
/* "SIGUSR1" */
const char *ddpm_train__signal_name(int number);
#endif
