/* rtsp/url.h: rtsp:// and rtsps:// URLs; user and password are split off at the border. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { RTSP_URL_MAX = 2048, RTSP_HOST_MAX = 256, RTSP_SECRET_MAX = 256 };

struct rtsp_url {
    bool is_tls;
    char host[RTSP_HOST_MAX]; /* without brackets */
    uint16_t port;            /* 554, 322 when there is none */
    char path[RTSP_URL_MAX];  /* with its slash, as written: not decoded */
    char query[RTSP_URL_MAX]; /* without "?" */
    char user[RTSP_SECRET_MAX], password[RTSP_SECRET_MAX]; /* decoded once; "" without */
};

/* 0, -ERR_PROTOCOL (not such a URL, bad port, control bytes), -ERR_TOO_LONG. */
int rtsp_url_parse(struct rtsp_url *out, const char *text) MUST_CHECK;

/* What goes into requests, and what people may see: without user and password. */
int rtsp_url_format(const struct rtsp_url *url, char *out, size_t room) MUST_CHECK;

/* The value of a query parameter, percent-decoded; false when absent or too long for room. */
bool rtsp_query_value(const char *query, const char *name, char *out, size_t room);

/* Takes a parameter out of a query, in place. */
void rtsp_query_remove(char *query, const char *name);
