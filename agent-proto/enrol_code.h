/* agent-proto/enrol_code.h: the text that a person carries from the dashboard to a new agent.
 *
 * "CULVERT-" and base32 (RFC 4648 section 6, without padding) of: version 1, the one-time
 * secret, the pin of the server's key, the port (2 bytes), the host's text, and a CRC-32 of all
 * that, so that a mistyped code is told from an old one. Case and spaces don't matter.
 * The server keeps only the SHA-256 of the secret.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
    ENROL_SECRET = 16,
    ENROL_PIN = 32, /* SHA-256 of the SubjectPublicKeyInfo, as tls_server_pin gives it */
    ENROL_HOST = 254,
    ENROL_CODE_TEXT = 512 /* room for the longest code and its end */
};

struct enrol_code {
    uint8_t secret[ENROL_SECRET];
    uint8_t pin[ENROL_PIN];
    uint16_t port;
    char host[ENROL_HOST]; /* a name or an address, without brackets */
};

/* Writes the code's text; -ERR_TOO_LONG when room (ENROL_CODE_TEXT is enough) is too small,
 * -ERR_PROTOCOL for a host that is none or a port of 0. The text is a secret. */
int enrol_code_make(const struct enrol_code *code, char *out, size_t room) MUST_CHECK;

/* 0 and *out; -ERR_PROTOCOL: not a code, or mistyped; -ERR_VERSION: made by a newer server. */
int enrol_code_parse(struct enrol_code *out, const char *text) MUST_CHECK;
