/* The part of the plan that is about time: docs/scaling.md. */
#ifndef DDPM_APP_PLAN_SPEED_H
#define DDPM_APP_PLAN_SPEED_H
#include "ddpm/train/plan.h"
#include "ddpm/train/scaling.h"

#include <argp.h>
#include <jansson.h>

typedef struct {
    int ranks, ranks_per_node;
    double link_bits_per_second, rate; /* images a second of one rank; 0: not given */
    const ddpm_transport *transport;
} ddpm_app_speed;

ddpm_app_speed ddpm_app__speed_default(void);
/* The values of options, or the parser's error, which does not return. */
double ddpm_app__link(const char *text, struct argp_state *state); /* "10G" in bits a second */
double ddpm_app__rate(const char *text, struct argp_state *state);
const ddpm_transport *ddpm_app__transport(const char *name, struct argp_state *state);

/* What is not known for want of a rate or a network is left out, and said how to come by. */
void ddpm_app__speed_text(const ddpm_app_speed *speed, const ddpm_plan *plan,
                          const ddpm_config *config);
/* null where it is not known; the caller owns it. */
json_t *ddpm_app__speed_json(const ddpm_app_speed *speed, const ddpm_plan *plan,
                             const ddpm_config *config);
#endif
