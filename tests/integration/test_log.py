"""What strangers can do to the logs: XC15 of hostile.md. One line stays one, and few are theirs."""
import collections
import re
import socket
import ssl
import threading
import time

import pytest
import rig as rigs
from test_hostile_rtsp import Talk

LINE = re.compile(rb"^\d{4}-\d\d-\d\dT[\d:.]{12}Z (debug|info |warn |error) (\w+) (\S+|\"[^\"]*\") ([a-z-]+)"
                  rb"((?: [a-z_]+=(?:\"(?:[^\"\\]|\\.)*\"|[^\s\"]*))*)$")
CANARY = "forged"
NASTY = f"x\x1b[2J\x07\x08\x7f\t\u202e\u2028\x85 2026-01-01T00:00:00.000Z info  agent {CANARY} connected"
STRANGERS = {"refused", "control-refused", "control-lost", "agent-refused-us", "lane-refused",
             "lane-lost", "peer-refused"}


def entries(child):
    """(subject, event, fields) of each line; whatever is no line of ours fails."""
    found = []
    with open(child.log_path, "rb") as file:
        for line in file.read()[child.began:].split(b"\n")[:-1]:
            match = LINE.match(line)
            assert match, line
            assert not re.search(rb"[\x00-\x1f\x7f]|\xe2\x80[\xa8-\xae]|\xc2[\x80-\x9f]", line), line
            assert match.group(3).strip(b'"').decode() != CANARY, line
            found.append((match.group(2).decode(), match.group(4).decode(), match.group(5).decode()))
    return found


@pytest.fixture(scope="module")
def door(request):
    """A relay of this file's own, that logs all it can, and a camera's URLs."""
    import conftest
    level = ["--log-level", "debug"]
    rig = conftest.start_rig("log", server_options=["--listen", "127.0.0.1", *level],
                             agent_options=["--allow-loopback", *level])
    rig.add_camera("door", "rtsp://127.0.0.1:9/")
    yield rig
    conftest.stop_rig(rig)


def tls(port, alpn, source="127.0.0.1"):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([alpn])
    return context.wrap_socket(
        socket.create_connection(("127.0.0.1", port), 5, source_address=(source, 0)))


def get(port, path, *headers, source="127.0.0.1"):
    """The first bytes of the answer to a GET; path may have any bytes."""
    with tls(port, "http/1.1", source) as sock:
        sock.sendall("\r\n".join([f"GET {path} HTTP/1.1", "Host: x", "Connection: close", *headers,
                                  "", ""]).encode())
        try:
            return sock.recv(4096)
        except OSError:
            return b""


def speak_as_agent(port, preface, junk):
    with tls(port, "culvert/1") as sock:
        try:
            sock.sendall(preface + junk)
            while sock.recv(4096):
                pass
        except OSError:
            pass


def flood(rig, source="127.0.0.1"):
    """Refused tokens, malformed requests, broken TLS and false agents, more than enough of each."""
    port, rtsp = rig.ports["https"], rig.ports["rtsp"]
    for i in range(12):
        assert b" 401 " in get(port, f"/hls/door/index.m3u8?token=cv1_{i}", source=source)
        get(port, "/\x01\x02", "bad header", source=source)
        with socket.create_connection(("127.0.0.1", port), 5, source_address=(source, 0)) as sock:
            sock.sendall(b"\x16\x03\x01\x00\x05nonsense")
        for text in (b"\x00\x01\x02\r\n\r\n",
                     b"DESCRIBE rtsp://h/door?token=x RTSP/1.0\r\nCSeq: 1\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", rtsp), 5, source_address=(source, 0)) as sock:
                sock.sendall(text)
                sock.recv(4096)
    for i in range(12):
        speak_as_agent(port, b"CVC1", b"\xff\xff\xff\xff" + bytes([i]) * 50)
        speak_as_agent(port, b"CVL1", b"\xff\xff\xff\xff" + bytes([i]) * 50)
        speak_as_agent(port, b"none", b"")


def test_xc15_strangers_get_five_lines_of_an_event_and_address(door):
    flood(door)
    flood(door, "127.0.0.2")
    lines = entries(door.server)
    counts = collections.Counter(
        (subject, event, re.search(r" from=(\S+)|$", fields).group(1))
        for subject, event, fields in lines if event in STRANGERS)
    assert counts["viewer", "refused", "127.0.0.1"] == 5
    assert counts["viewer", "refused", "127.0.0.2"] == 5
    assert counts["agent", "control-refused", None] == 5
    assert counts["camera", "lane-refused", None] == 5
    assert max(counts.values()) == 5, counts
    assert len(lines) < 100


@pytest.mark.parametrize("where", ["slug", "token", "agent", "origin", "rtsp", "digest"])
def test_xc15_nobody_outside_forges_a_line(door, where):
    port, quoted = door.ports["https"], "".join(f"%{byte:02x}" for byte in f"{NASTY}\n{NASTY}".encode())
    source = f"127.0.1.{len(where) * 7 + ord(where[0])}"
    if where in ("rtsp", "digest"):
        with Talk(f"rtsp://127.0.0.1:{door.ports['rtsp']}/door") as talk:
            if where == "rtsp":
                assert talk.ask("DESCRIBE", f"rtsp://h/door{quoted}?token={quoted}",
                                f"User-Agent: {NASTY}")[0] >= 400
            else:
                assert talk.ask("DESCRIBE", None, f'Authorization: Digest username="{NASTY}", realm="a", '
                                                  'nonce="b", uri="c", response="d"')[0] >= 400
        assert entries(door.server)
        return
    slug, query = (quoted, "x") if where == "slug" else ("door", quoted)
    header = {"agent": f"User-Agent: {NASTY}", "origin": f"Origin: {NASTY}"}.get(where, "Accept: */*")
    answer = get(port, f"/hls/{slug}/index.m3u8?token={query}", header, source=source)
    assert re.search(rb" 4\d\d ", answer) and CANARY.encode() not in answer.split(b"\r\n\r\n")[0]
    assert entries(door.server)


def test_xc15_what_the_owner_writes_is_one_line_as_well(door):
    for words in (("token", "add", NASTY + "\n" + NASTY), ("agent", "code", NASTY + "\n" + NASTY)):
        try:
            door.cli(*words)
        except rigs.Failure:
            pass
    assert entries(door.server)


class LyingCamera(threading.Thread):
    """Answers each DESCRIBE with the next of some texts, whatever was asked."""

    def __init__(self, answers):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.answers = list(answers)

    def run(self):
        while self.answers:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with sock:
                sock.settimeout(3)
                try:
                    self.talk(sock)
                except OSError:
                    pass

    def talk(self, sock):
        while request := sock.recv(4096):
            cseq = re.search(rb"(?i)CSeq: *(\d+)", request).group(1)
            if request.startswith(b"OPTIONS"):
                sock.sendall(b"RTSP/1.0 200 OK\r\nCSeq: " + cseq + b"\r\n\r\n")
                continue
            sock.sendall(self.answers.pop(0).replace(b"CSEQ", b"CSeq: " + cseq))
            return


def test_xc15_a_cameras_words_are_one_line_in_both_logs(door):
    nasty = NASTY.encode()
    sdp = b"v=0\r\ns=" + nasty + b"\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 " + nasty + b"/90000\r\n"
    camera = LyingCamera([
        b"RTSP/1.0 404 " + nasty + b"\r\nCSEQ\r\nServer: " + nasty + b"\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nCSEQ\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n" % len(sdp)
        + sdp])
    camera.start()
    door.add_camera("liar", f"rtsp://127.0.0.1:{camera.port}/", "--always-on", "yes")
    rigs.wait_until(lambda: not camera.answers, 15, "the agent to ask twice")
    time.sleep(0.3)
    assert any(event == "failed" for _, event, _ in entries(door.agent))
    assert entries(door.server)
    door.remove_camera("liar")
    camera.listener.close()
