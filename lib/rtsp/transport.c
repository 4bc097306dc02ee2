#include "rtsp/transport.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A number of at most max at *at, which moves on; false when there is none. */
static bool take_number(const char **at, uint32_t max, uint32_t *out)
{
    uint64_t value = 0;
    unsigned digits = 0;

    for (; **at >= '0' && **at <= '9' && digits < 11; ++*at, digits++)
        value = value * 10 + (uint64_t)(**at - '0');
    *out = (uint32_t)value;
    return digits && value <= max;
}

/* "8000-8001" or "8000" (then the second is the next). */
static bool take_range(const char *at, uint32_t max, uint32_t out[2])
{
    if (!take_number(&at, max, &out[0]))
        return false;
    out[1] = out[0] + 1;
    if (*at == '-') {
        at++;
        if (!take_number(&at, max, &out[1]))
            return false;
    }
    return !*at && out[1] <= max;
}

static int parse_channels(struct rtsp_transport *out, const char *value)
{
    uint32_t range[2];

    if (!take_range(value, 255, range) || range[1] <= range[0])
        return -ERR_PROTOCOL;
    out->has_channels = true;
    out->channel = (uint8_t)range[0];
    out->channel_rtcp = (uint8_t)range[1];
    return 0;
}

static int parse_ports(const char *value, uint16_t *rtp, uint16_t *rtcp)
{
    uint32_t range[2];

    if (!take_range(value, 65535, range) || !range[0] || !range[1])
        return -ERR_PROTOCOL;
    *rtp = (uint16_t)range[0];
    *rtcp = (uint16_t)range[1];
    return 0;
}

static int parse_ssrc(struct rtsp_transport *out, const char *value)
{
    uint64_t ssrc = 0;

    for (; *value; value++) {
        int digit = *value >= '0' && *value <= '9' ? *value - '0' : (*value | 0x20) - 'a' + 10;

        if (digit < 0 || digit > 15 || ssrc > UINT32_MAX)
            return 0; /* some cameras write nonsense here: it is only a hint */
        ssrc = ssrc << 4 | (unsigned)digit;
    }
    out->has_ssrc = ssrc <= UINT32_MAX;
    out->ssrc = (uint32_t)ssrc;
    return 0;
}

static int parse_parameter(struct rtsp_transport *out, char *text)
{
    char *value = strchr(text, '=');

    if (strcasecmp(text, "multicast") == 0)
        out->is_multicast = true;
    if (!value)
        return 0;
    *value++ = '\0';
    if (strcasecmp(text, "interleaved") == 0)
        return parse_channels(out, value);
    if (strcasecmp(text, "ssrc") == 0)
        return parse_ssrc(out, value);
    if (strcasecmp(text, "client_port") == 0) {
        out->has_client_port = true;
        return parse_ports(value, &out->client_rtp, &out->client_rtcp);
    }
    if (strcasecmp(text, "server_port") == 0) {
        out->has_server_port = true;
        return parse_ports(value, &out->server_rtp, &out->server_rtcp);
    }
    return 0;
}

static int parse_one(struct rtsp_transport *out, char *text)
{
    char *rest = text, *part = strsep(&rest, ";");
    int err = 0;

    memset(out, 0, sizeof(*out));
    part += strspn(part, " ");
    if (!*part)
        return -ERR_PROTOCOL;
    if (strncasecmp(part, "RTP/AVP", 7) != 0 && strncasecmp(part, "RTP/SAVP", 8) != 0)
        return -ERR_UNSUPPORTED;
    out->is_secure = (part[4] | 0x20) == 's';
    part += out->is_secure ? 8 : 7;
    part += *part == 'F' || *part == 'f'; /* AVPF: feedback that we don't need */
    out->is_tcp = strncasecmp(part, "/TCP", 4) == 0;
    while (err == 0 && (part = strsep(&rest, ";")))
        err = parse_parameter(out, part + strspn(part, " "));
    return err;
}

int rtsp_transport_parse(struct rtsp_transport out[RTSP_TRANSPORTS_MAX], const char *text)
{
    char copy[2048], *rest = copy, *part;
    int count = 0, err;

    if (strlen(text) >= sizeof(copy))
        return -ERR_PROTOCOL;
    memcpy(copy, text, strlen(text) + 1);
    while ((part = strsep(&rest, ","))) {
        if (count == RTSP_TRANSPORTS_MAX)
            return -ERR_TOO_MANY;
        err = parse_one(&out[count], part);
        if (err < 0 && err != -ERR_UNSUPPORTED)
            return err;
        count += err == 0;
    }
    return count;
}

int rtsp_transport_format(const struct rtsp_transport *transport, char *out, size_t room)
{
    char ports[64] = "", ssrc[24] = "";
    int len;

    if (transport->is_tcp && transport->has_channels)
        snprintf(ports, sizeof(ports), ";interleaved=%u-%u", transport->channel,
                 transport->channel_rtcp);
    else if (transport->has_server_port && !transport->has_client_port)
        snprintf(ports, sizeof(ports), ";server_port=%u-%u", transport->server_rtp,
                 transport->server_rtcp);
    else if (transport->has_server_port)
        snprintf(ports, sizeof(ports), ";client_port=%u-%u;server_port=%u-%u",
                 transport->client_rtp, transport->client_rtcp, transport->server_rtp,
                 transport->server_rtcp);
    else if (transport->has_client_port)
        snprintf(ports, sizeof(ports), ";client_port=%u-%u", transport->client_rtp,
                 transport->client_rtcp);
    if (transport->has_ssrc)
        snprintf(ssrc, sizeof(ssrc), ";ssrc=%08X", transport->ssrc);
    len =
        snprintf(out, room, "RTP/AVP%s;unicast%s%s", transport->is_tcp ? "/TCP" : "", ports, ssrc);
    return len < 0 || (size_t)len >= room ? -ERR_TOO_LONG : 0;
}
