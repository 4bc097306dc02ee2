/* egress/webrtc/sctp.h: the data channel (RFC 8831, 8832) on usrsctp without its threads. The only
 * file that knows usrsctp.
 *
 * One association a viewer that offered one, inside its DTLS. The server opens one channel,
 * "culvert", ordered and reliable, and sends text; what the viewer sends or opens is taken,
 * bounded, and thrown away. An association belongs to one loop, and all its handler's callbacks
 * come on that loop's thread: what usrsctp's timers want, wherever they run, is posted there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct loop;
struct sctp;

/* All may call any function below, sctp_close too. */
struct sctp_handler {
    /* An SCTP packet to send inside DTLS; borrowed for the call. The first comes from inside
     * sctp_open. */
    void (*on_output)(void *owner, const uint8_t *bytes, size_t len);

    /* Our channel is open: sctp_send_text works from here on. */
    void (*on_open)(void *owner);

    /* The association is over; sctp_close is still to be called. */
    void (*on_over)(void *owner);
};

/* libusrsctp exports names of its own that begin so, and calls its sctp_close by name: were ours
 * visible to the dynamic linker, it would call ours. */
#pragma GCC visibility push(hidden)

/* Once in the process, before any loop runs; and once at its end, when all are closed. */
int sctp_start(void) MUST_CHECK;
void sctp_stop(void);

/* Lets associations' timers run: to be called about every 100 ms, on one loop (any). */
void sctp_tick(unsigned elapsed_ms);

/* port: both ends' (5000 unless the offer says else). We connect at once; the viewer may as well,
 * as both ends of a WebRTC association do. *out is set before the first callback comes. 0 or
 * -ENOMEM, -ERR_TOO_MANY (4,096 in the process), -ERR_LIBRARY. */
int sctp_open(struct sctp **out, struct loop *loop, uint16_t port,
              const struct sctp_handler *handler, void *owner) MUST_CHECK;

/* No callback comes after; the memory goes after the turn. NULL is fine. The viewer is not told:
 * the end of DTLS does that. */
void sctp_close(struct sctp *sctp);

/* A decrypted packet of the viewer's. */
void sctp_input(struct sctp *sctp, const uint8_t *bytes, size_t len);

/* -EAGAIN when the viewer has not taken what was sent before (more than 64 KiB wait), -ERR_CLOSED
 * when the channel is not open or no more, -ERR_TOO_LONG above 64 KiB. */
int sctp_send_text(struct sctp *sctp, const char *text, size_t len) MUST_CHECK;

#pragma GCC visibility pop
