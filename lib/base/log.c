#include "base/log.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { LINE_BYTES = 1024, VALUE_BYTES = 256 };

static struct {
    atomic_int level;
    atomic_bool as_json;
} setup = {LOG_INFO, false};

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};

struct line {
    char text[LINE_BYTES];
    size_t len;
    bool is_cut; /* something did not fit */
};

void log_setup(enum log_level level, bool as_json)
{
    setup.level = (int)level;
    setup.as_json = as_json;
}

/* Room for the line's end is always kept: a line is cut, never lost. */
static void line_put(struct line *line, const char *text)
{
    size_t len = strlen(text), room = sizeof(line->text) - 4 - line->len;

    if (len > room) {
        line->is_cut = true;
        len = room;
    }
    memcpy(line->text + line->len, text, len);
    line->len += len;
}

static void line_escape(struct line *line, unsigned char byte)
{
    char text[8];

    if (byte == '"' || byte == '\\')
        snprintf(text, sizeof(text), "\\%c", byte);
    else if (byte < 0x20 || byte >= 0x7f)
        snprintf(text, sizeof(text), "\\u%04x", byte);
    else
        snprintf(text, sizeof(text), "%c", byte);
    line_put(line, text);
}

/* Whether a character of three bytes is unseen, ends a line or turns its direction: U+200B to
 * U+200F, U+2028 to U+202E, U+2060 to U+206F, U+FEFF. */
static bool is_deceptive(const unsigned char at[3])
{
    if (at[0] == 0xef)
        return at[1] == 0xbb && at[2] == 0xbf;
    if (at[0] != 0xe2)
        return false;
    return (at[1] == 0x80 &&
            ((at[2] >= 0x8b && at[2] <= 0x8f) || (at[2] >= 0xa8 && at[2] <= 0xae))) ||
           (at[1] == 0x81 && at[2] >= 0xa0 && at[2] <= 0xaf);
}

/* How many bytes, two to four, are one well-formed UTF-8 character; 0 when they are not, and
 * for those that could deceive, like the control characters U+0080 to U+009F. */
static size_t utf8_len(const unsigned char *at, size_t left)
{
    size_t len = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;

    if (at[0] < 0xc2 || at[0] > 0xf4 || left < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((at[0] == 0xc2 && at[1] < 0xa0) || (at[0] == 0xe0 && at[1] < 0xa0) ||
        (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf0 && at[1] < 0x90) ||
        (at[0] == 0xf4 && at[1] > 0x8f) || (len == 3 && is_deceptive(at)))
        return 0;
    return len;
}

static void line_quote(struct line *line, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t left = strnlen(text, VALUE_BYTES);

    line_put(line, "\"");
    while (left > 0) {
        size_t len = utf8_len(at, left);
        char character[5] = "";

        if (len > 0) {
            memcpy(character, at, len);
            line_put(line, character);
        } else {
            line_escape(line, *at);
            len = 1;
        }
        at += len;
        left -= len;
    }
    line_put(line, "\"");
}

static bool is_plain(const char *text)
{
    return *text && strlen(text) < VALUE_BYTES &&
           !text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789-_.:/[]+,@%")];
}

static void line_value(struct line *line, const char *text)
{
    if (!setup.as_json && is_plain(text))
        line_put(line, text);
    else
        line_quote(line, text);
}

static void line_put_kv(struct line *line, const struct log_kv *kv)
{
    char number[24];

    line_put(line, setup.as_json ? ",\"" : " ");
    line_put(line, kv->key);
    line_put(line, setup.as_json ? "\":" : "=");
    if (kv->kind == LOG_TEXT) {
        line_value(line, kv->text ? kv->text : "");
        return;
    }
    snprintf(number, sizeof(number), "%" PRId64, kv->number);
    line_put(line, number);
}

/* Whole or not at all, so that what was cut is still JSON. */
static void line_kv(struct line *line, const struct log_kv *kv)
{
    size_t before = line->len;

    line_put_kv(line, kv);
    if (line->is_cut)
        line->len = before;
    line->is_cut = false;
}

static void line_begin(struct line *line, enum log_level level)
{
    int64_t now_us = clock_wall_us();
    time_t seconds = (time_t)(now_us / 1000000);
    char date[32], head[96];
    struct tm tm;

    gmtime_r(&seconds, &tm);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(head, sizeof(head),
             setup.as_json ? "{\"time\":\"%s.%03dZ\",\"level\":\"%s\"" : "%s.%03dZ %-5s", date,
             (int)(now_us / 1000 % 1000), level_names[level]);
    line_put(line, head);
}

void log_event(enum log_level level, const char *kind, const char *id, const char *event,
               const struct log_kv *kv)
{
    struct line line = {.len = 0};

    if ((int)level < setup.level)
        return;
    line_begin(&line, level);
    if (setup.as_json) {
        line_kv(&line, &KV_S("kind", kind));
        if (id)
            line_kv(&line, &KV_S("id", id));
        line_kv(&line, &KV_S("event", event));
    } else {
        line_put(&line, " ");
        line_put(&line, kind);
        line_put(&line, " ");
        line_value(&line, id ? id : "-");
        line_put(&line, " ");
        line_put(&line, event);
    }
    for (; kv->kind != LOG_END; kv++)
        line_kv(&line, kv);
    line.text[line.len++] = setup.as_json ? '}' : '\n';
    if (setup.as_json)
        line.text[line.len++] = '\n';
    if (write(STDERR_FILENO, line.text, line.len) < 0)
        return; /* nowhere to say it */
}
