/* The manual page and the table of keys say the same. */
#include "ddpm/base/config.h"

#include "check.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *manual; /* its part about the keys */

static int read_manual(void **state)
{
    static char text[1 << 17];
    (void)state;
    FILE *file = fopen(DDPM_MANUAL, "rb");
    assert_non_null(file);
    const size_t bytes = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    assert_in_range(bytes, 1, sizeof text - 2);
    manual = strstr(text, "\n# CONFIGURATION\n");
    assert_non_null(manual);
    char *end = strstr(manual + 2, "\n# ");
    assert_non_null(end);
    *end = '\0';
    return 0;
}

/* "_train.steps_ (800000, may change)" */
static void head_of(char head[128], const ddpm_config_key *key)
{
    const char *change = key->fixed ? "" : *key->standard ? ", may change" : "may change";
    snprintf(head, 128, "_%s_ (%s%s)", key->name, key->standard, change);
}

static void every_key_is_there_with_its_default_and_whether_it_may_change(void **state)
{
    (void)state;
    for (size_t i = 0; i < ddpm_config_key_count; i++) {
        char head[128];
        head_of(head, &ddpm_config_keys[i]);
        if (!strstr(manual, head)) fail_msg("the manual has no '%s'", head);
    }
}

/* Below the head, up to an empty line, as _word_ each. */
static void every_word_of_a_choice_is_there(void **state)
{
    (void)state;
    size_t words = 0;
    for (size_t i = 0; i < ddpm_config_key_count; i++) {
        char head[128], choices[256];
        if (!ddpm_config_keys[i].choices) continue;
        head_of(head, &ddpm_config_keys[i]);
        const char *entry = strstr(manual, head), *end = entry ? strstr(entry, "\n\n") : NULL;
        if (!end) {
            fail_msg("the manual has no %s", head);
            return;
        }
        snprintf(choices, sizeof choices, "%s", ddpm_config_keys[i].choices);
        for (char *word = strtok(choices, " "); word; word = strtok(NULL, " "), words++) {
            char marked[64];
            snprintf(marked, sizeof marked, "_%s_", word);
            const char *at = strstr(entry + strlen(head), marked);
            if (!at || at > end) fail_msg("'%s' of the manual does not say %s", head, marked);
        }
    }
    assert_in_range(words, 20, 1000);
}

static bool is_key(const char *name, size_t length)
{
    for (size_t i = 0; i < ddpm_config_key_count; i++)
        if (strlen(ddpm_config_keys[i].name) == length &&
            memcmp(ddpm_config_keys[i].name, name, length) == 0)
            return true;
    return false;
}

/* What stands before a bracket as "_section.key_ (" */
static void nothing_else_is_there(void **state)
{
    (void)state;
    size_t found = 0;
    for (const char *at = manual; (at = strstr(at, "_ (")); at++) {
        const char *first = at;
        while (isalnum((unsigned char)first[-1]) || strchr("._", first[-1])) first--;
        if (*first != '_' || !memchr(first, '.', (size_t)(at - first))) continue;
        const size_t length = (size_t)(at - first) - 1;
        if (!is_key(first + 1, length))
            fail_msg("the manual has %.*s, which is no key", (int)length, first + 1);
        found++;
    }
    assert_int_equal(found, ddpm_config_key_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_there_with_its_default_and_whether_it_may_change),
        cmocka_unit_test(every_word_of_a_choice_is_there),
        cmocka_unit_test(nothing_else_is_there),
    };
    return cmocka_run_group_tests(tests, read_manual, NULL);
}
