/* Reading INI, by inih. */
#include "config_internal.h"

#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

/* What isspace() takes for space, less the end of a line. */
#define SPACES " \t\r\v\f"

/* inih as Debian builds it tells its handler no line numbers and reads at most 200 characters a
 * line. So the reader counts lines, and hands a longer one over in pieces that inih takes for
 * continuation lines; a key is assigned when its last piece is there. */
typedef struct {
    ddpm_config *config;
    const char *name, *text; /* text: what is not read yet */
    int line;
    bool in_line; /* the last piece did not end its line */
    char key[256], value[DDPM_CONFIG_PATH];
    int key_line; /* of the key that waits to be assigned; 0: none does */
    ddpm_status status;
} reading;

static void assign_waiting_key(reading *in)
{
    if (in->key_line == 0 || in->status != DDPM_OK) return;
    char where[DDPM_CONFIG_PATH + 16];
    snprintf(where, sizeof where, "%s:%d", in->name, in->key_line);
    const ddpm_config_source source = { .kind = DDPM_SOURCE_FILE, .line = in->key_line };
    in->status = ddpm_base__config_assign(in->config, in->key, in->value, source, where);
    in->key_line = 0;
}

/* What a piece must not begin with, since inih strips it or takes it for a comment. A run of these
 * that is too long to be cut around is an error. */
#define NO_BEGINNING SPACES ";#"
enum { RUN_MOST = 64, KEY_MOST = 64 };

/* As many characters as fit, cut where neither side begins or ends in such a character. */
static size_t piece_length(const char *text, size_t length, size_t most)
{
    if (length <= most) return length;
    while (strchr(NO_BEGINNING, text[most]) || strchr(SPACES, text[most - 1])) most--;
    return most;
}

/* "[section]", and nothing behind it but a comment: inih would not look there; and it would cut a
 * longer name. */
static bool is_section(const char *line, size_t length)
{
    enum { NAME_MOST = 49 };
    const char *end = memchr(line, ']', length);
    if (!end || end - line > 1 + NAME_MOST) return false;
    end += 1 + strspn(end + 1, SPACES);
    return end >= line + length || strchr(";#", *end);
}

/* The length of a line without the comment that may follow a value, by " ;", and blanks at its
 * end. */
static size_t content_length(const char *line, size_t length)
{
    for (size_t i = 1; i < length; i++)
        if (line[i] == ';' && strchr(SPACES, line[i - 1])) length = i;
    while (length > 0 && strchr(SPACES, line[length - 1])) length--;
    return length;
}

static ddpm_status bad_line(const reading *in)
{
    return ddpm_fail(DDPM_ECONFIG,
                     "%s:%d: the line is neither '[section]' nor 'key = value' nor a comment "
                     "(; or #)",
                     in->name, in->line);
}

/* A line that inih reads as we do, whole or in pieces. */
static ddpm_status check_line(const reading *in, size_t length, size_t content)
{
    const char *text = in->text;
    if (*text == '[') return is_section(text, length) ? DDPM_OK : bad_line(in);
    if (length == 0 || strchr(";#", *text)) return DDPM_OK;
    if (strcspn(text, "=:") > (content < KEY_MOST ? content : KEY_MOST)) return bad_line(in);
    for (size_t i = 0; i < content; i += 1 + strcspn(text + i, NO_BEGINNING))
        if (strspn(text + i, NO_BEGINNING) > RUN_MOST)
            return ddpm_fail(DDPM_ECONFIG, "%s:%d: more than %d blanks, ; or # in a row", in->name,
                             in->line, RUN_MOST);
    return DDPM_OK;
}

static char *next_piece(char *buffer, int size, void *context)
{
    reading *in = context;
    const size_t room = (size_t)size - 3;
    size_t key = 0; /* characters up to the value, where a long one begins */
    if (*in->text == '\0' || in->status != DDPM_OK) return NULL;
    if (!in->in_line) {
        in->line++;
        in->text += strspn(in->text, SPACES); /* an indented line is no continuation */
    }
    const size_t length = strcspn(in->text, "\n"), content = content_length(in->text, length);
    if (!in->in_line) {
        in->status = check_line(in, length, content);
        if (in->status != DDPM_OK) return NULL;
        if (content <= room || strchr(";#[", *in->text)) { /* inih sees all that matters */
            snprintf(buffer, (size_t)size, "%.*s\n", (int)(length < room ? length : room),
                     in->text);
            in->text += length + (in->text[length] == '\n');
            return buffer;
        }
        key = strcspn(in->text, "=:") + 1;
    }
    const size_t blank = strspn(in->text + key, SPACES), begin = key + blank;
    const size_t taken = piece_length(in->text + begin, content - begin, room - key);
    snprintf(buffer, (size_t)size, "%.*s%s%.*s\n", (int)key, in->text, in->in_line ? " " : "",
             (int)taken, in->text + begin);
    in->in_line = begin + taken < content;
    in->text += in->in_line ? begin + taken : length;
    if (!in->in_line && *in->text == '\n') in->text++;
    return buffer;
}

/* What inih counts as lines are pieces. */
static ddpm_status bad_piece(const char *text, const char *name, int piece)
{
    char buffer[INI_MAX_LINE];
    reading in = { .name = name, .text = text };
    for (int i = 0; i < piece; i++)
        if (!next_piece(buffer, sizeof buffer, &in)) break;
    return bad_line(&in);
}

static int on_key(void *context, const char *section, const char *key, const char *value)
{
    reading *in = context;
    if (in->key_line == in->line) { /* a further piece of the same line */
        const size_t used = strlen(in->value);
        if (used + strlen(value) >= sizeof in->value) {
            in->status = ddpm_fail(DDPM_ECONFIG, "%s:%d: the value is longer than %zu characters",
                                   in->name, in->line, sizeof in->value - 1);
            return 0;
        }
        snprintf(in->value + used, sizeof in->value - used, "%s", value);
        return 1;
    }
    assign_waiting_key(in);
    snprintf(in->key, sizeof in->key, "%s%s%s", section, *section ? "." : "", key);
    snprintf(in->value, sizeof in->value, "%s", value);
    in->key_line = in->line;
    return in->status == DDPM_OK;
}

ddpm_status ddpm_config_parse(ddpm_config *config, const char *text, const char *name)
{
    snprintf(config->file, sizeof config->file, "%s", name);
    for (size_t i = 0; i < ddpm_config_key_count; i++)
        if (config->source[i].kind == DDPM_SOURCE_FILE)
            config->source[i] = (ddpm_config_source){ .kind = DDPM_SOURCE_DEFAULT };
    reading in = { .config = config, .name = name, .text = text };
    const int bad = ini_parse_stream(next_piece, &in, on_key, &in);
    if (in.status == DDPM_OK && bad > 0) in.status = bad_piece(text, name, bad);
    if (bad < 0) in.status = ddpm_fail(DDPM_EOS, "%s: out of memory", name);
    assign_waiting_key(&in);
    return in.status;
}

ddpm_status ddpm_config_read(ddpm_config *config, const char *path)
{
    enum { LARGEST = 1 << 20 };
    ddpm_status status;
    FILE *file = fopen(path, "rb");
    if (!file)
        return ddpm_fail(DDPM_ENOINPUT, "cannot read the configuration %s: %s", path,
                         strerror(errno));
    char *text = malloc(LARGEST + 1);
    if (!text) {
        status = ddpm_fail(DDPM_EOS, "out of memory reading %s", path);
        goto done;
    }
    const size_t bytes = fread(text, 1, LARGEST + 1, file);
    if (ferror(file)) {
        status = ddpm_fail(DDPM_ENOINPUT, "cannot read the configuration %s: %s", path,
                           strerror(errno));
    } else if (bytes > LARGEST || memchr(text, '\0', bytes)) {
        status = ddpm_fail(DDPM_ECONFIG, "%s is no configuration: %s", path,
                           bytes > LARGEST ? "larger than 1 MiB" : "it holds NUL bytes");
    } else {
        text[bytes] = '\0';
        status = ddpm_config_parse(config, text, path);
    }
done:
    free(text);
    fclose(file);
    return status;
}
