#include "egress/webrtc/sctp.h"
#include <string.h>
int sctp_start(void)
{
    return 0;
}
void sctp_stop(void)
{
}
void sctp_tick(unsigned m)
{
    (void)m;
}
int sctp_open(struct sctp **o, struct loop *l, uint16_t p, const struct sctp_handler *h, void *w)
{
    (void)o;
    (void)l;
    (void)p;
    (void)h;
    (void)w;
    return -ERR_UNSUPPORTED;
}
void sctp_close(struct sctp *s)
{
    (void)s;
}
void sctp_input(struct sctp *s, const uint8_t *b, size_t l)
{
    (void)s;
    (void)b;
    (void)l;
}
int sctp_send_text(struct sctp *s, const char *t, size_t l)
{
    (void)s;
    (void)t;
    (void)l;
    return -ERR_CLOSED;
}
