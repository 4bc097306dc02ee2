/* An HTTP/2 connection: the preface is given, the rest are frames. */
#include "unit/http/http_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    size_t piece = len && bytes[0] ? bytes[0] : len + 1;
    struct conn *conn;

    rig_open();
    conn = rig_connect("h2");
    fake_input(conn, preface, sizeof(preface) - 1);
    for (size_t at = len ? 1 : 0; at < len; at += piece) {
        fake_input(conn, bytes + at, len - at < piece ? len - at : piece);
        rig_turn();
    }
    server_sweep(rig.server, loop_now_us(rig.loop) + 20 * 1000 * 1000);
    fake_peer_closes(conn);
    if (rig.held)
        http_respond_text(rig.held, 200, "text/plain", "too late");
    rig_close();
    fake_conn_free(conn);
    return 0;
}
