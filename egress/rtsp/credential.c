#include "egress/rtsp/credential.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "rtsp/digest.h"

/* Over TLS the password is the token itself. */
static enum credential_result take_basic(const struct session *session,
                                         const struct digest_credential *credential,
                                         char token[TOKEN_TEXT])
{
    if (!conn_is_tls(session->conn) || strlen(credential->password) >= TOKEN_TEXT)
        return CREDENTIAL_WRONG;
    memcpy(token, credential->password, strlen(credential->password) + 1);
    return CREDENTIAL_FOUND;
}

/* The user is the token's public id; only who knows the token can make the response. */
static enum credential_result take_digest(struct session *session, const char *method,
                                          const struct digest_credential *credential,
                                          char token[TOKEN_TEXT])
{
    struct egress_env *env = session->instance->env;
    char recalled[TOKEN_TEXT] = "";
    enum credential_result result = CREDENTIAL_WRONG;
    int nonce = nonce_check(session->instance->nonce_key, clock_mono_us(), credential->nonce);

    /* An unknown id is checked all the same: how long it takes tells nothing. */
    if (!env->token_by_id(env, credential->user, recalled))
        recalled[0] = '\0';
    if (digest_verify(credential, method, recalled) == 0 && recalled[0] && nonce != -ERR_AUTH)
        result = nonce == 0 ? CREDENTIAL_FOUND : CREDENTIAL_STALE;
    if (result == CREDENTIAL_FOUND)
        memcpy(token, recalled, sizeof(recalled));
    explicit_bzero(recalled, sizeof(recalled));
    return result;
}

enum credential_result credential_find(struct session *session, const struct rtsp_message *request,
                                       const struct rtsp_url *url, char token[TOKEN_TEXT])
{
    const char *header = rtsp_header(request, "Authorization");
    struct digest_credential credential;
    enum credential_result result;

    if (rtsp_query_value(url->query, "token", token, TOKEN_TEXT))
        return CREDENTIAL_FOUND;
    token[0] = '\0';
    if (!header)
        return CREDENTIAL_NONE;
    if (digest_credential_parse(&credential, header) < 0)
        return CREDENTIAL_WRONG;
    if (credential.scheme == AUTH_SCHEME_BASIC)
        result = take_basic(session, &credential, token);
    else
        result = take_digest(session, request->method, &credential, token);
    explicit_bzero(&credential, sizeof(credential));
    return result;
}
