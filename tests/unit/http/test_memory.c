/* Requests while each allocation in turn fails: an answer or a closed connection, never worse.
 */
#include "unit/scarce_memory.h"

#define FAKE_MALLOC __real_malloc
#include "unit/http/http_rig.h"

/* Serves bytes while allocation number fail_at fails; true when it got that far. */
static bool serve(const char *alpn, const char *bytes, size_t len, long fail_at)
{
    struct conn *conn;
    bool has_failed;

    rig_open();
    conn = fake_conn_new(rig.loop, alpn);
    memory_is_for(fail_at);
    http_server_accept(rig.server, conn);
    fake_input(conn, bytes, len);
    has_failed = memory_ran_out(fail_at);
    rig_turn();
    if (!has_failed)
        assert_true(rig.calls >= 2);
    fake_peer_closes(conn);
    rig_close();
    fake_conn_free(conn);
    return has_failed;
}

static void fail_each_of(const char *alpn, const char *bytes, size_t len)
{
    long fail_at = 0;

    assert_false(serve(alpn, bytes, len, -1));
    while (serve(alpn, bytes, len, fail_at))
        fail_at++;
    assert_true(fail_at > 5);
}

static void http1_survives_each_allocation_that_fails(void **state)
{
    static const char text[] = "GET /items/a HTTP/1.1\r\nHost: x\r\nRange: bytes=0-0\r\n\r\n"
                               "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
                               "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
                               "GET /large HTTP/1.1\r\nHost: x\r\n\r\n"
                               "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n";

    (void)state;
    fail_each_of("", text, sizeof(text) - 1);
}

static void http2_survives_each_allocation_that_fails(void **state)
{
    static const char text[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
                               "\0\0\x0b\1\5\0\0\0\1\x82\x87\x04\3/ok\x01\1z\x90"
                               "\0\0\x0b\1\5\0\0\0\3\x82\x87\x04\3/no\x01\1z\x90"
                               "\0\0\x0d\1\5\0\0\0\5\x82\x87\x04\5/hold\x01\1z\x90";

    (void)state;
    fail_each_of("h2", text, sizeof(text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http1_survives_each_allocation_that_fails),
        cmocka_unit_test(http2_survives_each_allocation_that_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
