/* Ten thousand damaged configurations: each is read as exactly what it says, or refused with the
 * line that is wrong. */
#include "config_oracle.h"
#include "ddpm/base/philox.h"

#include "check.h"

#include <stdlib.h>
#include <string.h>

enum { MUTATIONS = 10000, FEW = 1000, TEXT_BYTES = 16384 };

/* What an editor of such files would type, and what none should. */
static const char *const tokens[] = {
    "batch",    "= ",
    "1e3",      "-1",
    "0",        "1_000",
    "nan",      "inf",
    "0x10",     "[train]",
    "[model]",  "] x",
    " ;",       "#",
    "\n",       "\n\n",
    "\r\n",     " \t",
    "=",        ":",
    "true",     "off",
    "1d",       "2h",
    "1:30",     ",",
    ",,",       "linear",
    "cosine",   "\xef\xbb\xbf",
    "\xc3\xa4", "99999999999999999999",
    "1e400",    "path = a b",
    "\v",       "\f",
    "x",        "steps = 5\n",
};

typedef struct {
    uint64_t case_index;
    uint32_t drawn;
} dice;

static size_t draw(dice *d, size_t bound)
{
    const ddpm_random random = { 7, d->case_index, DDPM_RANDOM_TEST, d->drawn++ };
    return (size_t)ddpm_random_below(bound, &random);
}

static void insert(char *text, size_t at, const char *what, size_t bytes)
{
    const size_t length = strlen(text);
    if (length + bytes >= TEXT_BYTES) return;
    memmove(text + at + bytes, text + at, length - at + 1);
    memcpy(text + at, what, bytes);
}

static void erase(char *text, size_t at, size_t bytes)
{
    const size_t length = strlen(text);
    if (bytes > length - at) bytes = length - at;
    memmove(text + at, text + at + bytes, length - at - bytes + 1);
}

/* The beginning and the length, with its end, of the line around a place. */
static size_t line_around(size_t *bytes, const char *text, size_t at)
{
    while (at > 0 && text[at - 1] != '\n') at--;
    *bytes = strcspn(text + at, "\n");
    *bytes += text[at + *bytes] == '\n';
    return at;
}

static void mutate(char *text, dice *d)
{
    enum {
        FLIP,
        BYTE,
        ERASE,
        ERASE_SOME,
        TOKEN,
        REPEAT_LINE,
        ERASE_LINE,
        MOVE_LINE,
        STRETCH,
        KINDS
    };
    const size_t length = strlen(text);
    if (length == 0) return;
    size_t at = draw(d, length), bytes;
    const size_t kind = draw(d, KINDS);
    char line[TEXT_BYTES];
    switch (kind) {
    case FLIP: text[at] ^= (char)(1 << draw(d, 7)); break;
    case BYTE: text[at] = (char)(1 + draw(d, 255)); break;
    case ERASE: erase(text, at, 1); break;
    case ERASE_SOME: erase(text, at, 1 + draw(d, 40)); break;
    case TOKEN: {
        const char *token = tokens[draw(d, sizeof tokens / sizeof *tokens)];
        insert(text, at, token, strlen(token));
        break;
    }
    case STRETCH: { /* past what inih reads at once */
        memset(line, "x0 ;,"[draw(d, 5)], 300);
        insert(text, at, line, 1 + draw(d, 300));
        break;
    }
    default:
        at = line_around(&bytes, text, at);
        memcpy(line, text + at, bytes);
        if (kind != REPEAT_LINE) erase(text, at, bytes);
        if (kind == ERASE_LINE) break;
        at = draw(d, strlen(text) + 1);
        insert(text, line_around(&(size_t){ 0 }, text, at), line, bytes);
    }
    /* A flipped bit may have made a 0, which ends a text. */
    for (size_t i = 0; i < length; i++)
        if (text[i] == '\0') return;
}

static char *base_text(void)
{
    static ddpm_config config;
    ddpm_config_init(&config);
    CHECK_OK(ddpm_config_set(&config, "data.path=/scratch/a data set/of;images.h5"));
    CHECK_OK(ddpm_config_set(&config, "train.time_limit=5400"));
    CHECK_OK(ddpm_config_set(&config, "ema.rates=0.9999,0.999"));
    char *all = ddpm_config_text(&config), *text = malloc(TEXT_BYTES);
    assert_non_null(all);
    assert_non_null(text);
    snprintf(text, TEXT_BYTES,
             "# a run of a small network, as an example for all the others\n%s\n ; the end\n", all);
    free(all);
    return text;
}

/* 1 where it was accepted. */
static int check_one(const char *text, uint64_t case_index)
{
    static ddpm_config config, standard;
    static oracle said;
    ddpm_config_init(&config);
    ddpm_config_init(&standard);
    oracle_read(&said, text);
    const ddpm_status status = ddpm_config_parse(&config, text, "run.ini");
    if (status != DDPM_OK) {
        static const char prefix[] = "run.ini:";
        CHECK_STATUS(status, DDPM_ECONFIG);
        const char *message = ddpm_status_message();
        const bool has_prefix = strncmp(message, prefix, sizeof prefix - 1) == 0;
        char *end;
        const long line = has_prefix ? strtol(message + sizeof prefix - 1, &end, 10) : 0;
        if (!has_prefix || *end != ':' || !oracle_is_wrong(&said, (int)line))
            fail_msg("case %d: nothing is wrong there: %s\n%s", (int)case_index,
                     ddpm_status_message(), text);
        return 0;
    }
    if (said.wrong_count > 0)
        fail_msg("case %d: line %d is wrong and was accepted\n%s", (int)case_index, said.wrong[0],
                 text);
    for (size_t i = 0; i < ddpm_config_key_count; i++) {
        char is[DDPM_CONFIG_PATH], would_be[DDPM_CONFIG_PATH];
        const ddpm_config_source *source = &config.source[i];
        ddpm_config_value(&config, i, is, sizeof is);
        ddpm_config_value(&standard, i, would_be, sizeof would_be);
        const bool right = said.line[i]
                               ? oracle_matches(&config, i, said.value[i]) &&
                                     source->kind == DDPM_SOURCE_FILE &&
                                     source->line == said.line[i]
                               : strcmp(is, would_be) == 0 && source->kind == DDPM_SOURCE_DEFAULT;
        if (!right)
            fail_msg("case %d: %s is %s, and line %d says '%s'\n%s", (int)case_index,
                     ddpm_config_keys[i].name, is, said.line[i], said.value[i], text);
    }
    return 1;
}

static void ten_thousand_mutations_are_read_exactly_or_refused_by_their_line(void **state)
{
    (void)state;
    char *base = base_text(), *text = malloc(TEXT_BYTES);
    assert_non_null(text);
    int accepted = check_one(base, 0);
    assert_int_equal(accepted, 1);
    for (uint64_t i = 1; i <= MUTATIONS; i++) {
        dice d = { i, 0 };
        memcpy(text, base, strlen(base) + 1);
        for (size_t n = 1 + draw(&d, 2); n > 0; n--) mutate(text, &d);
        accepted += check_one(text, i);
    }
    /* Both ways are common, so that both are tested. */
    CHECK_LE(FEW, accepted);
    CHECK_LE(accepted, MUTATIONS - FEW);
    free(text);
    free(base);
}

/* What each of those found in its time. */
static void what_a_line_says_is_never_dropped(void **state)
{
    (void)state;
    char text[4096], filler[600];
    memset(filler, 'x', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    static const char *const cases[] = {
        "[train] batch = 16\n",
        "[train]\nbatch = 16\n# %s\n",
        "[train]\nbatch = 16\n; %s = 3\n",
        "[data]\npath = %s ; a comment %.190s\n",
        "[data]\npath = a ; a comment %s%s\n",
        "[train]\n; %s\nwhat is this\n",
        "[data]\npath = %.185s\f\v%s\n",
        "[train %s]\nbatch = 16\n",
        "[data]\npath = ; nothing\n",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, cases[i], filler, filler);
        check_one(text, i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_mutations_are_read_exactly_or_refused_by_their_line),
        cmocka_unit_test(what_a_line_says_is_never_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
