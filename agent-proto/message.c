#include "agent-proto/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/reader.h"

const char proto_preface_control[PROTO_PREFACE] = {'C', 'V', 'C', '1'};
const char proto_preface_lane[PROTO_PREFACE] = {'C', 'V', 'L', '1'};

int proto_kind_of(const uint8_t *bytes, size_t len, enum proto_kind *out)
{
    size_t part = len < PROTO_PREFACE ? len : PROTO_PREFACE;

    *out = PROTO_UNKNOWN;
    if (memcmp(bytes, proto_preface_control, part) == 0)
        *out = PROTO_CONTROL;
    else if (memcmp(bytes, proto_preface_lane, part) == 0)
        *out = PROTO_LANE;
    else
        return -ERR_PROTOCOL;
    return part < PROTO_PREFACE ? -EAGAIN : 0;
}

int message_pack(struct writer *to, const ProtobufCMessage *message, size_t max)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed;

    if (len > max)
        return -ERR_TOO_LONG;
    packed = malloc(len + 1); /* an empty message has a length of 0 */
    if (!packed)
        return -ENOMEM;
    protobuf_c_message_pack(message, packed);
    writer_uint(to, len, MESSAGE_LENGTH);
    writer_put(to, packed, len);
    free(packed);
    return to->err;
}

ssize_t message_next(struct message_bytes *out, const uint8_t *input, size_t len, size_t max)
{
    struct reader reader = reader_of(input, len);
    size_t message_len;

    if (len < MESSAGE_LENGTH)
        return 0;
    message_len = reader_u32(&reader);
    if (message_len == 0)
        return -ERR_PROTOCOL;
    if (message_len > max)
        return -ERR_TOO_LONG;
    if (reader_left(&reader) < message_len)
        return 0;
    *out = (struct message_bytes){reader.at, message_len};
    return (ssize_t)(MESSAGE_LENGTH + message_len);
}

static void *budget_alloc(void *budget, size_t len)
{
    size_t *left = budget;

    if (len > *left)
        return NULL;
    *left -= len;
    return malloc(len);
}

static void budget_free(void *budget, void *memory)
{
    (void)budget;
    free(memory);
}

ProtobufCMessage *message_unpack(const ProtobufCMessageDescriptor *descriptor,
                                 struct message_bytes packed)
{
    size_t left = MESSAGE_MEMORY;
    ProtobufCAllocator allocator = {budget_alloc, budget_free, &left};

    return protobuf_c_message_unpack(descriptor, &allocator, packed.len, packed.bytes);
}

void message_free(ProtobufCMessage *message)
{
    size_t none = 0;
    ProtobufCAllocator allocator = {budget_alloc, budget_free, &none};

    if (message)
        protobuf_c_message_free_unpacked(message, &allocator);
}

int versions_choose(const Culvert__Versions *theirs)
{
    if (!theirs || theirs->lowest > PROTO_VERSION || theirs->highest < PROTO_VERSION)
        return -ERR_VERSION;
    return PROTO_VERSION;
}

size_t proof_bytes(const struct proto_proof *proof, const uint8_t *seal_key,
                   uint8_t out[PROTO_SIGNED_MAX])
{
    enum { LABEL = 15, SEAL_KEY = 65 };
    size_t len = LABEL;

    memcpy(out, seal_key ? "culvert/1 enrol" : "culvert/1 hello", LABEL);
    memcpy(out + len, proof->nonce, PROTO_NONCE);
    len += PROTO_NONCE;
    memcpy(out + len, proof->exporter, PROTO_EXPORTER);
    len += PROTO_EXPORTER;
    if (!seal_key)
        return len;
    memcpy(out + len, seal_key, SEAL_KEY);
    return len + SEAL_KEY;
}
