#include "config_oracle.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A text without the space around it, in place. */
static char *strip(char *text)
{
    while (isspace((unsigned char)*text)) text++;
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1])) text[--length] = '\0';
    return text;
}

/* Cuts a comment off: a semicolon after space. */
static void cut_comment(char *text)
{
    for (char *c = text; *c; c++)
        if (*c == ';' && c > text && isspace((unsigned char)c[-1])) *c = '\0';
}

static bool number(double *out, const char *text)
{
    char *end;
    if (*text == '\0' || isspace((unsigned char)*text)) return false;
    *out = strtod(text, &end);
    return *end == '\0' && isfinite(*out);
}

static bool whole_number(double *out, const char *text)
{
    char digits[4096];
    size_t used = 0;
    const size_t length = strlen(text);
    if (length == 0 || text[0] == '_' || text[length - 1] == '_') return false;
    for (const char *c = text; *c; c++)
        if (*c != '_') digits[used++] = *c;
    digits[used] = '\0';
    return used < 64 && number(out, digits) && *out == floor(*out) && fabs(*out) <= 0x1p53;
}

/* "1:30:00": the seconds, minutes and hours from the end on. */
static bool clock_time(double *out, char *text)
{
    double weight = 1.0, value;
    int parts = 0;
    *out = 0.0;
    for (char *colon = text; colon; parts++, weight *= 60.0) {
        colon = strrchr(text, ':');
        if (!number(&value, colon ? colon + 1 : text) || value < 0.0) return false;
        if (colon && value >= 60.0) return false;
        if (colon) *colon = '\0';
        *out += weight * value;
    }
    return parts == 2 || parts == 3;
}

static bool duration(double *out, char *text)
{
    if (strchr(text, ':')) return strlen(text) < 64 && clock_time(out, text);
    if (number(out, text)) return *out >= 0.0;
    *out = 0.0;
    const char *units = "dhms";
    if (*text == '\0') return false;
    while (*text) {
        char *end;
        if (!isdigit((unsigned char)*text) && *text != '.') return false;
        const double value = strtod(text, &end);
        const char *unit = end == text || *end == '\0' ? NULL : strchr(units, *end);
        if (!unit) return false;
        *out += value * (*unit == 'd' ? 86400 : *unit == 'h' ? 3600 : *unit == 'm' ? 60 : 1);
        units = unit + 1;
        text = end + 1;
    }
    return isfinite(*out);
}

static bool truth(bool *out, const char *text)
{
    const char *const yes[] = { "true", "yes", "on", "1" }, *const no[] = { "false", "no", "off",
                                                                            "0" };
    for (int i = 0; i < 4; i++)
        if (!strcasecmp(text, yes[i]) || !strcasecmp(text, no[i])) {
            *out = !strcasecmp(text, yes[i]);
            return true;
        }
    return false;
}

static bool text_is_fit(const char *text)
{
    return strlen(text) < DDPM_CONFIG_PATH && *text != ';' && !strpbrk(text, "\r\v\f");
}

/* The numbers of a list; -1 where it is none. */
static int numbers(double value[DDPM_CONFIG_LIST], char *text, bool whole)
{
    int count = 0;
    if (*strip(text) == '\0') return 0;
    if (strlen(text) >= 512) return -1;
    for (char *rest = text; rest; count++) {
        char *part = rest;
        rest = strchr(part, ',');
        if (rest) *rest++ = '\0';
        if (count == DDPM_CONFIG_LIST) return -1;
        part = strip(part);
        if (!(whole ? whole_number(&value[count], part) : number(&value[count], part))) return -1;
    }
    return count;
}

/* The value of a row as numbers, a text or nothing; `valid` where the row may have it. */
typedef struct {
    bool valid;
    int count;
    double number[DDPM_CONFIG_LIST];
    const char *text;
} meaning;

static bool is_choice(const char *choices, const char *word)
{
    char all[256], *rest = all;
    snprintf(all, sizeof all, "%s", choices);
    for (char *one; (one = strsep(&rest, " "));)
        if (strcmp(one, word) == 0) return true;
    return false;
}

static meaning meaning_of(const ddpm_config_key *key, const char *said)
{
    char text[4096];
    meaning m = { .count = 1 };
    bool yes = false;
    snprintf(text, sizeof text, "%s", said);
    switch (key->type) {
    case DDPM_KEY_INT: m.valid = whole_number(m.number, text); break;
    case DDPM_KEY_REAL: m.valid = number(m.number, text); break;
    case DDPM_KEY_DURATION: m.valid = duration(m.number, text); break;
    case DDPM_KEY_BOOL:
        m.valid = truth(&yes, text);
        m.number[0] = yes;
        return m;
    case DDPM_KEY_TEXT:
    case DDPM_KEY_CHOICE:
        m.text = said;
        m.valid = key->type == DDPM_KEY_TEXT ? text_is_fit(said) : is_choice(key->choices, said);
        return m;
    case DDPM_KEY_INT_LIST:
    case DDPM_KEY_REAL_LIST:
        m.count = numbers(m.number, text, key->type == DDPM_KEY_INT_LIST);
        m.valid = m.count >= 0;
        break;
    }
    for (int i = 0; i < m.count; i++)
        m.valid = m.valid && m.number[i] >= key->min && m.number[i] <= key->max;
    return m;
}

bool oracle_matches(const ddpm_config *config, size_t row, const char *text)
{
    const ddpm_config_key *key = &ddpm_config_keys[row];
    const void *at = (const char *)config + key->offset;
    const meaning m = meaning_of(key, text);
    if (!m.valid) return false;
    switch (key->type) {
    case DDPM_KEY_INT: return (double)*(const int64_t *)at == m.number[0];
    case DDPM_KEY_REAL: return *(const double *)at == m.number[0];
    /* The order of its sums is not the parser's. */
    case DDPM_KEY_DURATION:
        return fabs(*(const double *)at - m.number[0]) <= 1e-14 * fabs(m.number[0]);
    case DDPM_KEY_BOOL: return *(const bool *)at == (m.number[0] != 0.0);
    case DDPM_KEY_TEXT:
    case DDPM_KEY_CHOICE: return strcmp(at, m.text) == 0;
    case DDPM_KEY_INT_LIST: {
        const ddpm_int_list *list = at;
        bool same = (int)list->count == m.count;
        for (int i = 0; same && i < m.count; i++) same = (double)list->at[i] == m.number[i];
        return same;
    }
    case DDPM_KEY_REAL_LIST: {
        const ddpm_real_list *list = at;
        bool same = (int)list->count == m.count;
        for (int i = 0; same && i < m.count; i++) same = list->at[i] == m.number[i];
        return same;
    }
    }
    return false;
}

/* Of blanks, semicolons and hashes, before a comment. */
static size_t longest_run(const char *line)
{
    char text[4096];
    size_t longest = 0, run = 0;
    snprintf(text, sizeof text, "%s", line);
    cut_comment(text);
    for (const char *c = strip(text); *c; c++) {
        run = isspace((unsigned char)*c) || strchr(";#", *c) ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

static void read_assignment(oracle *said, const char *section, char *line, int at)
{
    char *sign = line;
    while (*sign && !strchr("=:", *sign) &&
           !(*sign == ';' && sign > line && isspace((unsigned char)sign[-1])))
        sign++;
    if ((*sign != '=' && *sign != ':') || sign - line > 64 || longest_run(line) > 64) {
        said->wrong[said->wrong_count++] = at;
        return;
    }
    *sign = '\0';
    char name[8192], *value = sign + 1;
    cut_comment(value);
    snprintf(name, sizeof name, "%s%s%s", section, *section ? "." : "", strip(line));
    size_t row = 0;
    while (row < ddpm_config_key_count && strcmp(ddpm_config_keys[row].name, name) != 0) row++;
    value = strip(value);
    if (row == ddpm_config_key_count || said->line[row] != 0 ||
        !meaning_of(&ddpm_config_keys[row], value).valid) {
        said->wrong[said->wrong_count++] = at;
        return;
    }
    said->line[row] = at;
    snprintf(said->value[row], sizeof said->value[row], "%s", value);
}

void oracle_read(oracle *said, const char *text)
{
    char line[4096], section[4096] = "";
    memset(said, 0, sizeof *said);
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0) text += 3;
    for (int at = 1; *text; at++) {
        const size_t length = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)length, text);
        text += length + (text[length] == '\n');
        char *start = strip(line), *end = strchr(start, ']');
        if (*start == '\0' || *start == ';' || *start == '#') continue;
        if (*start != '[') {
            read_assignment(said, section, start, at);
            continue;
        }
        if (end) *end++ = '\0';
        for (char *c = start; end && *c; c++) /* a comment before the bracket */
            if (*c == ';' && isspace((unsigned char)c[-1])) end = NULL;
        if (strlen(start) > 50) end = NULL; /* no section is called so */
        if (end && (*strip(end) == '\0' || strchr(";#", *strip(end))))
            snprintf(section, sizeof section, "%s", start + 1);
        else
            said->wrong[said->wrong_count++] = at;
    }
}

bool oracle_is_wrong(const oracle *said, int line)
{
    for (int i = 0; i < said->wrong_count; i++)
        if (said->wrong[i] == line) return true;
    return false;
}
