#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "egress/rtmp/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void run(const struct rtmp_message *message)
{
    struct connect_request connect = {.app = "live/door"};
    struct play_request play;
    struct command command;

    if (message->len > RTMP_INPUT_MAX || command_parse(&command, message) < 0)
        return;
    if (connect_parse(&connect, &command) < 0)
        connect = (struct connect_request){.app = "live/door"};
    if (play_parse(&play, &command, &connect) == 0 && !play.slug[0])
        abort();
}

/* The first byte says how many bytes come at a time; then chunks, as a connection feeds them. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct rtmp_chunk_reader reader;
    struct rtmp_message message;
    size_t at = 1, end = 1, step = len ? bytes[0] + 1u : 0, used;
    int got = 0;

    rtmp_chunk_reader_init(&reader);
    while (got >= 0 && end < len) {
        end = end + step < len ? end + step : len;
        do {
            got = rtmp_chunk_read(&reader, bytes + at, end - at, &used, &message);
            if (used > end - at || reader.kept_bytes > RTMP_INPUT_MAX)
                abort();
            at += used;
            if (got > 0)
                run(&message);
        } while (got > 0);
    }
    rtmp_chunk_reader_fini(&reader);
    return 0;
}
