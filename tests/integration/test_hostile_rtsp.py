"""RTSP as no well-behaved player speaks it, over raw sockets. R… are the lines of hostile.md."""
import hashlib
import itertools
import re
import socket
import ssl
import time

import players
import pytest
import rig as rigs

METHODS = ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "PAUSE", "GET_PARAMETER", "SET_PARAMETER",
           "ANNOUNCE", "RECORD", "REDIRECT", "NONSENSE", "TEARDOWN"]
STATES = ["open", "described", "ready", "playing", "paused"]


class Talk:
    """One connection, spoken to line by line."""

    def __init__(self, url):
        host, port = re.search(r"://([^:/]+):(\d+)", url).groups()
        self.sock = socket.create_connection((host, int(port)), timeout=5)
        self.url, self.base = url, url.split("?")[0]
        self.cseq, self.session, self.input = 0, None, b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, text):
        self.sock.sendall(text if isinstance(text, bytes) else text.encode())

    def more(self):
        got = self.sock.recv(65536)
        if not got:
            raise EOFError
        self.input += got

    def answer(self):
        """The next answer: (status, headers and body as text); media in between is passed over."""
        while True:
            if self.input[:1] == b"$":
                if len(self.input) >= 4 and len(self.input) >= (size := 4 + int.from_bytes(self.input[2:4], "big")):
                    self.input = self.input[size:]
                    continue
            elif b"\r\n\r\n" in self.input:
                head, rest = self.input.split(b"\r\n\r\n", 1)
                found = re.search(rb"Content-Length: (\d+)", head)
                size = int(found.group(1)) if found else 0
                if len(rest) >= size:
                    self.input = rest[size:]
                    text = (head + b"\r\n\r\n" + rest[:size]).decode()
                    return int(text.split()[1]), text
            self.more()

    def ask(self, method, target=None, *headers):
        self.cseq += 1
        lines = [f"{method} {target or self.base} RTSP/1.0", f"CSeq: {self.cseq}", *headers]
        if self.session:
            lines.append(f"Session: {self.session}")
        self.send("\r\n".join(lines) + "\r\n\r\n")
        return self.answer()

    def describe(self):
        return self.ask("DESCRIBE", self.url)

    def setup(self, track=0, transport="RTP/AVP/TCP;unicast;interleaved=0-1"):
        status, text = self.ask("SETUP", f"{self.base}/trackID={track}", f"Transport: {transport}")
        if status == 200:
            self.session = re.search(r"Session: (\w+)", text).group(1)
        return status, text

    def go(self, state):
        """Brings a fresh connection to that state."""
        steps = {"open": 0, "described": 1, "ready": 2, "playing": 3, "paused": 4}[state]
        for step in [self.describe, self.setup, lambda: self.ask("PLAY"),
                     lambda: self.ask("PAUSE")][:steps]:
            assert step()[0] == 200
        return self


@pytest.fixture(scope="module")
def url(relay, token):
    child = relay.start_camera()
    relay.add_camera("hostile", child.url, "--always-on", "yes")
    relay.wait_state("hostile", ["live"])
    yield relay.urls("hostile", token)["rtsp"]
    relay.remove_camera("hostile")
    child.stop()
    relay.cameras.remove(child)


def still_plays(url):
    with Talk(url) as talk:
        talk.go("playing")
        while b"$" not in talk.input:
            talk.more()
    return True


@pytest.mark.parametrize("state, method", itertools.product(STATES, METHODS))
def test_r7_every_method_in_every_state_is_answered(url, state, method):
    with Talk(url) as talk:
        talk.go(state)
        transport = ["Transport: RTP/AVP/TCP;unicast;interleaved=2-3"] if method == "SETUP" else []
        target = url if method in ("DESCRIBE", "SETUP") else None
        if method == "SETUP":
            target = talk.base + "/trackID=1?" + url.split("?")[1]
        status, _ = talk.ask(method, target, *transport)
        expected = {"NONSENSE": 501, "ANNOUNCE": 405, "RECORD": 405, "REDIRECT": 405}.get(method)
        if expected:
            assert status == expected
        else:
            assert status in (200, 454, 455)
        if state == "open" and method in ("PLAY", "PAUSE", "TEARDOWN"):
            assert status == 454


def test_r6_a_track_twice_a_track_that_is_none_and_taken_channels(url):
    with Talk(url) as talk:
        talk.go("ready")
        assert talk.setup(0)[0] == 455
        assert talk.setup(9)[0] == 404
        assert talk.setup(1, "RTP/AVP/TCP;unicast;interleaved=0-1")[0] == 461
        assert talk.setup(1, "RTP/AVP/TCP;unicast;interleaved=255-0")[0] == 400
        assert talk.setup(1, "RTP/AVP;multicast")[0] == 461
        assert talk.setup(1, "RTP/AVP;unicast;client_port=0-1")[0] == 400
        assert talk.setup(1, "RTP/AVP/TCP;unicast;interleaved=2-3")[0] == 200


def test_r6_r15_media_goes_nowhere_before_its_address_is_proven(url):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other, Talk(url) as talk:
        other.bind(("127.0.0.1", 0))
        other.settimeout(2)
        port = other.getsockname()[1]
        talk.describe()
        status, text = talk.setup(0, f"RTP/AVP;unicast;destination=127.0.0.1;client_port={port}-{port + 1}")
        assert status == 200 and "destination" not in text
        assert talk.ask("PLAY")[0] == 200
        with pytest.raises(TimeoutError):
            other.recv(2048)
        server = int(re.search(r"server_port=(\d+)", text).group(1))
        other.sendto(b"\x80" * 12, ("127.0.0.1", server))
        assert len(other.recv(2048)) > 12


def test_r8_a_session_belongs_to_its_connection(url):
    with Talk(url) as owner, Talk(url) as thief:
        owner.go("playing")
        thief.go("ready")
        thief.session = owner.session
        for method in ("PLAY", "PAUSE", "TEARDOWN"):
            assert thief.ask(method)[0] == 454
        assert owner.ask("GET_PARAMETER")[0] == 200


def test_r9_frames_from_a_viewer_are_no_harm(url):
    with Talk(url) as talk:
        talk.send(b"$\x00\x00\x00$\xff\x00\x04abcd")
        assert talk.ask("OPTIONS")[0] == 200
        talk.go("playing")
        talk.send(b"$\x07\xff\xff" + b"x" * 65535)
        for byte in b"$\x01\x00\x02ab":
            talk.send(bytes([byte]))
        assert talk.ask("GET_PARAMETER")[0] == 200


def test_r10_a_tunnel_over_http_is_refused(url):
    with Talk(url) as talk:
        talk.send("GET / HTTP/1.0\r\nx-sessioncookie: a\r\nAccept: application/x-rtsp-tunnelled\r\n\r\n")
        assert talk.answer()[0] == 400


def test_r11_tls_on_the_plain_port_and_plain_on_the_tls_port(relay, url, token):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with Talk(url) as talk, pytest.raises((ssl.SSLError, OSError)):
        context.wrap_socket(talk.sock)
    with Talk(relay.urls("hostile", token)["rtsps"]) as talk, pytest.raises((EOFError, OSError)):
        talk.ask("OPTIONS")
    assert still_plays(url)


def digest(token, method, uri, nonce, algorithm, user=None):
    make = hashlib.sha256 if algorithm == "SHA-256" else hashlib.md5
    user = user or token.split("_")[1]

    def hashed(text):
        return make(text.encode()).hexdigest()
    response = hashed(f"{hashed(f'{user}:culvert:{token}')}:{nonce}:{hashed(f'{method}:{uri}')}")
    return (f'Authorization: Digest username="{user}", realm="culvert", nonce="{nonce}", '
            f'uri="{uri}", response="{response}", algorithm={algorithm}')


def test_r12_digest_by_either_algorithm_and_with_nothing_forged(url, token):
    base = url.split("?")[0]
    with Talk(base) as talk:
        status, text = talk.ask("DESCRIBE")
        assert status == 401 and "Basic" not in text
        nonce = re.search(r'nonce="(\w+)"', text).group(1)
        wrong = token[:-1] + ("1" if token.endswith("0") else "0")
        for bad in (digest(wrong, "DESCRIBE", base, nonce, "MD5"),
                    digest(token, "PLAY", base, nonce, "MD5"),
                    digest(token, "DESCRIBE", base, "0" * len(nonce), "MD5"),
                    digest(token, "DESCRIBE", base, nonce, "MD5", user="0" * 16),
                    'Authorization: Digest username="a\\"b", nonce="x", response="y"',
                    "Authorization: Digest " + "a" * 4000, "Authorization: Basic eDp5"):
            assert talk.ask("DESCRIBE", None, bad)[0] == 401
        assert talk.ask("DESCRIBE", None, digest(token, "DESCRIBE", base, nonce, "SHA-256"))[0] == 200
    with Talk(base) as talk:
        nonce = re.search(r'nonce="(\w+)"', talk.ask("DESCRIBE")[1]).group(1)
        assert talk.ask("DESCRIBE", None, digest(token, "DESCRIBE", base, nonce, "MD5"))[0] == 200


def test_r14_a_thousand_requests_at_once_are_answered_in_order(url):
    with Talk(url) as talk:
        talk.send("".join(f"OPTIONS * RTSP/1.0\r\nCSeq: {i}\r\n\r\n" for i in range(1000)))
        for i in range(1000):
            status, text = talk.answer()
            assert status == 200 and f"CSeq: {i}\r\n" in text


@pytest.mark.parametrize("text, status", [
    ("OPTIONS " + "a" * 9000 + " RTSP/1.0\r\n\r\n", 414),
    ("OPTIONS * RTSP/1.0\r\n" + "".join(f"X{i}: y\r\n" for i in range(70)) + "\r\n", 431),
    ("SET_PARAMETER * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 65537\r\n\r\n", 413),
    ("SET_PARAMETER * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: -1\r\n\r\n", 400),
    ("OPTIONS * RTSP/1.0\r\nno colon\r\n\r\n", 400), ("OPTIONS * RTSP/2.0\r\n\r\n", 505),
    ("\x00\x01\x02\x03\r\n\r\n", 400), ("OPTIONS * RTSP/1.0\r\n\r\n", 400)],
    ids=["r1-line", "r1-headers", "r1-body", "r2-length", "r3-colon", "version", "r3-nul", "r4-cseq"])
def test_r1_to_r4_what_is_too_long_or_malformed(url, text, status):
    with Talk(url) as talk:
        talk.send(text)
        assert talk.answer()[0] == status


@pytest.mark.parametrize("target", ["*", "rtsp://x:99999/a", "rtsp://h/%00", "rtsp://h/../../etc/passwd",
                                    "rtsp://h/%2e%2e/x", "rtsp://h/" + "a" * 300, "rtsp://h/"])
def test_r5_urls_that_name_no_stream(url, target):
    with Talk(url) as talk:
        assert talk.ask("DESCRIBE", target)[0] in (400, 401, 403)


def test_slow_bytes_make_a_request_all_the_same(url):
    with Talk(url) as talk:
        for byte in "OPTIONS * RTSP/1.0\r\nCSeq: 5\r\n\r\n".encode():
            talk.send(bytes([byte]))
            time.sleep(0.01)
        assert talk.answer()[0] == 200


def test_a_refusal_does_not_say_whether_the_stream_exists(relay, url):
    made = relay.token("elsewhere", "--network", "192.0.2.0/24")["token"]
    answers = []
    for slug in ("hostile", "no-such-stream"):
        target = url.split("/hostile")[0] + f"/{slug}?token="
        with Talk(target) as talk:
            answers.append([talk.ask("DESCRIBE", target + value)[0] for value in ("", "cv1_x", made)])
    assert answers[0][:2] == answers[1][:2] == [401, 401]
    assert 403 in (answers[0][2], answers[1][2])


def test_two_viewers_by_udp_and_tcp_at_once(url):
    with Talk(url) as talk:
        talk.go("playing")
        assert players.ffmpeg(url, 2, patience=15, transport="udp").video >= 40
        assert talk.ask("GET_PARAMETER")[0] == 200
