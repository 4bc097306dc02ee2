/* egress/rtsp/methods.h: the table of methods; private to egress/rtsp/. */
#pragma once

#include "egress/rtsp/session.h"
#include "rtsp/message.h"

/* Answers one request, now or after its admission; it may close the session. Takes it. */
void method_run(struct session *session, struct rtsp_message *request);

/* Goes on with session->pending after its admission. */
void method_resume(struct session *session, enum verdict verdict);

/* Sends an answer without a body; extra is whole header lines, or NULL. */
void method_answer(struct session *session, const struct rtsp_message *request, unsigned status);

/* egress/rtsp/setup.c: SETUP, once the session is admitted. */
void setup_run(struct session *session, const struct rtsp_message *request);
