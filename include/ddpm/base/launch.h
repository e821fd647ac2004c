/** @file base/launch.h
 *  Who started this process, by its environment: known before MPI is, and without it. */
#ifndef DDPM_BASE_LAUNCH_H
#define DDPM_BASE_LAUNCH_H
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    const char *launcher; /**< "mpirun", "srun", ...; NULL: started by itself, and alone */
    const char *variable; /**< of the environment, that says how many it started */
    const char *remedy;   /**< where its processes do not find each other through MPI */
    int64_t processes;    /**< that the launcher started; 0 without one */
    int64_t rank;         /**< of this one among them, from 0 */
    bool ends_all;        /**< the first process to fail ends the others, with SIGTERM */
    int64_t slurm_tasks;  /**< of the job, by SLURM; 0: not known here */
} ddpm_launch;

/** Reads the environment. Texts are static. */
ddpm_launch ddpm_launch_find(void);
#endif
