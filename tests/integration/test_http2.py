"""HTTP/2 (RFC 9113) against http-test-server, case by case; ids are of hostile.md."""
import socket
import struct
import subprocess
import time

import h2.config
import h2.connection
import h2.events
import hyperframe.frame as frames
import pytest

from http_rig import PREFACE, Frames, Server, tls_socket

LETTERS = b"abcdefghijklmnopqrstuvwxyz"
NO_ERROR, PROTOCOL, INTERNAL, FLOW, SETTINGS_TIMEOUT, CLOSED, SIZE, REFUSED, CANCEL, COMPRESSION = range(10)
CALM = 11
GET = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/hello")]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("http2"))
    yield server
    assert server.stop()


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """1 s for a request, 2 s idle, 2 s of stalled output."""
    server = Server(tmp_path_factory.mktemp("hasty2"), 1000, 2000, 2000)
    yield server
    assert server.stop()


def still_serves(server):
    client = Frames(server.tls)
    assert client.get(1, "/hello").answer(1)[2] == b"hello\n"
    client.close()


def ends(client, *errors):
    """The connection ended with GOAWAY of one of the errors."""
    error = client.wait_goaway()
    assert error in errors, (error, client.resets)
    assert client.is_closed()


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


# ---- hostile.md --------------------------------------------------------------------------------

def test_2a_rapid_reset_100000(server):
    client, before = Frames(server.tls), server.rss_kb()
    for start in range(0, 100000, 500):
        batch = b""
        for stream in range(start * 2 + 1, start * 2 + 1001, 2):
            frame = frames.HeadersFrame(stream)
            frame.data = client.encoder.encode(GET[:3] + [(":path", "/delay?ms=60000")])
            frame.flags.add("END_HEADERS")
            frame.flags.add("END_STREAM")
            batch += frame.serialize() + frames.RstStreamFrame(stream, error_code=CANCEL).serialize()
        client.send(batch)
    ends(client, CALM)
    assert server.stats()["requests"] == 0
    assert server.rss_kb() - before < 20000
    still_serves(server)


def test_2a_a_few_resets_are_fine(server):
    client = Frames(server.tls)
    for stream in range(1, 201, 2):
        client.get(stream, "/delay?ms=60000").send(frames.RstStreamFrame(stream, error_code=CANCEL))
    assert client.get(301, "/hello").answer(301)[0] == 200


@pytest.mark.parametrize("payload", [b"", b"\x82", b"a" * 16000], ids=["empty", "one", "full"])
def test_2b_continuation_without_end(server, payload):
    client = Frames(server.tls)
    client.headers(1, GET, flags=())
    for _ in range(2000):
        client.raw_frame(9, 0, 1, payload)
    assert client.is_closed()
    assert client.goaway in (None, PROTOCOL, CALM, INTERNAL, COMPRESSION)
    still_serves(server)


def test_2b_a_head_in_eight_continuations_is_fine(server):
    client = Frames(server.tls)
    block = client.encoder.encode(GET)
    client.raw_frame(1, 1, 1, b"")
    for at in range(7):
        client.raw_frame(9, 0, 1, block[at:at + 1])
    client.raw_frame(9, 4, 1, block[7:])
    assert client.answer(1)[2] == b"hello\n"


def test_2b_a_head_cut_in_two_is_given_up(hasty):
    client = Frames(hasty.tls)
    client.headers(1, GET, flags=())
    ends(client, CALM)


@pytest.mark.parametrize("kind", ["window_zero", "window_overflow", "data_after_end", "self_priority"])
def test_2c_made_you_reset(server, kind):
    client = Frames(server.tls)
    for stream in range(1, 2001, 2):
        client.get(stream, "/delay?ms=60000")
        if kind == "window_zero":
            client.raw_frame(8, 0, stream, b"\0\0\0\0")
        elif kind == "window_overflow":
            client.raw_frame(8, 0, stream, b"\x7f\xff\xff\xff")
        elif kind == "data_after_end":
            client.raw_frame(0, 0, stream, b"x")
        else:
            client.raw_frame(2, 0, stream, stream.to_bytes(4, "big") + b"\x10")
    assert client.wait_goaway() in (CALM, PROTOCOL, FLOW, CLOSED, INTERNAL) or kind == "self_priority"
    client.close()
    assert wait_for(lambda: server.stats()["requests"] == 0)
    still_serves(server)


FLOODS = {
    "settings": frames.SettingsFrame(0, {4: 65535}).serialize(),
    "settings_ack": frames.SettingsFrame(0, flags=("ACK",)).serialize(),
    "ping": frames.PingFrame(0, b"12345678").serialize(),
    "ping_ack": frames.PingFrame(0, b"12345678", flags=("ACK",)).serialize(),
    "priority": b"\0\0\5\2\0\0\0\0\3\0\0\0\1\x10",
    "priority_update": b"\0\0\7\x10\0\0\0\0\0\0\0\0\1u=1",
    "window_update": frames.WindowUpdateFrame(0, window_increment=1).serialize(),
    "unknown": b"\0\0\1\xee\0\0\0\0\0x",
    "goaway": frames.GoAwayFrame(0, last_stream_id=0).serialize(),
}


@pytest.mark.parametrize("is_read", [True, False], ids=["read", "unread"])
@pytest.mark.parametrize("kind", FLOODS)
def test_2d_floods(server, kind, is_read):
    client, before = Frames(server.tls), server.rss_kb()
    client.get(1, "/delay?ms=60000")
    client.socket.settimeout(5)
    for _ in range(400):
        try:
            client.send(FLOODS[kind] * 250)
        except socket.timeout:
            break
        if is_read:
            client.socket.setblocking(False)
            try:
                client.pump()
            except (BlockingIOError, OSError):
                pass
            client.socket.settimeout(5)
    assert server.rss_kb() - before < 20000
    assert client.is_closed()
    assert client.goaway in (None, CALM, NO_ERROR, PROTOCOL)
    client.close()
    assert wait_for(lambda: server.stats()["requests"] == 0)
    still_serves(server)


def test_2d_empty_data_flood(server):
    client = Frames(server.tls)
    client.get(1, "/echo", method="POST", end=False)
    client.send(frames.DataFrame(1, b"").serialize() * 20000)
    ends(client, CALM)
    still_serves(server)


def test_2e_hpack_bomb(server):
    """One table entry of 4 kB, named again and again by one byte each."""
    client, before = Frames(server.tls), server.rss_kb()
    block = client.encoder.encode(GET) + b"\x40\x01x\x7f\x81\x1e" + b"a" * 4000 + b"\xbe" * 12000
    client.raw_frame(1, 5, 1, block)
    answer = client.answer(1)
    assert answer is None or answer[0] == 431
    assert server.rss_kb() - before < 4000
    still_serves(server)


def test_2e_hpack_table_size_games(server):
    client = Frames(server.tls, {1: 0xffffffff})
    client.send(frames.SettingsFrame(0, {1: 0}).serialize() + frames.SettingsFrame(0, {1: 4096}).serialize())
    block = b"\x20\x3f\xe1\x1f" * 8 + client.encoder.encode(GET)
    client.raw_frame(1, 5, 1, block)
    client.until(lambda: 1 in client.answers or client.goaway is not None)
    client = Frames(server.tls)
    client.raw_frame(1, 5, 1, b"\x3f\xff\xff\xff\xff\x07" + client.encoder.encode(GET))  # above what we allow
    ends(client, COMPRESSION)
    client = Frames(server.tls)
    client.raw_frame(1, 5, 1, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f")  # an index that overflows
    ends(client, COMPRESSION)
    still_serves(server)


def test_2f_zero_window_with_100_streams(hasty):
    before = hasty.rss_kb()
    client = Frames(hasty.tls, {4: 0})
    for stream in range(1, 201, 2):
        client.get(stream, "/large?size=4000000")
    client.until(lambda: len(client.answers) >= 100)
    assert hasty.rss_kb() - before < 15000
    assert client.until(lambda: len(client.resets) == 100, 8)
    assert set(client.resets.values()) == {CANCEL}
    still_serves(hasty)


def test_2f_a_peer_that_does_not_read_is_cut(hasty):
    client = Frames(hasty.tls, {4: 0x7fffffff})
    client.send(frames.WindowUpdateFrame(0, window_increment=0x7fff0000 - 65535))
    for stream in range(1, 41, 2):
        client.get(stream, "/large?size=8000000")
    assert wait_for(lambda: hasty.stats()["connections"] == 1)


MALFORMED = {
    "upper_case": GET + [("X-Upper", "a")],
    "path_empty": GET[:3] + [(":path", "")],
    "path_relative": GET[:3] + [(":path", "hello")],
    "path_missing": GET[:3],
    "path_twice": GET + [(":path", "/hello")],
    "method_missing": GET[1:],
    "authority_missing": GET[:2] + [GET[3]],
    "scheme_missing": [GET[0]] + GET[2:],
    "pseudo_after_regular": GET[:3] + [("x-a", "b"), (":path", "/hello")],
    "pseudo_unknown": GET + [(":other", "b")],
    "pseudo_of_answers": GET + [(":status", "200")],
    "connection": GET + [("connection", "close")],
    "keep_alive": GET + [("keep-alive", "1")],
    "proxy_connection": GET + [("proxy-connection", "close")],
    "transfer_encoding": GET + [("transfer-encoding", "chunked")],
    "upgrade": GET + [("upgrade", "h2c")],
    "te_other": GET + [("te", "gzip")],
    "name_with_blank": GET + [("x a", "b")],
    "name_empty": GET + [("", "b")],
    "name_with_colon": GET + [("x:a", "b")],
    "value_with_lf": GET + [("x-a", "b\nc: d")],
    "value_with_cr": GET + [("x-a", "b\rc")],
    "value_with_nul": GET + [("x-a", "b\0c")],
    "value_with_blank_first": GET + [("x-a", " b")],
    "cl_not_a_number": GET + [("content-length", "abc")],
    "cl_twice": GET + [("content-length", "0"), ("content-length", "0")],
    "cl_without_body": GET + [("content-length", "5")],
}


@pytest.mark.parametrize("case", MALFORMED)
def test_2g_malformed_heads(server, case):
    client = Frames(server.tls).headers(1, MALFORMED[case])
    answer = client.answer(1)
    assert answer is None or answer[0] == 400, answer
    assert client.resets.get(1, PROTOCOL) == PROTOCOL
    # The connection, and its header tables, are still good.
    assert client.get(3, "/hello").answer(3)[2] == b"hello\n"


REFUSED_HEADS = {
    "host_other": (GET + [("host", "other")], 400),
    "authority_with_user": (GET[:2] + [(":authority", "a@b"), GET[3]], 400),
    "path_nul": (GET[:3] + [(":path", "/%00")], 400),
    "path_fragment": (GET[:3] + [(":path", "/hello#a")], 400),
    "path_above_root": (GET[:3] + [(":path", "/../hello")], 400),
    "path_backslash": (GET[:3] + [(":path", "/a\\b")], 400),
    "path_too_long": (GET[:3] + [(":path", "/" + "a" * 9000)], 414),
    "headers_too_many": (GET + [("x-%d" % i, "b") for i in range(65)], 431),
    "headers_too_long": (GET + [("x-%d" % i, "b" * 1000) for i in range(26)], 431),
    "method_unknown": ([(":method", "BREW")] + GET[1:], 501),
    "path_unknown": (GET[:3] + [(":path", "/nothing")], 404),
    "method_not_allowed": (GET[:3] + [(":path", "/echo")], 405),
}


@pytest.mark.parametrize("case", REFUSED_HEADS)
def test_2g_refused_heads(server, case):
    rows, status = REFUSED_HEADS[case]
    client = Frames(server.tls)
    block = client.encoder.encode(rows)
    client.raw_frame(1, 1 if len(block) > 16000 else 5, 1, block[:16000])
    if len(block) > 16000:
        client.raw_frame(9, 4, 1, block[16000:])
    answer = client.answer(1)
    assert answer[0] == status and answer[1]["content-type"] == "application/problem+json"
    assert client.get(3, "/hello").answer(3)[2] == b"hello\n"


def test_2g_content_length_must_be_true(server):
    for length, pieces in (("5", [b"hell"]), ("5", [b"hello!"]), ("5", [b"hel", b"lo!"])):
        client = Frames(server.tls).get(1, "/echo", ("content-length", length), method="POST", end=False)
        for i, piece in enumerate(pieces):
            client.data(1, piece, i == len(pieces) - 1)
        assert client.answer(1) is None and client.resets[1] == PROTOCOL


def test_2h_goaway_loop(server):
    client = Frames(server.tls)
    client.get(1, "/delay?ms=300")
    for last in (1, 1, 0, 0, 0):
        client.send(frames.GoAwayFrame(0, last_stream_id=last, error_code=NO_ERROR))
    answer = client.answer(1)
    assert answer is None or answer[2] == b"late\n"
    assert client.is_closed()
    client = Frames(server.tls)
    client.send(frames.GoAwayFrame(0, last_stream_id=0).serialize() * 20000)
    assert client.is_closed()
    still_serves(server)


def test_2i_tiny_data(server):
    client = Frames(server.tls).get(1, "/echo", method="POST", end=False)
    client.send(b"".join(frames.DataFrame(1, b"x").serialize() for _ in range(30000)))
    ends(client, CALM)
    client = Frames(server.tls).get(1, "/echo", method="POST", end=False)
    client.send(frames.DataFrame(1, b"x").serialize() * 500).data(1, b"")
    assert client.answer(1)[2] == b"x" * 500


def test_2i_padding_is_not_kept(server):
    client = Frames(server.tls).get(1, "/echo", method="POST", end=False)
    for _ in range(20):
        client.raw_frame(0, 8, 1, b"\xff" + b"x" + b"\0" * 255)
    client.raw_frame(0, 9, 1, b"\x05y\0\0\0\0\0")
    assert client.answer(1)[2] == b"x" * 20 + b"y"
    client = Frames(server.tls).get(1, "/echo", method="POST", end=False)
    client.raw_frame(0, 9, 1, b"\x05y\0\0\0")  # more padding than frame
    ends(client, PROTOCOL)


def test_2j_window_overflow(server):
    client = Frames(server.tls)
    client.send(frames.WindowUpdateFrame(0, window_increment=0x7fffffff))
    ends(client, FLOW)
    client = Frames(server.tls).get(1, "/delay?ms=500")
    client.send(frames.WindowUpdateFrame(1, window_increment=0x7fffffff))
    assert client.answer(1) is None and client.resets[1] == FLOW
    client = Frames(server.tls, {4: 0x7fffffff})
    client.get(1, "/delay?ms=500").send(frames.WindowUpdateFrame(1, window_increment=1))
    assert client.answer(1) is None and client.resets[1] == FLOW
    client = Frames(server.tls)
    client.raw_frame(4, 0, 0, struct.pack(">HI", 4, 0x80000000))
    ends(client, FLOW)


# ---- RFC 9113, section by section --------------------------------------------------------------

def test_3_4_the_preface_must_be_right(server):
    for preface in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"):
        client = Frames(server.tls, preface=None).send(preface)
        assert client.is_closed()
    client = Frames(server.tls, preface=None).send(PREFACE + frames.PingFrame(0, b"12345678").serialize())
    ends(client, PROTOCOL)


def test_3_4_a_preface_cut_at_every_byte(server):
    data = PREFACE + frames.SettingsFrame(0).serialize()
    for cut in range(1, len(data)):
        client = Frames(server.tls, preface=None).send(data[:cut]).send(data[cut:])
        assert client.get(1, "/hello").answer(1)[2] == b"hello\n"
        client.close()


def test_3_4_a_silent_peer_is_let_go(hasty):
    assert Frames(hasty.tls, preface=None).is_closed(7)
    assert Frames(hasty.tls, preface=PREFACE[:10]).is_closed(5)


FATAL_FRAMES = {  # type, flags, stream, payload, errors
    "4.2_frame_too_large": (0, 0, 1, b"x" * 16385, (SIZE,)),
    "4.2_head_too_large": (1, 4, 1, b"x" * 16385, (SIZE,)),
    "4.3_head_does_not_decode": (1, 5, 1, b"\x00\xff\xff\xff\xff\xff", (COMPRESSION,)),
    "4.3_index_0": (1, 5, 1, b"\x80", (COMPRESSION,)),
    "4.3_index_unknown": (1, 5, 1, b"\xfe", (COMPRESSION,)),
    "4.3_huffman_eos": (1, 5, 1, b"\x00\x84\xff\xff\xff\xff\x01a", (COMPRESSION,)),
    "5.1_data_on_idle": (0, 1, 5, b"x", (PROTOCOL, CLOSED)),
    "5.1_reset_on_idle": (3, 0, 5, b"\0\0\0\x08", (PROTOCOL,)),
    "5.1_window_on_idle": (8, 0, 5, b"\0\0\0\x08", (PROTOCOL,)),
    "5.1_continuation_alone": (9, 4, 1, b"\x82", (PROTOCOL,)),
    "5.1.1_even_stream": (1, 5, 2, b"\x82\x84\x87", (PROTOCOL,)),
    "6.1_data_on_0": (0, 1, 0, b"x", (PROTOCOL,)),
    "6.2_headers_on_0": (1, 5, 0, b"\x82\x84\x87", (PROTOCOL,)),
    "6.2_padding_too_long": (1, 0xd, 1, b"\xff\x82", (PROTOCOL, SIZE)),
    "6.4_reset_on_0": (3, 0, 0, b"\0\0\0\x08", (PROTOCOL,)),
    "6.4_reset_of_3_bytes": (3, 0, 1, b"\0\0\0", (SIZE,)),
    "6.5_settings_on_1": (4, 0, 1, b"", (PROTOCOL,)),
    "6.5_settings_of_5_bytes": (4, 0, 0, b"\0\4\0\0\0", (SIZE,)),
    "6.5_ack_with_payload": (4, 1, 0, b"\0\4\0\0\0\1", (SIZE,)),
    "6.5.2_push_2": (4, 0, 0, struct.pack(">HI", 2, 2), (PROTOCOL,)),
    "6.5.2_frame_size_small": (4, 0, 0, struct.pack(">HI", 5, 16383), (PROTOCOL,)),
    "6.5.2_frame_size_large": (4, 0, 0, struct.pack(">HI", 5, 1 << 24), (PROTOCOL,)),
    "6.6_push_from_a_client": (5, 4, 1, b"\0\0\0\2\x82\x84\x87", (PROTOCOL,)),
    "6.7_ping_on_1": (6, 0, 1, b"12345678", (PROTOCOL,)),
    "6.7_ping_of_7_bytes": (6, 0, 0, b"1234567", (SIZE,)),
    "6.8_goaway_on_1": (7, 0, 1, b"\0" * 8, (PROTOCOL,)),
    "6.8_goaway_of_7_bytes": (7, 0, 0, b"\0" * 7, (SIZE,)),
    "6.9_window_of_3_bytes": (8, 0, 0, b"\0\0\1", (SIZE,)),
    "6.9_window_of_0": (8, 0, 0, b"\0\0\0\0", (PROTOCOL,)),
}


@pytest.mark.parametrize("case", FATAL_FRAMES)
def test_frames_that_end_the_connection(server, case):
    kind, flags, stream, payload, errors = FATAL_FRAMES[case]
    ends(Frames(server.tls).raw_frame(kind, flags, stream, payload), *errors)
    still_serves(server)


def test_5_1_closed_streams(server):
    client = Frames(server.tls)
    assert client.get(1, "/hello").answer(1)
    ends(client.headers(1, GET), CLOSED, PROTOCOL)
    client = Frames(server.tls)
    assert client.get(1, "/hello").answer(1)
    ends(client.data(1, b"more"), CLOSED)
    client = Frames(server.tls)
    assert client.get(5, "/hello").answer(5)
    ends(client.headers(3, GET), PROTOCOL, CLOSED)
    client = Frames(server.tls).get(1, "/delay?ms=300").data(1, b"more")
    client.until(lambda: 1 in client.resets or client.goaway is not None)
    assert client.resets.get(1, client.goaway) in (CLOSED, PROTOCOL)


def test_5_1_2_more_than_100_streams_are_refused(server):
    client = Frames(server.tls)
    for stream in range(1, 301, 2):
        client.get(stream, "/delay?ms=400")
    client.until(lambda: sum(a[2] for a in client.answers.values()) == 100)
    assert len(client.resets) == 50 and set(client.resets.values()) == {REFUSED}


def test_5_1_2_data_on_a_refused_stream_is_ignored(server):
    client = Frames(server.tls)
    for stream in range(1, 201, 2):
        client.get(stream, "/delay?ms=60000")
    client.get(201, "/echo", method="POST", end=False).send(frames.RstStreamFrame(1, error_code=CANCEL))
    client.get(203, "/hello").data(201, b"hello")
    assert client.answer(203)[2] == b"hello\n" and client.resets == {201: REFUSED}


def test_5_5_unknown_frames_settings_and_errors_are_ignored(server):
    client = Frames(server.tls, {0x77: 1})
    client.raw_frame(0xee, 0xff, 0, b"abc").raw_frame(0xee, 0, 7, b"")
    client.send(frames.PingFrame(0, b"12345678"))
    assert client.get(9, "/hello").answer(9)[0] == 200
    assert any(isinstance(f, frames.PingFrame) and f.opaque_data == b"12345678" for f in client.received)


def test_clients_that_ignore_the_header_table_size_are_served(server):
    """VLC is one: it never says that it took a smaller table, so none is asked for."""
    client = Frames(server.tls).get(1, "/hello")
    assert client.answer(1)[0] == 200
    settings = next(f for f in client.received if isinstance(f, frames.SettingsFrame) and not f.flags)
    assert settings.settings.get(frames.SettingsFrame.HEADER_TABLE_SIZE, 4096) >= 4096


def test_6_2_interleaved_headers_end_the_connection(server):
    client = Frames(server.tls)
    client.headers(1, GET, flags=()).send(frames.PingFrame(0, b"12345678"))
    ends(client, PROTOCOL)
    client = Frames(server.tls)
    client.headers(1, GET, flags=()).headers(3, GET)
    ends(client, PROTOCOL)


def test_8_1_answers_before_the_body_came_are_followed_by_a_reset(server):
    client = Frames(server.tls).get(1, "/echo", ("content-length", "70000"), method="POST", end=False)
    assert client.answer(1)[0] == 413
    client.until(lambda: 1 in client.resets)
    assert client.resets[1] == NO_ERROR
    client.data(1, b"x" * 1000)  # on its way already
    assert client.get(3, "/hello").answer(3)[0] == 200


def test_8_1_bodies_past_the_limit_without_a_length(server):
    client = Frames(server.tls).get(1, "/echo", method="POST", end=False)
    for _ in range(4):
        client.data(1, b"x" * 16384, False)
    client.until(lambda: any(isinstance(f, frames.WindowUpdateFrame) for f in client.received))
    client.data(1, b"x" * 16384, False)
    assert client.answer(1)[0] == 413


def test_8_1_a_body_that_never_ends_is_408(hasty):
    client = Frames(hasty.tls).get(1, "/echo", method="POST", end=False).data(1, b"x", False)
    assert client.answer(1)[0] == 408
    assert client.get(3, "/hello").answer(3)[0] == 200


def test_8_1_trailers_are_read_and_forgotten(server):
    client = Frames(server.tls).get(1, "/echo", method="POST", end=False).data(1, b"hello", False)
    client.headers(1, [("x-trailer", "a")])
    assert client.answer(1)[2] == b"hello"
    client = Frames(server.tls).get(1, "/echo", method="POST", end=False).data(1, b"hello", False)
    client.headers(1, [(":path", "/hello")])
    assert client.answer(1) is None and client.resets[1] == PROTOCOL


def test_8_1_100_continue(server):
    client = Frames(server.tls).get(1, "/echo", ("expect", "100-continue"), method="POST", end=False)
    client.until(lambda: client.answers.get(1, [{}])[0].get(":status") == "100")
    assert client.data(1, b"hello").answer(1)[2] == b"hello"


def test_8_2_3_cookie_crumbs_are_joined(server):
    client = Frames(server.tls).get(1, "/what", ("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3"))
    assert b"cookie a=1; b=2; c=3\n" in client.answer(1)[2]


def test_8_3_host_stands_in_for_authority(server):
    client = Frames(server.tls).headers(1, GET[:2] + [(":path", "/what"), ("host", "example.org")])
    assert b"authority example.org\n" in client.answer(1)[2]


def test_idle_connections_are_closed_in_good_order(hasty):
    client = Frames(hasty.tls)
    assert client.get(1, "/hello").answer(1)
    began = time.monotonic()
    ends(client, NO_ERROR)
    assert 1.5 < time.monotonic() - began < 4


def test_draining_finishes_what_was_begun(tmp_path):
    server = Server(tmp_path)
    client = Frames(server.tls).get(1, "/delay?ms=600")
    assert client.get(3, "/hello").answer(3)
    server.drain()
    assert client.wait_goaway() == NO_ERROR
    client.get(5, "/hello")
    assert client.answer(1)[2] == b"late\n" and client.is_closed()
    assert not client.answers.get(5, [0, 0, False])[2]
    client.close()
    time.sleep(0.2)
    assert server.stop()


# ---- what must work ----------------------------------------------------------------------------

def test_windows_are_respected(server):
    """With h2 as the judge: it refuses a byte too many."""
    tls = tls_socket(server.tls)
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    client.initiate_connection()
    client.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1000})
    tls.sendall(client.data_to_send())
    bodies, open_streams = {1: b"", 3: b""}, {1, 3}
    sent = False
    while open_streams:
        for event in client.receive_data(tls.recv(65536)):
            if isinstance(event, h2.events.SettingsAcknowledged) and not sent:
                sent = True
                for stream in (1, 3):
                    client.send_headers(stream, GET[:3] + [(":path", "/large?size=100001")], end_stream=True)
            elif isinstance(event, h2.events.DataReceived):
                bodies[event.stream_id] += event.data
                client.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                open_streams.discard(event.stream_id)
        tls.sendall(client.data_to_send())
    assert bodies[1] == bodies[3] == (LETTERS * 3847)[:100001]


def test_answers_come_as_they_are_ready(server):
    client = Frames(server.tls).get(1, "/delay?ms=500").get(3, "/delay?ms=100").get(5, "/hello")
    client.answer(1)
    order = [f.stream_id for f in client.received if isinstance(f, frames.DataFrame)]
    assert order == [5, 3, 1]


def test_head_range_conditions_and_gzip_as_over_http_1(server):
    client = Frames(server.tls)
    assert client.get(1, "/etag", ("range", "bytes=3-5")).answer(1)[2] == b"def"
    assert client.get(3, "/etag", ("if-none-match", '"letters"')).answer(3)[0] == 304
    head = client.get(5, "/large?size=77", method="HEAD").answer(5)
    assert head[1]["content-length"] == "77" and head[2] == b""
    assert client.get(7, "/json", ("accept-encoding", "gzip")).answer(7)[1]["content-encoding"] == "gzip"
    assert client.get(9, "/echo", method="OPTIONS").answer(9)[0] == 204
    assert client.get(11, "*", method="OPTIONS").answer(11)[0] == 204
    assert client.get(13, "/upgrade").answer(13)[0] == 426


def test_a_handler_learns_that_its_stream_was_reset(server):
    before = server.stats()["gone"]
    client = Frames(server.tls).get(1, "/delay?ms=60000").get(3, "/delay?ms=60000")
    client.send(frames.RstStreamFrame(1, error_code=CANCEL))
    assert wait_for(lambda: server.stats()["gone"] == before + 1)
    client.close()
    assert wait_for(lambda: server.stats()["gone"] == before + 2)


def test_curl(server, tmp_path):
    (tmp_path / "body").write_bytes(LETTERS * 2000)
    curl = ["curl", "-sSk", "--http2", "--max-time", "20", "--fail"]
    run = lambda *args: subprocess.run(curl + list(args), check=True, capture_output=True).stdout
    assert run(server.url("/hello"), server.url("/hello")) == b"hello\n" * 2
    assert run("--data-binary", f"@{tmp_path}/body", server.url("/echo")) == LETTERS * 2000
    assert run("-r", "26-51", server.url("/large")) == LETTERS
    assert run("--compressed", server.url("/json")).startswith(b"[0,1,2")
    assert len(run(server.url("/large?size=20000000"))) == 20000000
    assert run("-w", "%{http_version}", "-o", "/dev/null", server.url("/hello")) == b"2"


@pytest.mark.parametrize("path, count", [("/hello", 20000), ("/large?size=20480", 5000)])
def test_h2load(server, path, count):
    result = subprocess.run(["h2load", "-n", str(count), "-c", "20", "-m", "20", server.url(path)],
                            check=True, capture_output=True, text=True, timeout=60).stdout
    assert f"{count} succeeded, 0 failed, 0 errored" in result, result
