#include "evaluation_line.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/base/text.h"
#include "metrics.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>

/* JSON has no NaN: a number that is none is null. */
static void set(json_t *json, const char *key, double value)
{
    json_object_set_new(json, key, isfinite(value) ? json_real(value) : json_null());
}

static void set_quarters(json_t *json, const char *prefix, const double *value)
{
    char key[32];
    for (int q = 0; q < DDPM_QUARTILES; q++) {
        snprintf(key, sizeof key, "%s%d", prefix, q);
        set(json, key, value[q]);
    }
}

char *ddpm_train__evaluation_text(const ddpm_evaluation_line *line)
{
    const ddpm_evaluation *of = line->of;
    char time[32], rate[32], weights[48];
    json_t *json = json_object();
    if (!json) return NULL;
    ddpm_clock_utc(time, sizeof time);
    snprintf(weights, sizeof weights, "ema:%s", ddpm_text_real(rate, line->decay));
    json_object_set_new(json, "step", json_integer((json_int_t)line->step));
    set(json, DDPM_METRICS_EVALUATION, of->loss.mean);
    set_quarters(json, "eval_loss_q", of->loss.quarter);
    if (of->draws > 0) {
        set(json, "eval_bpd", of->bits.mean);
        set(json, "eval_bpd_standard_error", of->bits.standard_error);
        set(json, "eval_L_T", of->prior.mean);
        set_quarters(json, "eval_L_q", of->middle);
        set(json, "eval_L_0", of->decoder.mean);
    }
    json_object_set_new(json, "eval_best", json_boolean(line->is_best));
    json_object_set_new(json, "eval_images", json_integer((json_int_t)of->images));
    json_object_set_new(json, "eval_draws", json_integer((json_int_t)of->draws));
    json_object_set_new(json, "eval_weights", json_string(weights));
    json_object_set_new(json, "eval_data", json_string(line->data_hash));
    set(json, "eval_seconds", line->seconds);
    json_object_set_new(json, "time", json_string(time));
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

void ddpm_train__evaluation_log(const ddpm_evaluation_line *line)
{
    const ddpm_evaluation *of = line->of;
    const double *q = of->loss.quarter;
    char bits[64] = "", time[32];
    if (of->draws > 0) snprintf(bits, sizeof bits, "  %.4f bits/dim", of->bits.mean);
    ddpm_log_info("eval     step %" PRIu64 "  held-out loss %.5f (q0..q3 %.4f %.4f %.4f %.4f)%s  "
                  "in %s%s",
                  line->step, of->loss.mean, q[0], q[1], q[2], q[3], bits,
                  ddpm_text_seconds(time, line->seconds), line->is_best ? ", best so far" : "");
}
