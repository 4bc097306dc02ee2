/* egress/rtsp/credential.h: the token that a request shows, in whichever way; private. */
#pragma once

#include "egress/rtsp/session.h"
#include "rtsp/message.h"
#include "rtsp/url.h"

enum credential_result {
    CREDENTIAL_NONE,
    CREDENTIAL_FOUND, /* token is filled; whether it is any good is the admission's to say */
    CREDENTIAL_WRONG, /* Digest or Basic, and it does not fit */
    CREDENTIAL_STALE  /* right, but for an old nonce: ask again with a new one */
};

/* token: "" unless found. The caller wipes it. */
enum credential_result credential_find(struct session *session, const struct rtsp_message *request,
                                       const struct rtsp_url *url, char token[TOKEN_TEXT]);
