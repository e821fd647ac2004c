/* Values of configuration keys to and from text, by the type that the table gives a key. */
#include "config_internal.h"

#include "ddpm/base/text.h"

#include <inttypes.h>
#include <string.h>

static void *at(ddpm_config *config, const ddpm_config_key *key)
{
    return (char *)config + key->offset;
}

static const void *at_const(const ddpm_config *config, const ddpm_config_key *key)
{
    return (const char *)config + key->offset;
}

static bool is_choice(const char *choices, const char *word)
{
    const size_t length = strlen(word);
    for (const char *c = choices; *c;) {
        const size_t next = strcspn(c, " ");
        if (next == length && strncmp(c, word, length) == 0) return true;
        c += next;
        c += strspn(c, " ");
    }
    return false;
}

/* Calls take for each element of "a, b, c"; an empty text has none. False where one is not taken or
 * there are too many. */
static bool each_element(void *list, const char *text, const ddpm_config_key *key,
                         bool (*take)(void *list, size_t i, const char *, const ddpm_config_key *),
                         size_t *count)
{
    char copy[512];
    if (strlen(text) >= sizeof copy) return false;
    snprintf(copy, sizeof copy, "%s", text);
    *count = 0;
    if (copy[strspn(copy, " \t")] == '\0') return true;
    char *rest = copy;
    for (char *part; (part = strsep(&rest, ",")) != NULL;) {
        part += strspn(part, " \t");
        size_t length = strlen(part);
        while (length > 0 && strchr(" \t", part[length - 1])) part[--length] = '\0';
        if (*count == DDPM_CONFIG_LIST || !take(list, *count, part, key)) return false;
        (*count)++;
    }
    return true;
}

static bool take_int(void *list, size_t i, const char *text, const ddpm_config_key *key)
{
    return ddpm_text_int64(&((ddpm_int_list *)list)->at[i], text, (int64_t)key->min,
                           (int64_t)key->max);
}

static bool take_real(void *list, size_t i, const char *text, const ddpm_config_key *key)
{
    return ddpm_text_double(&((ddpm_real_list *)list)->at[i], text, key->min, key->max);
}

/* Whether a text reads back from an INI file as it is: no line breaks, nothing that would be
 * stripped from its ends or taken for a comment. */
static bool is_storable(const char *text)
{
    const size_t length = strlen(text);
    if (length == 0) return true;
    return length < DDPM_CONFIG_PATH && !strpbrk(text, "\r\n\v\f") && !strstr(text, " ;") &&
           !strstr(text, "\t;") && text[0] != ';' && !strchr(" \t", text[0]) &&
           !strchr(" \t", text[length - 1]);
}

bool ddpm_base__parse_value(ddpm_config *config, const ddpm_config_key *key, const char *text)
{
    void *value = at(config, key);
    switch (key->type) {
    case DDPM_KEY_INT: return ddpm_text_int64(value, text, (int64_t)key->min, (int64_t)key->max);
    case DDPM_KEY_REAL: return ddpm_text_double(value, text, key->min, key->max);
    case DDPM_KEY_BOOL: return ddpm_text_bool(value, text);
    case DDPM_KEY_DURATION: {
        double seconds;
        if (!ddpm_text_duration(&seconds, text) || seconds < key->min || seconds > key->max)
            return false;
        *(double *)value = seconds;
        return true;
    }
    case DDPM_KEY_TEXT:
        if (!is_storable(text)) return false;
        snprintf(value, DDPM_CONFIG_PATH, "%s", text);
        return true;
    case DDPM_KEY_CHOICE:
        if (!is_choice(key->choices, text)) return false;
        snprintf(value, DDPM_CONFIG_WORD, "%s", text);
        return true;
    case DDPM_KEY_INT_LIST: {
        ddpm_int_list list = { 0 };
        if (!each_element(&list, text, key, take_int, &list.count)) return false;
        *(ddpm_int_list *)value = list;
        return true;
    }
    case DDPM_KEY_REAL_LIST: {
        ddpm_real_list list = { 0 };
        if (!each_element(&list, text, key, take_real, &list.count)) return false;
        *(ddpm_real_list *)value = list;
        return true;
    }
    }
    return false;
}

/* "a whole number from 1 to 1024", for messages. */
const char *ddpm_base__describe_key(const ddpm_config_key *key, char *text, size_t size)
{
    static const char *const sort[] = {
        [DDPM_KEY_INT] = "a whole number",
        [DDPM_KEY_REAL] = "a number",
        [DDPM_KEY_BOOL] = "true or false",
        [DDPM_KEY_TEXT] = "a text that fits in a line, shorter than 1024, without ' ;'",
        [DDPM_KEY_CHOICE] = "one of",
        [DDPM_KEY_DURATION] = "a duration such as 90, 5m, 2h, 1d12h or 1:30:00",
        [DDPM_KEY_INT_LIST] = "a list of at most 8 whole numbers, each",
        [DDPM_KEY_REAL_LIST] = "a list of at most 8 numbers, each",
    };
    char min[32], max[32];
    switch (key->type) {
    case DDPM_KEY_INT:
    case DDPM_KEY_REAL:
    case DDPM_KEY_INT_LIST:
    case DDPM_KEY_REAL_LIST:
        snprintf(text, size, "%s from %s to %s", sort[key->type], ddpm_text_real(min, key->min),
                 ddpm_text_real(max, key->max));
        break;
    case DDPM_KEY_CHOICE: snprintf(text, size, "one of: %s", key->choices); break;
    default: snprintf(text, size, "%s", sort[key->type]); break;
    }
    return text;
}

const char *ddpm_config_value(const ddpm_config *config, size_t index, char *text, size_t size)
{
    const ddpm_config_key *key = &ddpm_config_keys[index];
    const void *value = at_const(config, key);
    char number[32];
    size_t used = 0;
    if (size) text[0] = '\0';
    switch (key->type) {
    case DDPM_KEY_INT: snprintf(text, size, "%" PRId64, *(const int64_t *)value); break;
    case DDPM_KEY_REAL:
    case DDPM_KEY_DURATION:
        snprintf(text, size, "%s", ddpm_text_real(number, *(const double *)value));
        break;
    case DDPM_KEY_BOOL: snprintf(text, size, "%s", *(const bool *)value ? "true" : "false"); break;
    case DDPM_KEY_TEXT:
    case DDPM_KEY_CHOICE: snprintf(text, size, "%s", (const char *)value); break;
    case DDPM_KEY_INT_LIST: {
        const ddpm_int_list *list = value;
        for (size_t i = 0; i < list->count && used < size; i++)
            used += (size_t)snprintf(text + used, size - used, "%s%" PRId64, i ? "," : "",
                                     list->at[i]);
        break;
    }
    case DDPM_KEY_REAL_LIST: {
        const ddpm_real_list *list = value;
        for (size_t i = 0; i < list->count && used < size; i++)
            used += (size_t)snprintf(text + used, size - used, "%s%s", i ? "," : "",
                                     ddpm_text_real(number, list->at[i]));
        break;
    }
    }
    return text;
}
