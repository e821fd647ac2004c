/** @file base/stop.h
 *  Being asked to stop, for programs that leave nothing half done: the work looks at a flag. */
#ifndef DDPM_BASE_STOP_H
#define DDPM_BASE_STOP_H
#include <signal.h>

/** Not 0 after SIGINT, SIGTERM, SIGHUP, or SIGUSR1 (of which batch systems warn), once
 * ddpm_stop_catch was called. */
extern volatile sig_atomic_t ddpm_stop_asked;

/** From here on the first of each of these signals only sets the flag; the second ends the program
 * at once. What was ignored when the program began (nohup, a shell's background jobs) stays
 * ignored. */
void ddpm_stop_catch(void);
#endif
