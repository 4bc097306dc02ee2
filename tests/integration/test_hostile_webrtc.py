"""What strangers and other viewers may do to WebRTC: nothing. (hostile.md: STUN/ICE, DTLS, N1, XC2)

What one message alone can do wrong is in tests/unit/egress/webrtc/ and the fuzz tests. What has to
wait for the end of a viewer's consent is for `make soak-webrtc`.
"""
import hashlib
import hmac
import os
import random
import socket
import struct
import subprocess
import time
import zlib

import players
import pytest
import rig as rigs
from whep_rig import Whep, descriptors, offer, rss_kb

SLUG = "hostile-webrtc"
COOKIE = 0x2112A442
USERNAME, PRIORITY, INTEGRITY, CANDIDATE = 0x0006, 0x0024, 0x0008, 0x0025
CONTROLLING, FINGERPRINT = 0x802A, 0x8028
CONSENT_SECONDS = 30
PLAYER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "whep/aiortc_play.py")


@pytest.fixture(scope="module")
def whep(relay, token):
    """A camera that is awake, and a server that is at the end who it was before."""
    child = relay.start_camera()
    relay.add_camera(SLUG, child.url, "--always-on", "yes")
    relay.wait_state(SLUG, ["live"])
    pid = relay.server.pid
    yield Whep(relay, SLUG, token)
    assert relay.server.is_running() and relay.server.pid == pid
    relay.remove_camera(SLUG)
    child.stop()
    relay.cameras.remove(child)


def attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + value + b"\0" * (-len(value) % 4)


def check(username, password=None, more=b"", cut=0):
    """A connectivity check (RFC 8445), without MESSAGE-INTEGRITY when no password is given."""
    body = attribute(USERNAME, username.encode()) + attribute(PRIORITY, b"\x6e\0\0\xff") + \
        attribute(CONTROLLING, b"\1" * 8) + more
    head = struct.pack("!HHI", 1, len(body) + (24 if password else 0), COOKIE) + os.urandom(12)
    if password:
        digest = hmac.new(password.encode(), head + body, hashlib.sha1).digest()
        body += attribute(INTEGRITY, digest)
    head = head[:2] + struct.pack("!H", len(body) + 8) + head[4:]
    body += attribute(FINGERPRINT, struct.pack("!I", zlib.crc32(head + body) ^ 0x5354554E))
    return (head + body)[:len(head + body) - cut]


def client_hello(cookie=b""):
    """Of DTLS 1.2, with use_srtp: what a viewer says first."""
    extensions = b"\0\x0e\0\5\0\2\0\7\0" + b"\0\x0a\0\4\0\2\0\x17" + b"\0\x0d\0\4\0\2\4\3"
    body = b"\xfe\xfd" + os.urandom(32) + b"\0" + bytes([len(cookie)]) + cookie + \
        b"\0\2\xc0\x2b\1\0" + struct.pack("!H", len(extensions)) + extensions
    size = len(body).to_bytes(3, "big")
    message = b"\1" + size + b"\0\0" + b"\0\0\0" + size + body
    return b"\x16\xfe\xfd\0\0" + b"\0" * 6 + struct.pack("!H", len(message)) + message


class Stranger:
    """A UDP socket that talks to one candidate of an answer."""

    def __init__(self, answer):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(0.3)
        self.socket.connect(answer.candidates("udp")[0])

    def send(self, *packets):
        for packet in packets:
            self.socket.send(packet)

    def hears(self):
        """The next packet, or b"": silence."""
        try:
            return self.socket.recv(4096)
        except socket.timeout:
            return b""

    def ask(self, packet):
        self.send(packet)
        return self.hears()


@pytest.fixture
def session(whep):
    """An answered offer of aiortc's, not yet connected; with the names its checks carry."""
    answer = whep.post(offer("aiortc"))
    assert answer.status == 201
    answer.username = answer.value("ice-ufrag") + ":gMK2"
    answer.password = answer.value("ice-pwd")
    yield answer
    whep.delete(answer.headers["Location"])


@pytest.fixture
def stranger(session):
    made = Stranger(session)
    yield made
    made.socket.close()


def is_success(reply):
    return reply[:2] == b"\x01\x01"


# ---- STUN and ICE --------------------------------------------------------------------------------

def test_noise_gets_no_answer(stranger):
    noise = random.Random(17)
    for first in (0, 1, 19, 20, 22, 63, 64, 127, 128, 191, 192, 255):
        stranger.send(*(bytes([first]) + noise.randbytes(noise.randrange(1400)) for _ in range(50)))
    assert stranger.hears() == b""


def test_a_check_that_is_not_authentic_gets_no_answer(stranger, session):
    user, password = session.username, session.password
    ours = user.split(":")[0]
    wrong = [check(user), check(user, "x" * 32), check(user, password, cut=8),
             check(user + "x", password), check(f"{ours}:", password), check(ours, password),
             check("00" + "a" * 18 + ":gMK2", password), check("zz", password), check("", password),
             check(user, password)[:19]]
    for packet in wrong:
        stranger.send(packet)
    assert stranger.hears() == b""


def test_an_authentic_checks_answer_is_no_longer_than_it(stranger, session):
    packet = check(session.username, session.password)
    reply = stranger.ask(packet)
    assert is_success(reply) and len(reply) <= len(packet)


def test_no_hello_is_answered_before_an_authentic_check(stranger):
    stranger.send(*(client_hello(os.urandom(20)) for _ in range(300)))
    assert stranger.hears() == b""


def test_a_hello_from_another_address_than_the_checks_is_not_answered(stranger, session):
    assert is_success(stranger.ask(check(session.username, session.password,
                                         attribute(CANDIDATE, b""))))
    other = Stranger(session)
    other.send(*(client_hello() for _ in range(50)))
    assert other.hears() == b""
    stranger.send(client_hello())
    assert any(stranger.hears()[:1] == b"\x16" for _ in range(3)), "its own hello is answered"
    other.socket.close()


def test_forged_hellos_cost_little_and_a_viewer_plays_on(relay, whep, stranger):
    before = rss_kb(relay.server), descriptors(relay.server)
    end = time.monotonic() + 2
    sent = 0
    while time.monotonic() < end:
        stranger.send(*(client_hello(os.urandom(20)) for _ in range(20)))
        sent += 20
        time.sleep(0.001)
    assert sent > 1000 and stranger.hears() == b""
    assert rigs.IS_SANITIZED or rss_kb(relay.server) - before[0] <= 1024
    assert descriptors(relay.server) <= before[1]
    assert players.whep(relay.urls(SLUG, whep.token)["whep"], 1)


def test_of_forty_addresses_for_one_session_four_are_proved(session):
    """The rest are strangers, whatever they know."""
    packet, proved, asked = check(session.username, session.password), 0, []
    for _ in range(40):
        asked.append(Stranger(session))
        asked[-1].send(packet)
    for one in asked:
        one.socket.settimeout(0.05)
        proved += is_success(one.hears())
        one.socket.close()
    assert proved == 4


# ---- sessions ------------------------------------------------------------------------------------

def test_nobody_else_may_change_or_end_a_session(relay, whep, session):
    location = session.headers["Location"]
    fragment = b"a=ice-ufrag:evil\r\na=ice-pwd:0123456789abcdefghijklmn\r\n"
    for wrong in (relay.token("other")["token"], "nonsense", ""):
        assert whep.patch(location, fragment, token=wrong).status in (401, 403)
        assert whep.delete(location, token=wrong).status in (401, 403)
    head, own = location.rsplit("/", 1)
    for guess in (own[:-1] + ("0" if own[-1] != "0" else "1"), "x", "ff" + own[2:], "0" * 200):
        assert whep.delete(f"{head}/{guess}").status == 404
    assert whep.patch(location, b"a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n").status == 204


def test_offers_that_nobody_follows_up_are_bounded(relay, whep):
    """They count as viewers of their token, and each costs little."""
    made, memory, many = relay.token("many", "--viewers", "200"), rss_kb(relay.server), 220
    answers = [whep.post(offer("aiortc"), token=made["token"]) for _ in range(many)]
    assert [answer.status for answer in answers] == [201] * 200 + [429] * 20
    assert rigs.IS_SANITIZED or rss_kb(relay.server) - memory <= 200 * 120
    relay.cli("token", "revoke", made["id"])
    rigs.wait_until(lambda: whep.delete(answers[0].headers["Location"],
                                        token=made["token"]).status in (401, 404), 2,
                    "the sessions to end with their token")


# ---- what takes 30 s -----------------------------------------------------------------------------

def viewers_left(relay):
    return sum(" left protocol=webrtc" in line for line in relay.server.log().splitlines())


@pytest.mark.skipif(not os.environ.get("LONG_RUN"), reason="make soak-webrtc runs it")
def test_who_vanishes_or_never_connects_is_gone_when_consent_ends(relay, whep):
    """A thousand offers that nobody follows up, a half-open handshake, a viewer that was killed."""
    url, before = relay.urls(SLUG, whep.token)["whep"], relay.server.log().count("reason=consent")
    with subprocess.Popen(["/usr/bin/python3", "-B", PLAYER, url, "60"], start_new_session=True,
                          preexec_fn=rigs.die_with_parent, stdout=subprocess.DEVNULL) as viewer:
        time.sleep(4)
        viewer.kill()
    vanished_at, left, memory = time.monotonic(), viewers_left(relay), rss_kb(relay.server)
    answers = [whep.post(offer("aiortc")) for _ in range(1000)]
    assert {answer.status for answer in answers} == {201}
    half = Stranger(answers[0])
    user = answers[0].value("ice-ufrag") + ":gMK2"
    half.send(check(user, answers[0].value("ice-pwd"), attribute(CANDIDATE, b"")), client_hello())
    assert half.hears()
    print(f"1000 offers: {rss_kb(relay.server) - memory:+} kB")
    rigs.wait_until(lambda: relay.server.log().count("reason=consent") > before,
                    CONSENT_SECONDS + 3, "the viewer who vanished to be gone")
    print(f"vanished: gone after {time.monotonic() - vanished_at:.1f} s")
    rigs.wait_until(lambda: viewers_left(relay) - left >= 1001, CONSENT_SECONDS + 10,
                    lambda: f"1001 sessions to be gone, not {viewers_left(relay) - left}")
    print(f"all gone after {time.monotonic() - vanished_at:.1f} s")
    assert whep.delete(answers[0].headers["Location"]).status == 404
    half.socket.close()
