/* auth/ask.c: the one question: may this viewer see this stream? */
#include <stdio.h>
#include <string.h>

#include "auth/auth.h"
#include "base/log.h"

static const struct {
    const char *rule, *text;
} answers[AUTH_ANSWERS] = {
    [AUTH_ALLOW] = {"allowed", "The token allows this."},
    [AUTH_NO_CREDENTIAL] = {"no-token",
                            "No token was shown: use the whole address you were given."},
    [AUTH_UNKNOWN] = {"unknown", "The token is not a valid one: check that it was copied whole."},
    [AUTH_REVOKED] = {"revoked", "The token was revoked: ask for a new one."},
    [AUTH_EXPIRED] = {"expired", "The token has expired: ask for a new one."},
    [AUTH_NOT_YET] = {"not-yet", "The token is not valid yet."},
    [AUTH_SCOPE] = {"scope", "The token does not allow a stream of this name."},
    [AUTH_PROTOCOL] = {"protocol", "The token does not allow this protocol."},
    [AUTH_NETWORK] = {"network", "The token does not allow your network address."},
    [AUTH_ORIGIN] = {"origin", "The token does not allow embedding in this web page."},
};

const char *auth_answer_rule(enum auth_answer answer)
{
    return answers[answer].rule;
}

const char *auth_answer_text(enum auth_answer answer)
{
    return answers[answer].text;
}

/* The next of the space-separated words, copied into word; NULL at the end. A word that does
 * not fit matches nothing: it comes out empty. */
static const char *next_word(const char *list, char *word, size_t room)
{
    size_t len;

    list += strspn(list, " ");
    len = strcspn(list, " ");
    if (!len)
        return NULL;
    word[0] = 0;
    if (len < room)
        snprintf(word, room, "%.*s", (int)len, list);
    return list + len;
}

static bool has_word(const char *list, const char *wanted)
{
    char word[256];

    while ((list = next_word(list, word, sizeof(word)))) {
        if (word[0] && !strcmp(word, wanted))
            return true;
    }
    return false;
}

static bool has_network(const char *list, const struct addr *peer)
{
    char word[ADDR_TEXT + 8];
    struct addr plain;

    if (!peer)
        return false;
    plain = addr_canonical(peer);
    while ((list = next_word(list, word, sizeof(word)))) {
        struct addr_net net;

        if (!addr_net_parse(&net, word) && addr_net_has(&net, &plain))
            return true;
    }
    return false;
}

static bool is_in_scope(const struct store_token *token, const struct store_camera *camera)
{
    if (!camera)
        return false;
    if (token->cameras[0] && !has_word(token->cameras, camera->id))
        return false;
    return !token->agent_id[0] || !strcmp(token->agent_id, camera->agent_id);
}

static enum auth_answer judge(const struct store_token *token, const struct auth_question *question)
{
    if (token->revoked_s)
        return AUTH_REVOKED;
    if (token->expires_s && question->now_s >= token->expires_s)
        return AUTH_EXPIRED;
    if (question->now_s < token->not_before_s)
        return AUTH_NOT_YET;
    if (!is_in_scope(token, question->camera))
        return AUTH_SCOPE;
    if (token->protocols[0] && !has_word(token->protocols, question->protocol))
        return AUTH_PROTOCOL;
    if (token->networks[0] && !has_network(token->networks, question->peer))
        return AUTH_NETWORK;
    if (token->origins[0] && question->origin && !has_word(token->origins, question->origin))
        return AUTH_ORIGIN;
    return AUTH_ALLOW;
}

enum auth_answer auth_ask(const struct auth *auth, struct store_reader *reader,
                          const struct auth_question *question, struct store_token *token)
{
    char id[AUTH_TOKEN_ID];
    struct store_token found;
    enum auth_answer answer;
    int err;

    if (!question->token || !question->token[0])
        return AUTH_NO_CREDENTIAL;
    if (auth_token_check(auth, question->token, id))
        return AUTH_UNKNOWN;
    err = store_token_find(reader, id, &found);
    if (err && err != -ERR_NOT_FOUND)
        LOG(LOG_ERROR, "token", id, "look-up-failed", KV_ERR(err));
    if (err)
        return AUTH_UNKNOWN;
    answer = judge(&found, question);
    if (answer == AUTH_ALLOW)
        *token = found;
    return answer;
}
