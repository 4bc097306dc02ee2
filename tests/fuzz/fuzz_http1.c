/* An HTTP/1.1 connection: the first byte says how the rest is cut into pieces. */
#include "unit/http/http_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    size_t piece = len && bytes[0] ? bytes[0] : len + 1;
    struct conn *conn;

    rig_open();
    conn = rig_connect("");
    for (size_t at = len ? 1 : 0; at < len; at += piece) {
        fake_input(conn, bytes + at, len - at < piece ? len - at : piece);
        if (rig.held && bytes[0] % 2)
            http_respond_text(rig.held, 200, "text/plain", "late");
        rig.held = bytes[0] % 2 ? NULL : rig.held;
        rig_turn();
        fake_resume(conn);
    }
    fake_peer_closes(conn);
    if (rig.held)
        http_respond_text(rig.held, 200, "text/plain", "too late");
    rig_close();
    fake_conn_free(conn);
    return 0;
}
