/* server/api/codes.c: one-time enrolment codes. The text goes out once; its hash is kept. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "agent-proto/enrol_code.h"
#include "base/random.h"
#include "crypto/digest.h"
#include "server/api/call.h"

enum { CODE_SECONDS = 15 * 60 };

/* "host:port", "[::1]:443" */
static int split_address(const char *address, struct enrol_code *code)
{
    const char *colon = strrchr(address, ':');
    const char *host = address;
    unsigned long port = colon ? strtoul(colon + 1, NULL, 10) : 0;
    size_t len = colon ? (size_t)(colon - address) : 0;

    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    if (!len || len >= sizeof(code->host) || port < 1 || port > 65535)
        return -ERR_PROTOCOL;
    memcpy(code->host, host, len);
    code->port = (uint16_t)port;
    return 0;
}

/* The code's text in text, and its hash. */
static int make_code(struct api_env *env, char text[ENROL_CODE_TEXT], uint8_t hash[32])
{
    struct enrol_code code = {.port = 0};
    int err = split_address(env->public_address, &code);

    random_bytes(code.secret, sizeof(code.secret));
    tls_server_pin(env->tls, code.pin);
    if (!err)
        err = enrol_code_make(&code, text, ENROL_CODE_TEXT);
    if (!err)
        err = sha256_make(code.secret, sizeof(code.secret), hash);
    secret_wipe(&code, sizeof(code));
    return err;
}

static void answer(struct api_call *call)
{
    api_respond(call->request, 201,
                json_pack("{s:s, s:I}", "code", call->text, "expires", (json_int_t)call->time_s));
}

void codes_post(void *owner, struct http_request *request)
{
    struct api_env *env = owner;
    struct store_code code = {.expires_s = api_now_s() + CODE_SECONDS};
    struct fields fields;
    struct api_call *call;
    int err;

    if (!api_fields_begin(&fields, request))
        return;
    fields_require(&fields, "name");
    fields_text(&fields, "name", code.agent_name, sizeof(code.agent_name), &check_name);
    if (!api_fields_end(&fields, request))
        return;
    call = api_call_new(env, request, "code", answer);
    if (!call)
        return;
    call->time_s = code.expires_s;
    err = make_code(env, call->text, code.hash);
    if (err) {
        api_respond_error(request, "code", err);
        api_call_free(call);
        return;
    }
    store_code_put(env->store, &code, api_call_done(call));
}
