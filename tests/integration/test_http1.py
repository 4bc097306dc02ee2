"""HTTP/1.1 (RFC 9112, RFC 9110) against http-test-server, case by case; ids are of hostile.md."""
import subprocess
import time
import zlib

import pytest

from http_rig import BUILD, Raw, Server, tls_socket

HOST = b"Host: localhost\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("http1"))
    yield server
    assert server.stop()


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """1 s for a request, 2 s idle, 2 s of stalled output."""
    server = Server(tmp_path_factory.mktemp("hasty"), 1000, 2000, 2000)
    yield server
    assert server.stop()


def get(path, *lines, method=b"GET"):
    return method + b" " + path + b" HTTP/1.1\r\n" + HOST + b"".join(l + b"\r\n" for l in lines) + b"\r\n"


def refuse(server, data, *statuses):
    """Sends data: one of the statuses comes, then the end, and nothing after it was served."""
    raw = Raw(server.plain).send(data)
    answer = raw.answer()
    assert answer and answer[0] in statuses, answer
    assert answer[1]["connection"] == "close"
    if answer[2]:
        assert answer[1]["content-type"] == "application/problem+json"
    assert raw.is_closed() and raw.rest == b"", raw.rest


# ---- H1: smuggling ---------------------------------------------------------------------------------

SMUGGLED = get(b"/what?smuggled")
SMUGGLING = {
    "cl_and_te": (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n", 400),
    "te_and_cl": (b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n", 400),
    "te_behind_an_empty_field": (b"Content-Length: 5\r\nX-Empty:\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n", 400),
    "cl_behind_a_blank_field": (b"Content-Length: 5\r\nX-Blank:  \t\r\nContent-Length: 6\r\n", b"hello", 400),
    "te_twice": (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n", 400),
    "te_twice_other": (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", b"0\r\n\r\n", 400),
    "te_xchunked": (b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n", 501),
    "te_identity": (b"Transfer-Encoding: identity\r\n", b"", 501),
    "te_list": (b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n", 400),
    "te_chunked_first": (b"Transfer-Encoding: chunked, gzip\r\n", b"0\r\n\r\n", 400),
    "te_empty": (b"Transfer-Encoding:\r\n", b"", 400),
    "te_vertical_tab": (b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n", 400),
    "te_space_before_colon": (b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n", 400),
    "cl_space_before_colon": (b"Content-Length : 5\r\n", b"hello", 400),
    "cl_tab_before_colon": (b"Content-Length\t: 5\r\n", b"hello", 400),
    "cl_list": (b"Content-Length: 5, 5\r\n", b"hello", 400),
    "cl_twice_same": (b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello", 400),
    "cl_twice_other": (b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello", 400),
    "cl_plus": (b"Content-Length: +5\r\n", b"hello", 400),
    "cl_minus": (b"Content-Length: -5\r\n", b"hello", 400),
    "cl_hex": (b"Content-Length: 0x5\r\n", b"hello", 400),
    "cl_blank_inside": (b"Content-Length: 5 5\r\n", b"hello", 400),
    "cl_empty": (b"Content-Length:\r\n", b"", 400),
    "cl_2_64": (b"Content-Length: 18446744073709551621\r\n", b"hello", 400),
    "cl_huge": (b"Content-Length: 99999999999999999\r\n", b"hello", 413),
    "obs_fold": (b"X-A: b\r\n c\r\n", b"", 400),
    "obs_fold_te": (b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n", 400),
    "fold_first": (b" X-A: b\r\n", b"", 400),
    "empty_name": (b": value\r\n", b"", 400),
    "no_colon": (b"nonsense\r\n", b"", 400),
    "name_with_blank": (b"X Y: z\r\n", b"", 400),
    "name_not_ascii": ("X-\u00e9: z\r\n".encode(), b"", 400),
    "name_256": (b"x" * 256 + b": y\r\n", b"", 400),
    "value_nul": (b"X-A: a\0b\r\n", b"", 400),
    "value_bare_cr": (b"X-A: a\rTransfer-Encoding: chunked\r\n", b"", 400),
    "value_bare_lf": (b"X-A: a\nTransfer-Encoding: chunked\r\n", b"", 400),
    "value_control": (b"X-A: a\x01b\r\n", b"", 400),
    "host_twice": (b"Host: localhost\r\n", b"", 400),
    "host_twice_other": (b"Host: other\r\n", b"", 400),
}


@pytest.mark.parametrize("case", SMUGGLING)
def test_H1_smuggled_framing_is_refused_and_the_connection_closes(server, case):
    lines, body, status = SMUGGLING[case]
    refuse(server, b"POST /echo HTTP/1.1\r\n" + HOST + lines + b"\r\n" + body + SMUGGLED, status)


CHUNKS = {
    "extension_64_kib": b"5;" + b"x" * 65536 + b"\r\nhello\r\n0\r\n\r\n",
    "trailers_64_kib": b"5\r\nhello\r\n0\r\n" + b"x: yyyyyyyyyyyyyyyyyyyyyy\r\n" * 2600 + b"\r\n",
    "size_overflow": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "size_of_16_digits": b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "size_empty": b"\r\nhello\r\n0\r\n\r\n",
    "size_signed": b"+5\r\nhello\r\n0\r\n\r\n",
    "size_0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "size_blank_before": b" 5\r\nhello\r\n0\r\n\r\n",
    "size_blank_after": b"5 \r\nhello\r\n0\r\n\r\n",
    "size_bare_lf": b"5\nhello\r\n0\r\n\r\n",
    "size_cr_x": b"5\rxhello\r\n0\r\n\r\n",
    "extension_bare_lf": b"5;a\nhello\r\n0\r\n\r\n",
    "data_too_long": b"5\r\nhello!\r\n0\r\n\r\n",
    "data_without_crlf": b"5\r\nhello0\r\n\r\n",
    "data_bare_lf": b"5\r\nhello\n0\r\n\r\n",
    "last_bare_lf": b"5\r\nhello\r\n0\n\n",
    "last_then_lf": b"5\r\nhello\r\n0\r\n\n",
    "trailer_folded": b"0\r\n x: y\r\n\r\n",
    "trailer_without_name": b"0\r\n: y\r\n\r\n",
    "trailer_bare_cr": b"0\r\nx: y\rz: w\r\n\r\n",
}


@pytest.mark.parametrize("case", CHUNKS)
def test_H1_malformed_chunks_are_refused_and_the_connection_closes(server, case):
    refuse(server, get(b"/echo", b"Transfer-Encoding: chunked", method=b"POST") + CHUNKS[case] + SMUGGLED,
           400, 413)


LINES = {
    "lf_only": (b"GET /hello HTTP/1.1\nHost: x\n\n", 400),
    "lf_after_request_line": (b"GET /hello HTTP/1.1\nHost: x\r\n\r\n", 400),
    "two_blanks": (b"GET  /hello HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "tab": (b"GET\t/hello\tHTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "blank_at_the_end": (b"GET /hello HTTP/1.1 \r\n" + HOST + b"\r\n", 400),
    "blank_in_target": (b"GET /hel lo HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "blank_first": (b" GET /hello HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "no_version": (b"GET /hello\r\n\r\n", 400),
    "no_target": (b"GET HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "version_lower": (b"GET /hello http/1.1\r\n" + HOST + b"\r\n", 400),
    "version_1_10": (b"GET /hello HTTP/1.10\r\n" + HOST + b"\r\n", 400),
    "version_0_9": (b"GET /hello HTTP/0.9\r\n" + HOST + b"\r\n", 505),
    "version_2_0": (b"GET /hello HTTP/2.0\r\n" + HOST + b"\r\n", 505),
    "h2_preface_in_clear": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "tls_hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 400),
    "nul": (b"GET /hel\0lo HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "not_ascii": ("GET /h\u00e9llo HTTP/1.1\r\n".encode() + HOST + b"\r\n", 400),
    "fragment": (b"GET /hello#there HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "backslash": (b"GET /a\\..\\b HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "encoded_backslash": (b"GET /a%5c..%5cb HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "encoded_nul": (b"GET /hello%00.png HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "encoded_lf": (b"GET /hello%0a HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "percent_cut": (b"GET /hello%4 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "percent_not_hex": (b"GET /hello%zz HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "above_the_root": (b"GET /../hello HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "above_the_root_encoded": (b"GET /a/%2e%2e/%2E%2e/etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "no_slash": (b"GET hello HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "ftp_uri": (b"GET ftp://localhost/hello HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "absolute_with_other_host": (b"GET http://other/hello HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "absolute_with_user": (b"GET http://a@localhost/hello HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "no_host": (b"GET /hello HTTP/1.1\r\n\r\n", 400),
    "empty_host": (b"GET /hello HTTP/1.1\r\nHost:\r\n\r\n", 400),
    "host_with_user": (b"GET /hello HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    "host_with_path": (b"GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    "host_list": (b"GET /hello HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    "method_unknown": (b"BREW /hello HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    "method_lower": (b"get /hello HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    "method_trace": (b"TRACE /hello HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    "method_connect": (b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    "method_not_a_token": (b"GE(T /hello HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "two_empty_lines_first": (b"\r\n\r\nGET /hello HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "te_in_1_0": (b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "target_too_long": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "target_without_end": (b"GET /" + b"a" * 20000, 414),
    "headers_too_long": (b"GET /hello HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 17000 + b"\r\n\r\n", 431),
    "headers_without_end": (b"GET /hello HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 30000, 431),
    "headers_too_many": (b"GET /hello HTTP/1.1\r\n" + HOST + b"X-A: b\r\n" * 64 + b"\r\n", 431),
}


@pytest.mark.parametrize("case", LINES)
def test_H1_a_malformed_head_is_refused_and_the_connection_closes(server, case):
    head, status = LINES[case]
    refuse(server, head + (SMUGGLED if head.endswith(b"\r\n\r\n") else b""), status)


def test_H1_a_request_pipelined_behind_a_refused_one_is_never_served(server):
    refuse(server, get(b"/hello", b"X-A : b") + get(b"/hello") * 10, 400)


def test_H1_h2c_upgrade_is_ignored(server):
    answer = Raw(server.plain).ask(get(b"/hello", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c",
                                       b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"))
    assert answer[0] == 200 and "upgrade" not in answer[1]


def test_H1_a_body_on_get_is_refused_where_none_is_taken(server):
    refuse(server, get(b"/hello", b"Content-Length: 5") + b"hello" + SMUGGLED, 413)
    refuse(server, get(b"/hello", b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n" + SMUGGLED, 413)
    assert Raw(server.plain).ask(get(b"/hello", b"Content-Length: 0"))[0] == 200


def test_H1_a_missing_final_crlf_is_waited_for_then_times_out(hasty):
    raw = Raw(hasty.plain)
    answer = raw.ask(b"GET /hello HTTP/1.1\r\n" + HOST)
    assert answer[0] == 408 and raw.is_closed()


# ---- H2: slow peers --------------------------------------------------------------------------------

def drip(raw, data, pause=0.15):
    began = time.monotonic()
    for byte in data:
        raw.socket.settimeout(pause)
        raw.send(bytes([byte]))
        try:
            if not raw._more() or b"\r\n\r\n" in raw.rest:
                break
        except TimeoutError:
            pass
    raw.socket.settimeout(10)
    return time.monotonic() - began


def test_H2_a_head_that_drips_is_refused_after_its_time(hasty):
    raw = Raw(hasty.plain)
    took = drip(raw, get(b"/hello", b"X-A: " + b"a" * 100))
    assert raw.answer()[0] == 408 and raw.is_closed() and 0.9 < took < 3


def test_H2_a_body_that_drips_is_refused_after_its_time(hasty):
    raw = Raw(hasty.plain).send(get(b"/echo", b"Content-Length: 1000", method=b"POST"))
    took = drip(raw, b"a" * 1000)
    assert raw.answer()[0] == 408 and raw.is_closed() and 0.9 < took < 3


def test_H2_an_idle_connection_is_closed(hasty):
    raw = Raw(hasty.plain)
    assert raw.ask(get(b"/hello"))[0] == 200
    began = time.monotonic()
    assert raw.is_closed(5) and 1.5 < time.monotonic() - began < 4 and raw.rest == b""


def test_H2_a_silent_connection_is_closed(hasty):
    assert Raw(hasty.plain).is_closed(5)


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


def test_H2_a_reader_with_a_zero_window_is_cut_and_costs_little(hasty):
    before = hasty.rss_kb()
    readers = [Raw(hasty.plain) for _ in range(20)]
    for raw in readers:
        raw.send(get(b"/large?size=33554432") * 3)
    assert hasty.stats()["connections"] >= 20
    assert hasty.rss_kb() - before < 33554 + 20 * 1200
    assert wait_for(lambda: hasty.stats()["connections"] == 1)
    for raw in readers:
        raw.close()


def test_H2_a_reader_that_sips_is_cut(hasty):
    raw = Raw(hasty.plain).send(get(b"/large?size=33554432"))
    for _ in range(60):
        try:
            if not raw.socket.recv(1):
                break
        except ConnectionResetError:
            break
        time.sleep(0.1)
        if hasty.stats()["connections"] == 1:
            break
    else:
        pytest.fail("still served after 6 s at 10 bytes a second")


# ---- H3: ranges, paths, methods, expectations ------------------------------------------------------

LETTERS = b"abcdefghijklmnopqrstuvwxyz"
RANGES = {
    "first": (b"bytes=0-0", 206, b"a", "bytes 0-0/26"),
    "middle": (b"bytes=3-5", 206, b"def", "bytes 3-5/26"),
    "open": (b"bytes=20-", 206, b"uvwxyz", "bytes 20-25/26"),
    "suffix": (b"bytes=-2", 206, b"yz", "bytes 24-25/26"),
    "suffix_longer_than_all": (b"bytes=-99", 206, LETTERS, "bytes 0-25/26"),
    "end_beyond_eof": (b"bytes=20-999", 206, b"uvwxyz", "bytes 20-25/26"),
    "suffix_0": (b"bytes=-0", 416, None, "bytes */26"),
    "beyond_eof": (b"bytes=26-", 416, None, "bytes */26"),
    "far_beyond_eof": (b"bytes=99999999999999999999999-", 416, None, "bytes */26"),
    "backwards": (b"bytes=5-3", 200, LETTERS, None),
    "two": (b"bytes=0-1,3-4", 200, LETTERS, None),
    "thousand_overlapping": (b"bytes=" + b",".join(b"%d-" % (i % 26) for i in range(1000)), 200, LETTERS, None),
    "other_unit": (b"lines=0-1", 200, LETTERS, None),
    "nonsense": (b"bytes=a-b", 200, LETTERS, None),
    "negative": (b"bytes=--1", 200, LETTERS, None),
    "blank": (b"bytes= 0-1", 200, LETTERS, None),
}


@pytest.mark.parametrize("case", RANGES)
def test_H3_ranges(server, case):
    value, status, body, content_range = RANGES[case]
    answer = Raw(server.plain).ask(get(b"/etag", b"Range: " + value))
    assert answer[0] == status and answer[1].get("content-range") == content_range
    assert body is None or answer[2] == body


def test_H3_range_conditions(server):
    raw = Raw(server.plain)
    assert raw.ask(get(b"/etag", b"Range: bytes=0-0", b'If-Range: "letters"'))[0] == 206
    assert raw.ask(get(b"/etag", b"Range: bytes=0-0", b'If-Range: "others"'))[0] == 200
    assert raw.ask(get(b"/etag", b"Range: bytes=0-0", b'If-Range: W/"letters"'))[0] == 200
    assert raw.ask(get(b"/etag", b"Range: bytes=0-0", method=b"HEAD"), True)[0] == 200


PATHS = {
    b"/items/%2e%2e/hello": 200,
    b"/items/../hello": 200,
    b"/./hello": 200,
    b"/hello/.": 404,
    b"//hello": 404,
    b"/items//": 404,
    b"/items/": 404,
    b"/items": 404,
    b"/items/a/b": 404,
    b"/files/": 404,
    b"/nothing": 404,
    b"/HELLO": 404,
    b"/hello%2f": 404,
    b"/%68ello": 200,
    b"/%2568ello": 404,
}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.decode())
def test_H3_paths(server, path):
    assert Raw(server.plain).ask(get(path))[0] == PATHS[path]


def test_H3_paths_are_decoded_once(server):
    raw = Raw(server.plain)
    assert raw.ask(get(b"/items/a%20b%2525"))[2] == b"item a b%25\n"
    assert raw.ask(get(b"/items/fixed"))[2] == b"fixed\n"
    assert raw.ask(get(b"/files/a/b%2Fc"))[2] == b"file a/b/c\n"
    body = raw.ask(get(b"/what?q=%41+b&q=2&x"))[2].decode()
    assert "query q=%41+b&q=2&x\n" in body and "q A b\n" in body
    assert "q -\n" in raw.ask(get(b"/what?q=%00"))[2].decode()


def test_H3_methods(server):
    raw = Raw(server.plain)
    answer = raw.ask(get(b"/echo", method=b"DELETE"))
    assert answer[0] == 405 and answer[1]["allow"] == "POST, PUT, OPTIONS"
    answer = raw.ask(get(b"/hello", method=b"POST", *[b"Content-Length: 0"]))
    assert answer[0] == 405 and answer[1]["allow"] == "GET, HEAD, OPTIONS"
    answer = raw.ask(get(b"/hello", method=b"OPTIONS"))
    assert answer[0] == 204 and answer[1]["allow"] == "GET, HEAD, OPTIONS"
    assert raw.ask(get(b"*", method=b"OPTIONS"))[0] == 204
    head = raw.ask(get(b"/hello", method=b"HEAD"), True)
    assert head[0] == 200 and head[1]["content-length"] == "6"
    assert raw.ask(get(b"/hello"))[2] == b"hello\n"  # and no body came after HEAD


def test_H3_method_override_headers_are_ignored(server):
    assert Raw(server.plain).ask(get(b"/hello", b"X-HTTP-Method-Override: DELETE"))[0] == 200


def test_H3_expect_continue(server):
    raw = Raw(server.plain)
    assert raw.ask(get(b"/echo", b"Content-Length: 5", b"Expect: 100-continue", method=b"POST"))[0] == 100
    assert raw.ask(b"hello")[2] == b"hello"
    # Refused before a byte of the body was asked for.
    refuse(server, get(b"/echo", b"Content-Length: 70000", b"Expect: 100-continue", method=b"POST"), 413)
    refuse(server, get(b"/echo", b"Content-Length: 5", b"Expect: a-pony", method=b"POST"), 417)


# ---- what must work --------------------------------------------------------------------------------

def test_a_head_cut_at_every_byte_is_understood(server):
    data = get(b"/echo", b"Content-Length: 5", method=b"POST") + b"hello"
    for cut in range(1, len(data)):
        raw = Raw(server.plain).send(data[:cut])
        time.sleep(0.002)
        assert raw.ask(data[cut:])[2] == b"hello", cut
        raw.close()


def test_chunked_bodies_cut_at_every_byte_are_understood(server):
    data = get(b"/echo", b"Transfer-Encoding: Chunked", method=b"POST") + \
        b"3;a=b\r\nhel\r\n00002\r\nlo\r\n0\r\nx: y\r\n\r\n"
    for cut in range(60, len(data)):
        raw = Raw(server.plain).send(data[:cut])
        time.sleep(0.002)
        assert raw.ask(data[cut:])[2] == b"hello", cut
        assert raw.ask(get(b"/hello"))[0] == 200
        raw.close()


def test_chunks_of_one_byte_are_fine(server):
    raw = Raw(server.plain)
    assert raw.ask(get(b"/echo", b"Transfer-Encoding: chunked", method=b"POST") +
                   b"1\r\na\r\n" * 60000 + b"0\r\n\r\n")[2] == b"a" * 60000


def test_a_chunked_body_past_the_limit_is_413(server):
    refuse(server, get(b"/echo", b"Transfer-Encoding: chunked", method=b"POST") +
           (b"1000\r\n" + b"a" * 4096 + b"\r\n") * 17, 413)


def test_pipelined_requests_are_answered_in_order(server):
    raw = Raw(server.plain).send(get(b"/delay?ms=100") + get(b"/items/1") +
                                 get(b"/echo", b"Content-Length: 3", method=b"POST") + b"abc" +
                                 get(b"/delay?ms=50") + get(b"/items/2", b"Connection: close"))
    assert [raw.answer()[2] for _ in range(5)] == [b"late\n", b"item 1\n", b"abc", b"late\n", b"item 2\n"]
    assert raw.is_closed() and raw.rest == b""


def test_a_thousand_pipelined_requests_are_bounded_and_answered(server):
    raw = Raw(server.plain).send(get(b"/delay?ms=200") + get(b"/hello") * 1000)
    assert raw.answer()[2] == b"late\n"
    assert all(raw.answer()[2] == b"hello\n" for _ in range(1000))


def test_large_answers_arrive_whole_through_the_pipeline(server):
    raw = Raw(server.plain).send(get(b"/large?size=5000000") * 3)
    for _ in range(3):
        assert raw.answer()[2] == (LETTERS * 192308)[:5000000]


def test_http_1_0(server):
    raw = Raw(server.plain)
    answer = raw.ask(b"GET /hello HTTP/1.0\r\n\r\n")
    assert answer[0] == 200 and answer[1]["connection"] == "close" and raw.is_closed()
    raw = Raw(server.plain)
    for _ in range(2):
        answer = raw.ask(b"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert answer[1]["connection"] == "keep-alive"


def test_connection_close_is_honoured(server):
    raw = Raw(server.plain)
    assert raw.ask(get(b"/hello", b"Connection: foo, Close"))[1]["connection"] == "close"
    assert raw.is_closed()


def test_one_empty_line_before_a_request_is_ignored(server):
    raw = Raw(server.plain)
    assert raw.ask(b"\r\n" + get(b"/hello"))[0] == 200
    assert raw.ask(b"\r\n" + get(b"/hello"))[0] == 200


def test_the_absolute_form_with_the_same_host_is_served(server):
    assert Raw(server.plain).ask(b"GET http://LocalHost/hello HTTP/1.1\r\n" + HOST + b"\r\n")[0] == 200


def test_conditions(server):
    raw = Raw(server.plain)
    for value in (b'"letters"', b'W/"letters"', b'"a", "letters"', b"*", b'"a,b",W/"letters" '):
        answer = raw.ask(get(b"/etag", b"If-None-Match: " + value))
        assert answer[0] == 304 and answer[1]["etag"] == '"letters"', value
        assert "cache-control" in answer[1] and "content-type" not in answer[1]
    for value in (b'"other"', b"letters", b'"letters', b"nonsense", b""):
        assert raw.ask(get(b"/etag", b"If-None-Match: " + value))[0] == 200, value


def test_text_is_compressed_when_asked_for(server):
    raw = Raw(server.plain)
    plain = raw.ask(get(b"/json"))
    assert "content-encoding" not in plain[1] and plain[1]["vary"] == "accept-encoding"
    packed = raw.ask(get(b"/json", b"Accept-Encoding: br, gzip;q=0.5"))
    assert packed[1]["content-encoding"] == "gzip" and packed[1]["etag"] == 'W/"numbers"'
    assert zlib.decompress(packed[2], 31) == plain[2]
    for value in (b"gzip;q=0", b"br", b"*;q=0", b"identity", b"gzipx"):
        assert "content-encoding" not in raw.ask(get(b"/json", b"Accept-Encoding: " + value))[1], value
    assert raw.ask(get(b"/json", b"Accept-Encoding: gzip", b"Range: bytes=0-9"))[2] == plain[2][:10]
    assert raw.ask(get(b"/json", b"Accept-Encoding: gzip", b'If-None-Match: W/"numbers"'))[0] == 304


def test_every_answer_has_a_date_and_the_servers_headers(server):
    raw = Raw(server.plain)
    for path in (b"/hello", b"/nothing", b"/etag"):
        answer = raw.ask(get(path))
        assert answer[1]["x-content-type-options"] == "nosniff" and answer[1]["date"].endswith(" GMT")


def test_a_handler_learns_that_its_peer_went_away(server):
    before = server.stats()
    raw = Raw(server.plain).send(get(b"/delay?ms=60000"))
    assert wait_for(lambda: server.stats()["requests"] == before["requests"] + 1)
    raw.close()
    assert wait_for(lambda: server.stats()["gone"] == before["gone"] + 1)
    assert server.stats()["requests"] == before["requests"]


def test_an_upgraded_connection_is_handed_over_with_the_bytes_behind_the_head(server):
    raw = Raw(server.plain)
    answer = raw.ask(get(b"/upgrade", b"Connection: keep-alive, Upgrade", b"Upgrade: echo") + b"first")
    assert answer[0] == 101 and answer[1]["connection"] == "upgrade" and answer[1]["upgrade"] == "echo"
    raw.send(b" second")
    while len(raw.rest) < 12:
        assert raw._more()
    assert raw.rest == b"first second"
    assert Raw(server.plain).ask(get(b"/upgrade"))[0] == 426


def test_draining_closes_the_idle_and_lets_the_busy_finish(tmp_path):
    server = Server(tmp_path)
    idle, busy = Raw(server.plain), Raw(server.plain).send(get(b"/delay?ms=700"))
    assert idle.ask(get(b"/hello"))[0] == 200
    time.sleep(0.2)
    server.drain()
    assert idle.is_closed() and idle.rest == b""
    answer = busy.answer()
    assert answer[0] == 200 and answer[1]["connection"] == "close" and busy.is_closed()
    idle.close()
    busy.close()
    time.sleep(0.2)  # what lingers for its peer to read it has an end now
    assert server.stop()


def test_one_over_tls_by_alpn(server):
    with tls_socket(server.tls, "http/1.1") as tls:
        tls.sendall(get(b"/hello", b"Connection: close"))
        data = b""
        while chunk := tls.recv(4096):
            data += chunk
    assert data.startswith(b"HTTP/1.1 200 OK\r\n") and data.endswith(b"hello\n")


@pytest.mark.parametrize("tls", [False, True])
def test_curl(server, tls, tmp_path):
    (tmp_path / "body").write_bytes(LETTERS * 2000)
    curl = ["curl", "-sSk", "--http1.1", "--max-time", "20", "--fail"]
    url = lambda path: server.url(path, tls)
    run = lambda *args: subprocess.run(curl + list(args), check=True, capture_output=True).stdout
    assert run(url("/hello"), url("/hello")) == b"hello\n" * 2
    assert run("--data-binary", f"@{tmp_path}/body", url("/echo")) == LETTERS * 2000
    assert run("-T", str(tmp_path / "body"), "-H", "Transfer-Encoding: chunked", url("/echo")) == LETTERS * 2000
    assert run("-r", "26-51", url("/large")) == LETTERS
    assert run("--compressed", url("/json")).startswith(b"[0,1,2")
    assert len(run(url("/large?size=20000000"))) == 20000000


def test_a_thousand_idle_connections_cost_little(server):
    before = server.rss_kb()
    idle = [Raw(server.plain) for _ in range(900)]
    assert all(raw.ask(get(b"/hello"))[0] == 200 for raw in idle)
    assert server.rss_kb() - before < 900 * (8 if BUILD.name == "release" else 32)
    for raw in idle:
        raw.close()
