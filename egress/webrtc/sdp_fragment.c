/* A trickle fragment (RFC 8840 section 9): what WHEP clients PATCH. */
#include <string.h>

#include "egress/webrtc/sdp_offer.h"

/* Copies the first one; sections that come after say the same. */
static int take_credential(struct span value, size_t min, char *out, size_t room)
{
    if (out[0])
        return 0;
    if (value.len < min || !span_is_ice(value))
        return -ERR_PROTOCOL;
    return span_copy(value, out, room) ? 0 : -ERR_TOO_LONG;
}

static int take_line(struct fragment *out, struct span line)
{
    struct span name;

    if (!span_is_clean(line))
        return -ERR_PROTOCOL;
    if (line.len < 2 || line.len > OFFER_LINE_MAX || line.at[0] != 'a' || line.at[1] != '=')
        return 0;
    line = (struct span){line.at + 2, line.len - 2};
    name = span_until(&line, ':');
    line = span_trim(line);
    if (span_is(name, "ice-ufrag"))
        return take_credential(line, UFRAG_MIN, out->ufrag, sizeof(out->ufrag));
    if (span_is(name, "ice-pwd"))
        return take_credential(line, PASSWORD_MIN, out->password, sizeof(out->password));
    out->candidate_count += span_is(name, "candidate");
    out->has_end |= span_is(name, "end-of-candidates");
    return 0;
}

int fragment_parse(struct fragment *out, const char *text, size_t len)
{
    struct span rest = {text, len}, line;
    int err = 0;

    memset(out, 0, sizeof(*out));
    if (len > OFFER_MAX_BYTES)
        return -ERR_TOO_LONG;
    while (!err && span_line(&rest, &line))
        err = take_line(out, line);
    return err;
}
