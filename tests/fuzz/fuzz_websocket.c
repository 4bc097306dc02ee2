/* A WebSocket's frames: whole, and cut into pieces, they must mean the same. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "net/websocket_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct heard {
    size_t payload, controls;
    unsigned code;
    uint32_t sum;
};

static void hear(struct heard *heard, const struct websocket_piece *piece)
{
    bool is_payload = piece->kind == WEBSOCKET_PIECE_PAYLOAD;

    heard->payload += is_payload ? piece->len : 0;
    heard->controls += is_payload ? 0 : 1;
    heard->code += piece->code;
    for (size_t i = 0; i < piece->len; i++)
        heard->sum = heard->sum * 31 + piece->bytes[i];
}

static struct heard listen_to(enum websocket_role role, const uint8_t *bytes, size_t len,
                              size_t step)
{
    struct websocket_wire *wire;
    struct heard heard = {.payload = 0};

    if (websocket_wire_new(&wire, role) < 0)
        abort();
    for (size_t at = 0; at < len; at += step) {
        struct websocket_piece piece;

        websocket_wire_feed(wire, bytes + at, len - at < step ? len - at : step);
        while ((piece = websocket_wire_next(wire)).kind != WEBSOCKET_PIECE_NONE)
            hear(&heard, &piece);
        if (heard.payload > at + step)
            abort();
    }
    websocket_wire_free(wire);
    return heard;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    enum websocket_role role = len && bytes[0] % 2 ? WEBSOCKET_CLIENT : WEBSOCKET_SERVER;
    struct heard whole, pieces;

    if (len < 2)
        return 0;
    whole = listen_to(role, bytes + 2, len - 2, len);
    pieces = listen_to(role, bytes + 2, len - 2, bytes[1] ? bytes[1] : 1);
    if (memcmp(&whole, &pieces, sizeof(whole)) != 0)
        abort();
    return 0;
}
