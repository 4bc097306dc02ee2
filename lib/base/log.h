/* base/log.h: one line an event: time, level, subject, event name, key=value (or JSON).
 *
 *     LOG(LOG_INFO, "viewer", id, "opened", KV_S("protocol", "rtsp"), KV_I("port", 8554));
 *
 * Values are escaped, so that nobody outside can forge a line. No secret is ever logged:
 * a token by its id, a URL without user, password and query.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

enum log_kind { LOG_END, LOG_TEXT, LOG_INT };

struct log_kv {
    enum log_kind kind;
    const char *key;
    const char *text;
    int64_t number;
};

#define KV_S(key_, text_) ((struct log_kv){LOG_TEXT, key_, text_, 0})
#define KV_I(key_, number_) ((struct log_kv){LOG_INT, key_, NULL, (int64_t)(number_)})
#define KV_ERR(err_) KV_S("error", err_name(err_))

#define LOG(level, kind, id, event, ...)                                                           \
    log_event(level, kind, id, event,                                                              \
              (const struct log_kv[]){__VA_ARGS__ __VA_OPT__(, ){LOG_END, NULL, NULL, 0}})

/* The lowest level written, and whether lines are JSON. Thread-safe. */
void log_setup(enum log_level level, bool as_json);

/* Writes one line to standard error in one call. kind and id are the subject ("stream",
 * "front-door"); id may be NULL. kv ends with LOG_END. Thread-safe. */
void log_event(enum log_level level, const char *kind, const char *id, const char *event,
               const struct log_kv *kv);
