/* The report as lines that fit a terminal, or as JSON. */
#include "doctor_report.h"
#include "doctor_text.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LINES = 6, INDENT = 24, WIDTH = 100, WHO_BYTES = 512 };
static const char *const verdicts[DDPM_VERDICTS] = { "ok", "warning", "error" };

/* "ranks 0-3 of node07", "rank 5 (node07)"; "" where it is about all. */
static void name_ranks(char who[WHO_BYTES], const ddpm_doctor_report *report,
                       const ddpm_doctor_finding *finding)
{
    int count = 0;
    const char *host = NULL;
    bool one_host = true;
    for (int r = 0; r < report->ranks; r++) {
        if (!finding->ranks[r]) continue;
        count++;
        one_host &= !host || strcmp(host, report->facts[r].host) == 0;
        host = report->facts[r].host;
    }
    who[0] = '\0';
    if (count == report->ranks || count == 0) return;
    char list[WHO_BYTES / 2];
    ddpm_app__number_list(list, sizeof list, finding->ranks, (size_t)report->ranks);
    snprintf(who, WHO_BYTES, "rank%s %s%s%s%s", count == 1 ? "" : "s", list, one_host ? " (" : "",
             one_host ? host : "", one_host ? ")" : "");
}

/* Breaks between words; the first line begins behind `used` columns. */
static void print_wrapped(const char *text, size_t used)
{
    size_t column = used;
    while (*text) {
        const size_t word = strcspn(text, " ");
        if (column > INDENT && column + 1 + word > WIDTH) {
            printf("\n%*s", INDENT, "");
            column = INDENT;
        } else if (column > INDENT) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)word, text);
        column += word;
        text += word + (text[word] == ' ');
    }
    putchar('\n');
}

static void print_finding(const ddpm_doctor_report *report, const ddpm_doctor_finding *finding)
{
    char who[WHO_BYTES], line[WHO_BYTES + sizeof finding->found + 64];
    name_ranks(who, report, finding);
    snprintf(line, sizeof line, "%s%s%s%s", who, *who ? ": " : "", finding->found,
             finding->is_varied ? " (the first of several, all of them fine)" : "");
    printf("%-8s %-14s ", verdicts[finding->verdict], finding->check);
    print_wrapped(line, INDENT);
    if (!*finding->remedy) return;
    snprintf(line, sizeof line, "-> %s", finding->remedy);
    printf("%*s", INDENT, "");
    print_wrapped(line, INDENT);
}

/* A check that finds another thing on every rank does not fill the screen. */
static void print_text(const ddpm_doctor_report *report)
{
    size_t lines = 0, left_out = 0;
    for (size_t i = 0; i < report->count; i++) {
        const char *check = report->finding[i].check;
        if (i > 0 && strcmp(check, report->finding[i - 1].check) != 0) lines = 0;
        if (lines++ < MOST_LINES)
            print_finding(report, &report->finding[i]);
        else
            left_out++;
    }
    if (left_out) printf("%zu more findings of the same kinds; --json has them all\n", left_out);
    const size_t ok = ddpm_app__report_count(report, DDPM_DOCTOR_OK),
                 warnings = ddpm_app__report_count(report, DDPM_DOCTOR_WARNING),
                 errors = ddpm_app__report_count(report, DDPM_DOCTOR_ERROR);
    printf("%zu ok, %zu warning%s, %zu error%s: %s\n", ok, warnings, warnings == 1 ? "" : "s",
           errors, errors == 1 ? "" : "s",
           errors     ? "training cannot run like this"
           : warnings ? "training runs, but not as well as it could"
                      : "a good place for training");
}

static json_t *text_or_null(const char *text)
{
    return *text ? json_string(text) : json_null();
}

static ddpm_status print_json(const ddpm_doctor_report *report)
{
    json_t *checks = json_array();
    for (size_t i = 0; i < report->count; i++) {
        const ddpm_doctor_finding *finding = &report->finding[i];
        char ranks[WHO_BYTES];
        ddpm_app__number_list(ranks, sizeof ranks, finding->ranks, (size_t)report->ranks);
        json_array_append_new(checks,
                              json_pack("{s:s, s:s, s:s, s:o, s:i, s:s}", "check", finding->check,
                                        "verdict", verdicts[finding->verdict], "found",
                                        finding->found, "remedy", text_or_null(finding->remedy),
                                        "code", (int)finding->code, "ranks", ranks));
    }
    json_t *json = json_pack(
        "{s:o, s:i, s:I, s:I, s:I, s:i}", "checks", checks, "ranks", report->ranks, "ok",
        (json_int_t)ddpm_app__report_count(report, DDPM_DOCTOR_OK), "warnings",
        (json_int_t)ddpm_app__report_count(report, DDPM_DOCTOR_WARNING), "errors",
        (json_int_t)ddpm_app__report_count(report, DDPM_DOCTOR_ERROR), "exit_code",
        (int)ddpm_app__report_code(report));
    char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    json_decref(json);
    if (!text) return ddpm_fail(DDPM_EOS, "no memory for the report as JSON");
    puts(text);
    free(text);
    return DDPM_OK;
}

ddpm_status ddpm_app__report_print(const ddpm_doctor_report *report, bool json)
{
    if (report->is_incomplete) return ddpm_fail(DDPM_EOS, "no memory for the report");
    if (json) return print_json(report);
    print_text(report);
    return DDPM_OK;
}
