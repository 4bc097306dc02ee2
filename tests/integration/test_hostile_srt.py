"""What strangers and other viewers may do to SRT: nothing. (hostile.md: S1 to S5, Q4, XC2)

What one packet alone can do wrong is in tests/unit/egress/srt/ and the fuzz test.
"""
import os
import random
import struct
import time

import pytest
import rig as rigs
from srt_caller import (ACK, ACKACK, CONCLUSION, DROP, EXTENSION, GROUP, HANDSHAKE, INDUCTION,
                        KEEPALIVE, KEYS_REQUEST, KEYS_RESPONSE, LOSS, SHUTDOWN, Caller, calling,
                        control, extension)
from whep_rig import rss_kb

SLUG = "hostile-srt"
WRONG = "cv1_0000000000000000_" + "0" * 32
RANGE = 1 << 31


@pytest.fixture(scope="module", name="port")
def port_fixture(relay):
    """A camera that is awake, and a server that is at the end who it was before."""
    child = relay.start_camera()
    relay.add_camera(SLUG, child.url, "--always-on", "yes")
    relay.wait_state(SLUG, ["live"])
    pid = relay.server.pid
    yield relay.ports["srt"]
    assert relay.server.is_running() and relay.server.pid == pid
    relay.remove_camera(SLUG)
    child.stop()
    relay.cameras.remove(child)


@pytest.fixture(name="stream_id")
def stream_id_fixture(port, token):
    assert port
    return f"{SLUG}?token={token}"


@pytest.fixture(name="other")
def other_fixture(port, stream_id):
    """Another viewer, who must not notice anything."""
    with calling(port, stream_id) as caller:
        assert caller.media(0.5) > 5
        yield caller
        assert caller.media(1) > 30


def test_every_refusal_has_its_code(relay, port, token):
    elsewhere = relay.token("elsewhere", "--protocol", "rtsp")["token"]
    rows = [(None, 1400), ("", None), (SLUG, 1401), (f"{SLUG}?token={WRONG}", 1401),
            (f"{SLUG}?token={token[:-1]}", 1401), (f"{SLUG}?token={token}0", 1401),
            (f"{SLUG}?token={elsewhere}", 1403), (f"nowhere?token={token}", 1403),
            (f"#!::r={SLUG},m=publish,u={token}", 1405), (f"publish:{SLUG}:u:{token}", 1405),
            (f"#!::r={SLUG},t=file,u={token}", 1415), (f"#!::r={SLUG},u={token},u=x", 1400),
            (f"#!::m=request,u={token}", 1404), (f"{SLUG}\r\n?token={token}", 1400),
            (b"\xff\xfe" + SLUG.encode(), 1400), ("x" * 512, 1404), ("x" * 513, None),
            ("x" * 1300, None)]
    for stream_id, code in rows:
        with Caller(port) as caller:
            patience = 1.0 if code else 0.2
            assert caller.call(stream_id, patience) == code, stream_id
    with Caller(port) as caller:
        assert caller.call(f"#!::r={SLUG},u={token},m=request") == "in"


def test_handshakes_that_lie_get_no_connection(port, stream_id, other):
    assert other
    for fields in ({"version": 4}, {"version": 6}, {"version": 0}, {"cookie": 0x1234567},
                   {"mss": 76}, {"mss": 0}, {"window": 0}, {"window": RANGE}, {"to": 77},
                   {"more": extension(KEYS_REQUEST, b"\xff" * 1000)},
                   {"more": extension(KEYS_RESPONSE, b"\xff" * 600)},
                   {"more": extension(GROUP, b"\0" * 8)},
                   {"more": struct.pack(">HH", KEYS_REQUEST, 0xffff)},
                   {"more": struct.pack(">HH", KEYS_REQUEST, 0)}):
        with Caller(port) as caller:
            assert caller.induce()
            caller.send(caller.conclusion(stream_id, **fields))
            answer = caller.answer(0.1)
            assert answer is None or answer[0] != CONCLUSION, fields
    for request in (0, 0xfffffffe, 1000, 2, RANGE):  # rendezvous, agreement, refusals
        with Caller(port) as caller:
            caller.send(caller.handshake(request))
            assert caller.receive(0.05) is None


def test_a_latency_beyond_the_limit_is_closed(relay, port, stream_id):
    with calling(port, stream_id, latency=65535) as caller:
        caller.media(0.3)
    relay.server.expect("latency-refused", 3)


def test_before_an_address_is_proved_no_more_goes_out_than_came_in(port):
    with Caller(port) as caller:
        packet = caller.handshake(INDUCTION, version=4, flags=2)
        caller.send(packet)
        assert len(caller.receive()) <= len(packet)
        for size in (0, 1, 15, 16, 20, 63, 65, 1400):
            caller.send(os.urandom(size))
            assert caller.receive(0.05) is None


def test_garbage_on_the_port_is_not_heard(port, other):
    assert other
    chance = random.Random(1)
    with Caller(port) as caller:
        for _ in range(3000):
            packet = bytearray(chance.randbytes(chance.randrange(1, 1500)))
            packet[0] |= chance.choice((0, 0x80))
            caller.send(bytes(packet))


def test_a_viewers_control_packets_cannot_hurt(port, stream_id, other):
    """Each on a connection of its own: some end it, as they should."""
    assert other
    word = struct.Struct(">I").pack
    rows = [(EXTENSION, KEYS_RESPONSE, b"\xff" * 1400), (EXTENSION, KEYS_REQUEST, b"\xff" * 1400),
            (EXTENSION, KEYS_RESPONSE, b""), (EXTENSION, KEYS_RESPONSE, b"\x12\x20\x29\x01" * 8),
            (EXTENSION, KEYS_REQUEST, b"\x12\x20\x29\x01" * 18), (EXTENSION, 1, b"\0" * 12),
            (LOSS, 0, b""), (LOSS, 0, word(RANGE | 7000)), (LOSS, 0, word(RANGE | 7000) + word(6000)),
            (LOSS, 0, word(RANGE) + word(RANGE - 1)), (LOSS, 0, word(0xffffffff) * 300),
            (DROP, 0, b""), (DROP, 0, word(7000) + word(9000)), (ACKACK, 0, b""),
            (ACK, 0, b""), (ACK, 0, word(0x7fffffff)), (ACK, 0, word(RANGE) * 7),
            (ACK, 0, b"\x01"), (KEEPALIVE, 0, b"\0" * 1400), (HANDSHAKE, 0, b"\0" * 48),
            (0x7ffe, 9, b"\xff" * 100), (8, 0, b"\0" * 4)]
    for kind, subtype, body in rows:
        with calling(port, stream_id) as caller:
            caller.media(0.03)
            caller.say(kind, body, subtype)
            caller.media(0.03)
            caller.say(SHUTDOWN, b"\0" * 4)


def test_media_from_a_viewer_starts_no_thread(relay, port, stream_id, other):
    assert other
    with calling(port, stream_id) as caller:
        before = len(os.listdir(f"/proc/{relay.server.pid}/task"))
        for number in range(200):
            caller.send(struct.pack(">IIII", 7000 + number, 0xe0000001, 0, caller.peer) + b"\0" * 1316)
        assert caller.media(0.3) > 5
        assert len(os.listdir(f"/proc/{relay.server.pid}/task")) == before


def test_floods_of_handshakes_are_bounded_and_end(relay, port, stream_id, other):
    """Cookies asked for by nobody, then callers with a cookie whose tokens are wrong."""
    before = rss_kb(relay.server)
    with Caller(port) as caller:
        packet = caller.handshake(INDUCTION, version=4, flags=2)
        for _ in range(10000):
            caller.send(packet)
    assert other.media(0.5) > 10
    assert rigs.IS_SANITIZED or rss_kb(relay.server) - before < 4000
    with Caller(port) as caller:
        rigs.wait_until(lambda: caller.induce(), 5, "a cookie after the flood")
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            caller.id += 1
            caller.send(caller.conclusion(f"{SLUG}?token={WRONG}"))
    assert other.media(1) > 30
    assert rigs.IS_SANITIZED or rss_kb(relay.server) - before < 192000
    relay.server.expect("flood-of-callers", 1)
    relay.server.expect("flood-over", 10)

    def comes_in():
        with Caller(port) as late:
            return late.call(stream_id) == "in"
    rigs.wait_until(comes_in, 15, "a viewer to be let in after the flood")


def told_to_go(caller, other):
    """Keeps the connection alive, so that libsrt would keep it for good: the seconds until we don't."""
    began = time.monotonic()
    while time.monotonic() - began < 14:
        caller.say(KEEPALIVE, b"\0" * 4)
        other.media(0.2)
        packet = caller.receive(0.001)
        while packet and packet[:4] != b"\x80\5\0\0":
            packet = caller.receive(0.001)
        if packet:
            break
    return time.monotonic() - began


def test_viewers_that_take_nothing_cost_little_and_are_ended(relay, port, stream_id, other):
    """One never acknowledged anything, one went without a word, one takes no more from then on."""
    made, before = relay.token("gone"), rss_kb(relay.server)
    with calling(port, f"{SLUG}?token={made['token']}") as gone:
        assert gone.media(0.3) > 5
    with calling(port, stream_id) as deaf:
        assert 2.5 < told_to_go(deaf, other) < 5
    with calling(port, stream_id) as slow:
        assert slow.media(0.3) > 5
        assert 8 < told_to_go(slow, other) < 13
    assert rigs.IS_SANITIZED or rss_kb(relay.server) - before < 4096
    relay.server.expect(rf"(?s)token={made['id']}.*left protocol=srt", 1)


def test_control_is_control():
    """The caller's own bytes, so that the above tests what it says."""
    assert control(LOSS, 0, 1, 2, b"abcd") == b"\x80\x03\0\0" b"\0\0\0\x01" b"\0\0\0\0" b"\0\0\0\x02abcd"
