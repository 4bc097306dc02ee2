/* A control connection's bytes, to either end in any state. The first byte chooses. */
#include <stddef.h>
#include <stdint.h>

#include "agent-proto/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int on_write(void *owner, const void *bytes, size_t len)
{
    (void)owner;
    (void)bytes;
    return len ? 0 : -ERR_CLOSED;
}

static int on_message(void *owner, const Culvert__Envelope *message)
{
    (void)owner;
    return control_message_name(message)[0] ? 0 : -ERR_PROTOCOL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct control_handler handler = {on_write, on_message};
    struct control control;
    size_t used = 1;

    if (len == 0 ||
        control_init(&control, bytes[0] & 1 ? CONTROL_AGENT : CONTROL_SERVER, &handler, NULL) < 0 ||
        control_start(&control, 1) < 0)
        return 0;
    control_enter(&control, (enum control_state)((bytes[0] >> 1) % CONTROL_STATES), 1);
    for (int64_t now_us = 1; used < len; now_us += 700000) {
        ssize_t took = control_input(&control, bytes + used, len - used, now_us);

        if (took <= 0 || control_tick(&control, now_us) < 0)
            break;
        used += (size_t)took;
    }
    return 0;
}
