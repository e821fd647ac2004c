#include "ddpm/base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock;
    char program[64];
    ddpm_log_level level;
    int rank, size;
    bool line_is_up; /* a live line stands on the terminal */
} state = { .lock = PTHREAD_MUTEX_INITIALIZER, .level = DDPM_LOG_INFO, .size = 1 };

void ddpm_log_init(const char *program, ddpm_log_level level)
{
    pthread_mutex_lock(&state.lock);
    snprintf(state.program, sizeof state.program, "%s", program);
    state.level = level;
    pthread_mutex_unlock(&state.lock);
}

void ddpm_log_set_rank(int rank, int size)
{
    pthread_mutex_lock(&state.lock);
    state.rank = rank;
    state.size = size;
    pthread_mutex_unlock(&state.lock);
}

bool ddpm_log_is_live(void)
{
    const char *terminal = getenv("TERM");
    return state.rank == 0 && isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
}

static void erase_live_line(void)
{
    if (state.line_is_up) fputs("\r\033[K", stderr);
    state.line_is_up = false;
}

/* One fwrite a message, so that the lines of several ranks do not mix. */
static void print(ddpm_log_level level, const char *format, va_list arguments)
{
    static const char *const prefix[] = { "error: ", "warning: ", "", "" };
    char line[4096], from[80] = "";
    if (level == DDPM_LOG_ERROR || level == DDPM_LOG_WARNING || level == DDPM_LOG_DEBUG) {
        if (state.size > 1)
            snprintf(from, sizeof from, "%s[%d]: ", state.program, state.rank);
        else if (state.program[0])
            snprintf(from, sizeof from, "%s: ", state.program);
    }
    int used = snprintf(line, sizeof line, "%s%s", from, prefix[level]);
    used += vsnprintf(line + used, sizeof line - (size_t)used, format, arguments);
    if ((size_t)used > sizeof line - 2) used = (int)sizeof line - 2;
    line[used] = '\n';
    pthread_mutex_lock(&state.lock);
    erase_live_line();
    fwrite(line, 1, (size_t)used + 1, stderr);
    fflush(stderr);
    pthread_mutex_unlock(&state.lock);
}

#define PRINT_AT(wanted, condition)                                                                \
    do {                                                                                           \
        if (state.level < (wanted) || !(condition)) return;                                        \
        va_list arguments;                                                                         \
        va_start(arguments, format);                                                               \
        print((wanted), format, arguments);                                                        \
        va_end(arguments);                                                                         \
    } while (0)

void ddpm_log_error(const char *format, ...)
{
    PRINT_AT(DDPM_LOG_ERROR, true);
}

void ddpm_log_warning(const char *format, ...)
{
    PRINT_AT(DDPM_LOG_WARNING, true);
}

void ddpm_log_info(const char *format, ...)
{
    PRINT_AT(DDPM_LOG_INFO, state.rank == 0);
}

void ddpm_log_debug(const char *format, ...)
{
    PRINT_AT(DDPM_LOG_DEBUG, true);
}

void ddpm_log_live(const char *format, ...)
{
    if (state.level < DDPM_LOG_INFO || !ddpm_log_is_live()) return;
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    pthread_mutex_lock(&state.lock);
    fprintf(stderr, "\r\033[K%s", line);
    fflush(stderr);
    state.line_is_up = true;
    pthread_mutex_unlock(&state.lock);
}

void ddpm_log_live_end(void)
{
    pthread_mutex_lock(&state.lock);
    if (state.line_is_up) fputc('\n', stderr);
    state.line_is_up = false;
    pthread_mutex_unlock(&state.lock);
}

int ddpm_log_failure(ddpm_status status)
{
    if (status == DDPM_OK) return 0;
    ddpm_log_error("%s", ddpm_status_message());
    ddpm_log_debug("found at %s, status %d (%s)", ddpm_status_origin(), (int)status,
                   ddpm_status_name(status));
    return (int)status;
}
