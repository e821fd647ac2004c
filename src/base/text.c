#include "ddpm/base/text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool ddpm_text_double(double *out, const char *text, double min, double max)
{
    if (*text == '\0' || strchr(" \t\n", *text)) return false;
    char *end;
    errno = 0;
    const double value = strtod(text, &end);
    if (*end != '\0' || !isfinite(value) || value < min || value > max) return false;
    *out = value;
    return true;
}

static bool is_decimal(const char *text)
{
    return strspn(text, "+-0123456789_") == strlen(text);
}

bool ddpm_text_int64(int64_t *out, const char *text, int64_t min, int64_t max)
{
    char digits[64];
    size_t used = 0;
    for (const char *c = text; *c; c++) {
        if (*c == '_' && used > 0 && c[1] != '\0') continue;
        if (used + 1 == sizeof digits) return false;
        digits[used++] = *c;
    }
    digits[used] = '\0';
    int64_t value;
    if (is_decimal(digits)) {
        if (used == 0) return false;
        char *end;
        errno = 0;
        value = strtoll(digits, &end, 10);
        if (*end != '\0' || errno != 0) return false;
    } else { /* 8e5 */
        double real;
        if (!ddpm_text_double(&real, digits, -0x1p53, 0x1p53) || real != floor(real)) return false;
        value = (int64_t)real;
    }
    if (value < min || value > max) return false;
    *out = value;
    return true;
}

bool ddpm_text_bool(bool *out, const char *text)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = { { "true", true }, { "false", false }, { "yes", true }, { "no", false },
                  { "on", true },   { "off", false },   { "1", true },   { "0", false } };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(text, words[i].word) == 0) {
            *out = words[i].value;
            return true;
        }
    return false;
}

/* h:m:s or m:s */
static bool clock_duration(double *out, const char *text)
{
    double total = 0.0;
    int parts = 0;
    char copy[64];
    if (strlen(text) >= sizeof copy) return false;
    snprintf(copy, sizeof copy, "%s", text);
    char *rest = copy;
    for (char *part; (part = strsep(&rest, ":")) != NULL; parts++) {
        double value;
        if (!ddpm_text_double(&value, part, 0.0, 1e9)) return false;
        if (parts > 0 && value >= 60.0) return false;
        total = 60.0 * total + value;
    }
    *out = total;
    return parts == 2 || parts == 3;
}

bool ddpm_text_duration(double *out_seconds, const char *text)
{
    if (strchr(text, ':')) return clock_duration(out_seconds, text);
    if (ddpm_text_double(out_seconds, text, 0.0, 1e12)) return true;
    static const char units[] = "dhms";
    static const double seconds[] = { 86400.0, 3600.0, 60.0, 1.0 };
    double total = 0.0;
    size_t next_unit = 0;
    if (*text == '\0') return false;
    while (*text != '\0') {
        if (strspn(text, "0123456789.") == 0) return false;
        char *end;
        const double value = strtod(text, &end);
        const char *unit = *end ? strchr(units, *end) : NULL;
        if (!unit || (size_t)(unit - units) < next_unit) return false;
        next_unit = (size_t)(unit - units) + 1;
        total += value * seconds[unit - units];
        text = end + 1;
    }
    *out_seconds = total;
    return true;
}

const char *ddpm_text_bytes(char *text, uint64_t bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024.0 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1024.0;
        unit++;
    }
    snprintf(text, 32,
             unit == 0    ? "%.0f %s"
             : value < 10 ? "%.2f %s"
                          : "%.1f %s",
             value, units[unit]);
    return text;
}

const char *ddpm_text_seconds(char *text, double seconds)
{
    if (!isfinite(seconds) || seconds < 0) {
        snprintf(text, 32, "-");
        return text;
    }
    const unsigned long long whole = (unsigned long long)(seconds + 0.5);
    if (whole >= 86400)
        snprintf(text, 32, "%llu d %02llu h", whole / 86400, whole % 86400 / 3600);
    else if (whole >= 3600)
        snprintf(text, 32, "%llu h %02llu min", whole / 3600, whole % 3600 / 60);
    else if (whole >= 60)
        snprintf(text, 32, "%llu min %02llu s", whole / 60, whole % 60);
    else if (seconds >= 10 || seconds == 0)
        snprintf(text, 32, "%llu s", whole);
    else
        snprintf(text, 32, "%.1f s", seconds);
    return text;
}

const char *ddpm_text_count(char *text, uint64_t count)
{
    char digits[24];
    const int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    size_t used = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = '\0';
    return text;
}

size_t ddpm_text_distance(const char *a, const char *b)
{
    enum { MOST = 128 };
    const size_t n = strnlen(a, MOST - 1), m = strnlen(b, MOST - 1);
    size_t row[MOST]; /* row[j]: distance of the first i characters of a to the first j of b */
    for (size_t j = 0; j <= m; j++) row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[m];
}

const char *ddpm_text_nearest(const char *wanted, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t least = strlen(wanted) / 2 + 1; /* farther off, a guess misleads */
    for (size_t i = 0; i < count; i++) {
        const size_t distance = ddpm_text_distance(wanted, names[i]);
        if (distance < least || (distance == least && !best)) {
            least = distance;
            best = names[i];
        }
    }
    return best;
}

const char *ddpm_text_real(char *text, double value)
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, 32, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    return text;
}

/* Bytes of the character that begins here; 0: none does (Unicode 15, table 3-7). */
static size_t character_bytes(const unsigned char *c)
{
    unsigned char low = 0x80, high = 0xbf; /* of the second byte */
    size_t bytes;
    if (c[0] < 0x80) return 1;
    if (c[0] >= 0xc2 && c[0] <= 0xdf)
        bytes = 2;
    else if (c[0] >= 0xe0 && c[0] <= 0xef)
        bytes = 3;
    else if (c[0] >= 0xf0 && c[0] <= 0xf4)
        bytes = 4;
    else
        return 0;
    if (c[0] == 0xe0) low = 0xa0;  /* no longer than need be */
    if (c[0] == 0xed) high = 0x9f; /* no surrogate */
    if (c[0] == 0xf0) low = 0x90;
    if (c[0] == 0xf4) high = 0x8f; /* up to U+10FFFF */
    if (c[1] < low || c[1] > high) return 0;
    for (size_t i = 2; i < bytes; i++)
        if (c[i] < 0x80 || c[i] > 0xbf) return 0;
    return bytes;
}

const char *ddpm_text_utf8(char *to, size_t size, const char *from)
{
    size_t used = 0;
    while (*from) {
        char escaped[8];
        const char *piece = from;
        size_t bytes = character_bytes((const unsigned char *)from), taken = bytes;
        if (bytes == 0) {
            snprintf(escaped, sizeof escaped, "\\x%02x", (unsigned)(unsigned char)*from);
            piece = escaped;
            bytes = 4;
            taken = 1;
        }
        if (bytes >= size - used) break;
        memcpy(to + used, piece, bytes);
        used += bytes;
        from += taken;
    }
    to[used] = '\0';
    return to;
}
