#include "egress/web.h"

#include <stdio.h>
#include <string.h>

#include "http/http.h"
#include "media/profile.h"

enum { RETRY_S = 5 };

static bool has_origin(const char *origins, const char *origin)
{
    size_t len;

    for (const char *at = origins; *at; at += len, at += *at == ' ') {
        len = strcspn(at, " ");
        if (strlen(origin) == len && memcmp(at, origin, len) == 0)
            return true;
    }
    return false;
}

void web_allow_origin(struct http_request *request, const char *origins)
{
    const char *origin = http_header(request, "origin");

    http_add_header(request, "vary", "origin");
    if (origin && *origin && (!*origins || has_origin(origins, origin)))
        http_add_header(request, "access-control-allow-origin", origin);
}

void web_refuse(struct http_request *request, const struct admission *admission,
                enum verdict verdict)
{
    static const unsigned statuses[] = {
        [VERDICT_ALLOW] = 200,  [VERDICT_NO_CREDENTIAL] = 401, [VERDICT_BAD_CREDENTIAL] = 401,
        [VERDICT_DENIED] = 403, [VERDICT_TOO_MANY] = 429,      [VERDICT_AWAY] = 503,
        [VERDICT_ABSENT] = 404, [VERDICT_OVERLOADED] = 503};
    unsigned status = statuses[verdict];

    if (status == 401)
        http_add_header(request, "www-authenticate", "Bearer realm=\"culvert\"");
    http_respond_problem(request, status, admission->rule,
                         admission->detail ? admission->detail : verdict_detail(verdict),
                         status == 503 || status == 429 ? RETRY_S : 0);
}

void web_find_token(struct http_request *request, char token[TOKEN_TEXT])
{
    const char *header = http_header(request, "authorization");

    token[0] = '\0';
    if (header && strncasecmp(header, "Bearer ", 7) == 0 && strlen(header + 7) < TOKEN_TEXT)
        memcpy(token, header + 7, strlen(header + 7) + 1);
    else if (!http_query_value(request, "token", token, TOKEN_TEXT))
        token[0] = '\0';
}

bool web_find_stream(struct http_request *request, char out[SLUG_MAX])
{
    enum profile profile = PROFILE_MAIN;
    char text[16];
    int err = 0;

    if (http_query_value(request, "profile", text, sizeof(text)))
        err = profile_parse(&profile, text);
    if (err == 0)
        err = profile_stream(out, SLUG_MAX, http_path_value(request, "slug"), profile);
    if (err == 0)
        return true;
    web_allow_origin(request, "");
    http_respond_problem(request, 404, err == -ERR_TOO_LONG ? "slug" : "profile",
                         err == -ERR_TOO_LONG ? "No stream has such a long name."
                                              : "A stream's profile is main or sub.",
                         0);
    return false;
}

int web_base(const struct egress_env *env, char *out, size_t room)
{
    const char *host = env->public_host;
    bool is_v6 = strchr(host, ':') != NULL;
    int64_t port = option_int(env->options, "public-port");
    char port_text[8] = "";
    int len;

    if (!port)
        port = option_int(env->options, "https-port");
    if (port != 443)
        snprintf(port_text, sizeof(port_text), ":%d", (int)port);
    len = snprintf(out, room, "https://%s%.200s%s%s", is_v6 ? "[" : "", host, is_v6 ? "]" : "",
                   port_text);
    return len > 0 && (size_t)len < room ? 0 : -ERR_TOO_LONG;
}
