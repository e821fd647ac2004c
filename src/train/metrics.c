#include "metrics.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/io/sealed_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_LIMIT_BYTES = 1 << 30 };

struct ddpm_metrics {
    int fd;
    bool warned;
    char path[];
};

void ddpm_train__metrics_add(ddpm_metrics_sum *sum, const ddpm_step_result *result, double seconds)
{
    sum->steps++;
    sum->seconds += seconds;
    sum->lr = result->lr;
    for (size_t p = 0; p < DDPM_PHASES; p++) sum->phase_seconds[p] += result->phase_seconds[p];
    sum->communication_seconds += result->communication_seconds;
    sum->exposed_seconds += result->exposed_seconds;
    if (!result->finite) return;
    sum->finite_steps++;
    sum->loss += result->loss;
    sum->grad_norm += result->grad_norm;
    if (result->grad_norm > sum->grad_norm_max) sum->grad_norm_max = result->grad_norm;
    for (size_t q = 0; q < DDPM_QUARTILES; q++) {
        sum->quartile_error[q] += result->quartile_error[q];
        sum->quartile_images[q] += result->quartile_images[q];
    }
}

ddpm_metrics_line ddpm_train__metrics_take(ddpm_metrics_sum *sum, uint64_t batch)
{
    const double finite = (double)sum->finite_steps;
    ddpm_metrics_line line = {
        .steps = sum->steps,
        .loss = finite > 0.0 ? sum->loss / finite : (double)NAN,
        .grad_norm = finite > 0.0 ? sum->grad_norm / finite : (double)NAN,
        .grad_norm_max = finite > 0.0 ? sum->grad_norm_max : (double)NAN,
        .lr = sum->lr,
        .seconds = sum->seconds,
        .communication_seconds = sum->communication_seconds,
        .exposed_seconds = sum->exposed_seconds,
    };
    if (sum->seconds > 0.0) line.images_per_second = (double)(sum->steps * batch) / sum->seconds;
    for (size_t q = 0; q < DDPM_QUARTILES; q++) {
        line.quartile_images[q] = sum->quartile_images[q];
        line.quartile_loss[q] = sum->quartile_error[q] / sum->quartile_images[q];
    }
    memcpy(line.phase_seconds, sum->phase_seconds, sizeof line.phase_seconds);
    *sum = (ddpm_metrics_sum){ .steps = 0 };
    return line;
}

/* Whether a line is a whole JSON object of a step up to `step`, or `evaluated`. */
static bool belongs(const char *line, size_t length, uint64_t step, uint64_t evaluated)
{
    json_t *json = json_loadb(line, length, 0, NULL);
    const json_t *number = json_object_get(json, "step");
    const uint64_t last = json_object_get(json, DDPM_METRICS_EVALUATION) ? evaluated : step;
    const bool keep = json_is_integer(number) && (uint64_t)json_integer_value(number) <= last;
    json_decref(json);
    return keep;
}

static ddpm_status cut_back(const char *path, uint64_t step, uint64_t evaluated)
{
    if (access(path, F_OK) != 0) return DDPM_OK;
    char *text;
    size_t bytes, kept = 0;
    DDPM_TRY(ddpm_read_file(&text, &bytes, path, FILE_LIMIT_BYTES));
    for (size_t at = 0; at < bytes;) {
        const char *end = memchr(text + at, '\n', bytes - at);
        if (!end) break;
        const size_t length = (size_t)(end - (text + at)) + 1;
        if (belongs(text + at, length, step, evaluated)) {
            memmove(text + kept, text + at, length);
            kept += length;
        }
        at += length;
    }
    const ddpm_status status = kept == bytes ? DDPM_OK : ddpm_publish_file(path, text, kept);
    free(text);
    return status;
}

ddpm_status ddpm_train__metrics_open(ddpm_metrics **out, const char *path, uint64_t step,
                                     uint64_t evaluated)
{
    DDPM_TRY(cut_back(path, step, evaluated));
    ddpm_metrics *metrics = calloc(1, sizeof *metrics + strlen(path) + 1);
    if (!metrics) return ddpm_fail(DDPM_EOS, "no memory for %s", path);
    memcpy(metrics->path, path, strlen(path) + 1);
    metrics->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (metrics->fd < 0) {
        free(metrics);
        return ddpm_fail(DDPM_ECREATE, "%s: %s: the run directory must be writable", path,
                         strerror(errno));
    }
    *out = metrics;
    return DDPM_OK;
}

void ddpm_train__metrics_close(ddpm_metrics *metrics)
{
    if (!metrics) return;
    if (close(metrics->fd) != 0) ddpm_log_warning("%s: %s", metrics->path, strerror(errno));
    free(metrics);
}

/* JSON has no NaN: a number that is none is null. */
static void set(json_t *json, const char *key, double value)
{
    json_object_set_new(json, key, isfinite(value) ? json_real(value) : json_null());
}

static char *text_of(const ddpm_metrics_line *line)
{
    json_t *json = json_object();
    if (!json) return NULL;
    char time[32], key[48];
    ddpm_clock_utc(time, sizeof time);
    json_object_set_new(json, "step", json_integer((json_int_t)line->step));
    json_object_set_new(json, "images_seen", json_integer((json_int_t)line->images_seen));
    set(json, "epoch", line->epoch);
    set(json, "loss", line->loss);
    for (int q = 0; q < DDPM_QUARTILES; q++) {
        snprintf(key, sizeof key, "loss_q%d", q);
        set(json, key, line->quartile_loss[q]);
    }
    for (int q = 0; q < DDPM_QUARTILES; q++) {
        snprintf(key, sizeof key, "images_q%d", q);
        json_object_set_new(json, key, json_integer((json_int_t)line->quartile_images[q]));
    }
    set(json, "grad_norm", line->grad_norm);
    set(json, "grad_norm_max", line->grad_norm_max);
    set(json, "lr", line->lr);
    json_object_set_new(json, "skipped_steps", json_integer((json_int_t)line->skipped_steps));
    set(json, "images_per_second", line->images_per_second);
    set(json, "seconds", line->seconds);
    set(json, "seconds_waiting_for_data", line->phase_seconds[DDPM_PHASE_DATA]);
    for (int p = DDPM_PHASE_NOISE; p < DDPM_PHASES; p++) {
        snprintf(key, sizeof key, "seconds_%s", ddpm_phase_names[p]);
        set(json, key, line->phase_seconds[p]);
    }
    set(json, "seconds_communicating", line->communication_seconds);
    set(json, "seconds_waiting_for_communication", line->exposed_seconds);
    set(json, "train_seconds", line->train_seconds);
    json_object_set_new(json, "time", json_string(time));
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

void ddpm_train__metrics_write(ddpm_metrics *metrics, const ddpm_metrics_line *line)
{
    ddpm_train__metrics_append(metrics, text_of(line));
}

void ddpm_train__metrics_append(ddpm_metrics *metrics, char *text)
{
    if (!text) return;
    const size_t bytes = strlen(text) + 1;
    text[bytes - 1] = '\n';
    const off_t end = lseek(metrics->fd, 0, SEEK_END);
    const ssize_t written = write(metrics->fd, text, bytes);
    free(text);
    if (written == (ssize_t)bytes) {
        metrics->warned = false;
        return;
    }
    const int error = written < 0 ? errno : ENOSPC;
    const bool undone = written <= 0 || (end >= 0 && ftruncate(metrics->fd, end) == 0);
    if (!metrics->warned)
        ddpm_log_warning("%s: %s: lines are lost until it works again%s", metrics->path,
                         strerror(error), undone ? "" : ", and the last one is torn");
    metrics->warned = true;
}
