"""GET /agent, the agents' connections in a WebSocket (RFC 6455); W ids are of hostile.md."""
import os

import pytest
from http_rig import Frames, Raw, tls_socket

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
GOOD = {b"Host": b"localhost", b"Upgrade": b"websocket", b"Connection": b"Upgrade",
        b"Sec-WebSocket-Version": b"13", b"Sec-WebSocket-Key": KEY,
        b"Sec-WebSocket-Protocol": b"culvert.1"}


class Secure(Raw):
    """Raw, over TLS."""

    def __init__(self, relay):
        self.socket, self.rest = tls_socket(relay.ports["https"], "http/1.1"), b""

    def read(self, count):
        while len(self.rest) < count:
            assert self._more(), f"the end after {self.rest!r}"
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def frame(self):
        """(first byte, payload) of the server's next frame, which must not be masked."""
        first, length = self.read(2)
        if length == 126:
            length = int.from_bytes(self.read(2), "big")
        assert length < 126 or length > 127
        return first, self.read(length)


def request(head=None, without=(), body=b"", method=b"GET"):
    rows = {**GOOD, **(head or {})}
    lines = [name + b": " + value for name, value in rows.items() if name not in without]
    return method + b" /agent HTTP/1.1\r\n" + b"\r\n".join(lines) + b"\r\n\r\n" + body


def masked(first, payload, mask=None):
    mask = mask or os.urandom(4)
    assert len(payload) < 126
    return (bytes([first, 0x80 | len(payload)]) + mask
            + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)))


def upgraded(relay, head=None):
    raw = Secure(relay)
    answer = raw.ask(request(head))
    assert answer[0] == 101, answer
    return raw, answer[1]


def test_an_upgrade_is_answered_as_the_rfc_says_and_the_server_challenges(relay):
    raw, headers = upgraded(relay)
    assert headers["upgrade"] == "websocket" and headers["connection"].lower() == "upgrade"
    assert headers["sec-websocket-accept"] == ACCEPT
    assert headers["sec-websocket-protocol"] == "culvert.1"
    raw.send(masked(0x82, b"CVC1"))
    first, challenge = raw.frame()
    assert first == 0x82 and len(challenge) > 32
    assert int.from_bytes(challenge[:4], "big") == len(challenge) - 4
    raw.close()


def test_frames_that_came_with_the_request_are_heard(relay):
    raw = Secure(relay)
    assert raw.ask(request() + masked(0x82, b"CV") + masked(0x89, b"?") + masked(0x82, b"C1"))[0] == 101
    assert raw.frame() == (0x8a, b"?")
    assert raw.frame()[0] == 0x82
    raw.close()


def test_a6_compression_is_not_negotiated_and_compressed_frames_are_refused(relay):
    raw, headers = upgraded(relay, {b"Sec-WebSocket-Extensions": b"permessage-deflate"})
    assert "sec-websocket-extensions" not in headers
    raw.send(masked(0xc2, b"CVC1"))
    assert raw.frame() == (0x88, (1002).to_bytes(2, "big"))
    assert raw.is_closed()


@pytest.mark.parametrize("head, without, status", [
    ({b"Origin": b"https://evil.example"}, (), 403),
    ({b"Origin": b"https://localhost"}, (), 403),
    ({b"Origin": b"null"}, (), 403),
    ({}, (b"Upgrade",), 426),
    ({b"Upgrade": b"h2c"}, (), 426),
    ({b"Connection": b"keep-alive"}, (), 426),
    ({}, (b"Connection",), 426),
    ({b"Sec-WebSocket-Version": b"8"}, (), 426),
    ({}, (b"Sec-WebSocket-Version",), 426),
    ({}, (b"Sec-WebSocket-Key",), 400),
    ({b"Sec-WebSocket-Key": b"c2hvcnQ="}, (), 400),
    ({b"Sec-WebSocket-Key": KEY + b", " + KEY}, (), 400),
    ({}, (b"Sec-WebSocket-Protocol",), 400),
    ({b"Sec-WebSocket-Protocol": b"culvert.2"}, (), 400),
    ({b"Sec-WebSocket-Protocol": b"bearer.SGFsbG8"}, (), 400),
])
def test_w2_an_upgrade_that_is_none_of_an_agents_is_refused(relay, head, without, status):
    raw = Secure(relay)
    answer = raw.ask(request(head, without))
    assert answer[0] == status, answer
    assert answer[1]["content-type"] == "application/problem+json"
    if status == 426:
        assert answer[1]["upgrade"] == "websocket"
        assert answer[1]["sec-websocket-version"] == "13"
    raw.close()


def test_w2_an_upgrade_with_a_body_is_refused(relay):
    raw = Secure(relay)
    assert raw.ask(request({b"Content-Length": b"4"}, body=b"CVC1"))[0] in (400, 413)
    assert raw.is_closed()


def test_w2_a_second_upgrade_is_no_frame(relay):
    raw, _ = upgraded(relay)
    raw.send(request())
    first, payload = raw.frame()
    assert first == 0x88 and payload == (1002).to_bytes(2, "big")
    assert raw.is_closed()


def test_http2_and_plain_http_have_no_agents(relay):
    h2 = Frames(relay.ports["https"]).get(1, "/agent")
    assert h2.answer(1)[0] == 400
    h2.close()
    plain = Raw(relay.ports["http"])
    assert plain.ask(request())[0] == 308
    plain.close()


def test_w1_a_ping_is_answered_and_a_flood_of_them_is_not(relay):
    raw, _ = upgraded(relay)
    raw.send(masked(0x89, b"hello"))
    assert raw.frame() == (0x8a, b"hello")
    raw.send(masked(0x89, b"") * 2000)
    frame = raw.frame()
    while frame[0] == 0x8a:
        frame = raw.frame()
    assert frame == (0x88, (1008).to_bytes(2, "big"))
    assert raw.is_closed()


def test_w1_a_frame_that_is_not_masked_ends_it(relay):
    raw, _ = upgraded(relay)
    raw.send(b"\x82\x04CVC1")
    assert raw.frame() == (0x88, (1002).to_bytes(2, "big"))
    assert raw.is_closed()


def test_what_is_no_agents_preface_is_closed_without_an_answer(relay):
    raw, _ = upgraded(relay)
    raw.send(masked(0x82, b"GET "))
    assert raw.is_closed()
