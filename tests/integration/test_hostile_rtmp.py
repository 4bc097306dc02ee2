"""What strangers and other viewers may do to RTMP: nothing. (hostile.md: M1 to M4, C12, XC1)

What one message alone can do wrong is in tests/unit/egress/rtmp/, tests/unit/rtmp/ and the fuzz tests.
"""
import contextlib
import os
import socket
import struct
import time

import pytest
from rtmp_client import (AUDIO, CHUNK_SIZE, COMMAND, DATA, HANDSHAKE, VIDEO, Client, chunks, client,
                         encode, name_and_token)
from whep_rig import rss_kb

SLUG = "hostile-rtmp"
ABORT, AGGREGATE, WINDOW, USER_CONTROL = 2, 22, 5, 4


@pytest.fixture(scope="module", name="port")
def port_fixture(relay):
    """A camera that is awake, and a server that is at the end who it was before."""
    child = relay.start_camera()
    relay.add_camera(SLUG, child.url, "--always-on", "yes")
    relay.wait_state(SLUG, ["live"])
    pid = relay.server.pid
    yield relay.ports["rtmp"]
    assert relay.server.is_running() and relay.server.pid == pid
    relay.remove_camera(SLUG)
    child.stop()
    relay.cameras.remove(child)


@pytest.fixture(name="name")
def name_fixture(relay, port, token):
    assert port
    return name_and_token(relay.urls(SLUG, token)["rtmp"])


def frames(viewer, seconds):
    count, deadline = 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        count += viewer.message()[0] == VIDEO
    return count


@pytest.fixture(name="other")
def other_fixture(port, name):
    """Another viewer, who must not notice anything."""
    with client(port) as viewer:
        assert viewer.play(name)["code"] == "NetStream.Play.Start"
        yield viewer
        assert frames(viewer, 0.5) > 8


# M1, XC1
def test_who_says_nothing_or_little_is_gone_in_time(port, other):
    assert other
    silent, slow = [Client(port) for _ in range(300)], Client(port)
    greeted, partial, idle = Client(port), Client(port), Client(port)
    began = time.monotonic()
    greeted.handshake()  # and no connect
    partial.handshake()
    partial.connect()
    partial.until("_result")
    partial.send(chunks(COMMAND, bytes(1000))[:300])
    idle.send(b"\3" + bytes(HANDSHAKE))  # and no C2
    slow.send(b"\3")
    for _ in range(12):
        with contextlib.suppress(OSError):
            slow.send(b"\0")
            partial.send(b"\0")
        time.sleep(0.5)
    assert all(viewer.is_closed(0.5) for viewer in silent), "first byte within 5 s"
    for viewer in (slow, greeted, partial, idle):
        assert viewer.is_closed(max(0.1, began + 12 - time.monotonic()))
    for viewer in (*silent, slow, greeted, partial, idle):
        viewer.close()


@pytest.mark.parametrize("first", [0, 2, 4, 6, 0x16, ord("G"), 255])
def test_another_version_is_closed_at_once(port, first):
    with client(port) as viewer:
        viewer.send(bytes([first]))
        assert viewer.is_closed(1)


def test_c1_of_zeros_and_of_noise_plays(port, name):
    for c1 in (bytes(HANDSHAKE), os.urandom(HANDSHAKE)):
        with client(port) as viewer:
            viewer.handshake(c1)
            viewer.connect()
            assert viewer.until("_result")
    assert name


# M2: what ends the connection, sent after the handshake
BAD = {
    "chunk size 0": chunks(CHUNK_SIZE, bytes(4), channel=2),
    "chunk size 2^31": chunks(CHUNK_SIZE, b"\x80\0\0\0", channel=2),
    "chunk size cut": chunks(CHUNK_SIZE, b"\0", channel=2),
    "type 3 first": b"\xc9" + bytes(200),
    "type 2 first": b"\x89" + bytes(200),
    "message of 16 MiB": b"\3\0\0\0\xff\xff\xff\x14\0\0\0\0" + bytes(1000),
    "video of 16 MiB": b"\6\0\0\0\xff\xff\xff\x09\1\0\0\0" + bytes(1000),
    "message just too long": b"\3\0\0\0\1\0\1\x14\0\0\0\0" + bytes(100),
    "header within a message": chunks(COMMAND, bytes(300))[:140] + chunks(COMMAND, bytes(300)),
    "40 chunk streams": b"".join(chunks(DATA, b"x", channel=i) for i in range(2, 42)),
    "no command": chunks(COMMAND, b"junk"),
    "empty command": chunks(COMMAND, b""),
    "nested 10,000 deep": chunks(COMMAND, encode("connect") + encode(1) + b"\3\0\1a" * 10000),
    "array of 2^32 - 1": chunks(COMMAND, encode("connect") + encode(1) + b"\x0a\xff\xff\xff\xff\5"),
    "string past the end": chunks(COMMAND, b"\2\xff\xffconnect"),
    "long string past the end": chunks(COMMAND, b"\x0c\xff\xff\xff\xffconnect"),
    "name of 60,000 bytes": chunks(COMMAND, encode("c" * 60000) + encode(1)),
    "reference": chunks(COMMAND, encode("connect") + encode(1) + b"\7\0\0"),
    "app of 300 bytes": chunks(COMMAND, b"".join(map(encode, ("connect", 1, {"app": "a" * 300})))),
    "app is no text": chunks(COMMAND, b"".join(map(encode, ("connect", 1, {"app": 1})))),
    "no media here": chunks(VIDEO, b"\x17\0\0\0\0"),
    "no sound either": chunks(AUDIO, b"\xaf\0"),
    "aggregate": chunks(AGGREGATE, bytes(64)),
    "a thousand messages": chunks(DATA, b"x") * 1000,
}


def test_what_breaks_the_rules_ends_the_connection(port, other):
    """In one test: the other viewer watches all the while."""
    assert other
    for what, sent in BAD.items():
        with client(port) as viewer:
            viewer.handshake()
            with contextlib.suppress(OSError):
                viewer.send(sent)
            assert viewer.is_closed(2), what


# M2, M3: what is odd, but harmless
def test_what_is_odd_but_harmless_plays_on(port, name):
    with client(port) as viewer:
        viewer.handshake()
        viewer.send(chunks(CHUNK_SIZE, b"\x7f\xff\xff\xff", channel=2))
        viewer.out_size = 1 << 16
        viewer.send(chunks(ABORT, struct.pack(">I", 77), channel=2))
        viewer.send(chunks(WINDOW, bytes(4), channel=2))
        viewer.send(chunks(USER_CONTROL, b"\0\3", channel=2) + chunks(USER_CONTROL, b"", channel=2))
        viewer.send(chunks(99, b"unheard of") + chunks(DATA, encode(1) + encode(2) + encode("@setDataFrame")))
        viewer.connect(fourCcList=["zzzz", None, 7, ["hvc1"]], videoFourCcInfoMap={"none": "x"})
        viewer.until("_result")
        viewer.send(chunks(17, b"\0" + b"".join(map(encode, ("createStream", 9, None)))))
        viewer.until("_result")
        viewer.command("deleteStream", None, 99)
        viewer.command("unheard-of", None)
        assert viewer.until("_error")
        viewer.command("play", None, name, -2, -1, True, stream=1)
        assert viewer.until("NetStream.Play.Start")
        viewer.command("seek", None, 1000, stream=1)
        assert viewer.until("NetStream.Seek.Failed")
        assert frames(viewer, 0.5) > 8


# M4
@pytest.mark.parametrize("bad", ["", "/", "..", "../x", "a/../b", "x" * 256, "x" * 5000, "a\0b", "%2e%2e",
                                 "?token=", "rtmp://h/x", "a" * 64, "?token=" + "t" * 200])
def test_names_of_all_kinds_are_refused_in_words(port, bad):
    with client(port) as viewer:
        told = viewer.play(bad)
        assert told["level"] == "error" and told["description"]
        assert told["code"] in ("NetStream.Play.StreamNotFound", "NetStream.Play.Failed")
        assert viewer.is_closed(1)


def test_publishing_is_refused_with_a_token_to_play(port, name, other):
    assert other
    with client(port) as viewer:
        viewer.play(name)
        viewer.command("publish", None, name, "live", stream=1)
        assert viewer.until("NetStream.Publish.BadName")[3]["level"] == "error"
        assert viewer.is_closed(1)


def test_plain_on_the_tls_port_and_tls_on_the_plain_one(relay, port):
    with client(relay.ports["rtmps"]) as viewer:
        viewer.send(b"\3" + bytes(HANDSHAKE))
        assert viewer.is_closed(2)
    with client(port) as viewer:
        viewer.send(b"\x16\3\1\2\0\1\0\1\xfc\3\3" + bytes(200))
        assert viewer.is_closed(2)


def test_a_viewer_that_reads_nothing_costs_nobody_anything(relay, port, name, other):
    """It holds no more than its backlog, and is cut off; the kernel's own buffers are small here."""
    stuck = []
    for _ in range(20):
        viewer = Client(port)
        viewer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        viewer.play(name)
        stuck.append(viewer)
    before = rss_kb(relay.server)
    assert frames(other, 3) > 60
    assert rss_kb(relay.server) - before < 20 * 2048
    for viewer in stuck:
        viewer.close()


def test_floods_of_commands_leave_nothing_behind(relay, port, name, other):
    assert other
    before = None
    for i in range(200):
        with client(port) as viewer:
            viewer.handshake()
            viewer.connect()
            viewer.send(chunks(COMMAND, b"\0" * 60000)[:50000])
            if i % 10 == 0:
                viewer.command("createStream", None)
        before = before or (rss_kb(relay.server), descriptors(relay.server.pid))
    assert rss_kb(relay.server) - before[0] < 8192
    assert descriptors(relay.server.pid) - before[1] < 10
    assert name


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))
