/* agent-proto/message.h: envelopes to bytes and back: a 4-byte length (big-endian), then the
 * packed protobuf. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent-proto/culvert.pb-c.h"
#include "base/err.h"
#include "base/writer.h"

enum {
    PROTO_VERSION = 1, /* the only one so far */
    PROTO_PREFACE = 4,
    PROTO_NONCE = 32,
    PROTO_EXPORTER = 32,
    PROTO_SIGNED_MAX = 192,
    MESSAGE_LENGTH = 4,
    MESSAGE_MAX_TO_AGENT = 256 * 1024, /* packed bytes */
    MESSAGE_MAX_TO_SERVER = 64 * 1024,
    MESSAGE_MAX_HELLO = 4 * 1024 /* lanes' LaneHello and LaneAnswer */
};

/* TLS keying material that ties a signature to its connection. */
#define PROTO_EXPORTER_LABEL "EXPORTER-culvert-agent"
#define PROTO_ALPN "culvert/1"

/* The first bytes of a connection say what it is. */
enum proto_kind { PROTO_UNKNOWN, PROTO_CONTROL, PROTO_LANE };
extern const char proto_preface_control[PROTO_PREFACE];
extern const char proto_preface_lane[PROTO_PREFACE];

/* -EAGAIN while fewer than PROTO_PREFACE bytes (that could still become one) are there. */
int proto_kind_of(const uint8_t *bytes, size_t len, enum proto_kind *out) MUST_CHECK;

/* Appends the length and the message; the writer's error is sticky. -ERR_TOO_LONG past max. */
int message_pack(struct writer *to, const ProtobufCMessage *message, size_t max) MUST_CHECK;

/* The packed message at the front of the input, without its length: how many bytes it takes
 * with it, 0 when it isn't all there, -ERR_TOO_LONG past max, -ERR_PROTOCOL for no bytes. */
struct message_bytes {
    const uint8_t *bytes;
    size_t len;
};
ssize_t message_next(struct message_bytes *out, const uint8_t *input, size_t len, size_t max);

/* Unpacked, owned: message_free. NULL when malformed, or when it would take more than
 * MESSAGE_MEMORY to hold (small messages on the wire can be large in memory). */
enum { MESSAGE_MEMORY = 2 * 1024 * 1024 };
ProtobufCMessage *message_unpack(const ProtobufCMessageDescriptor *descriptor,
                                 struct message_bytes packed);
void message_free(ProtobufCMessage *message);

/* The highest version that both speak, or -ERR_VERSION. NULL: it said nothing. */
int versions_choose(const Culvert__Versions *theirs) MUST_CHECK;

/* What a Hello's or an Enrol's signature is over; returns the length. seal_key: Enrol's 65
 * bytes, or NULL for Hello. */
struct proto_proof {
    uint8_t nonce[PROTO_NONCE], exporter[PROTO_EXPORTER];
};
size_t proof_bytes(const struct proto_proof *proof, const uint8_t *seal_key,
                   uint8_t out[PROTO_SIGNED_MAX]);
