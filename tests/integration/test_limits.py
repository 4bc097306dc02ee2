"""What a crowd that means no good may take away from others: nothing for long."""
import os
import re
import resource
import socket
import subprocess
import threading
import time

import players
import pytest
import rig as rigs


def port_of(url):
    return int(re.search(r":(\d+)/", url.split("://", 1)[1]).group(1))


def connect(port, text=b"", timeout=2):
    sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    if text:
        sock.sendall(text)
    return sock


def crowd(ports, count, text=b""):
    """count connections, evenly over ports; those that are refused at once count as well."""
    made = []
    for i in range(count):
        try:
            made.append(connect(ports[i % len(ports)], text))
        except OSError:
            pass
    return made


def is_closed(sock):
    sock.setblocking(False)
    try:
        return sock.recv(4096) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def answers(port, seconds):
    """A new connection gets an answer to OPTIONS within so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with connect(port, b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", 1) as sock:
                if sock.recv(4096).startswith(b"RTSP/1.0 200"):
                    return True
        except OSError:
            time.sleep(0.05)
    return False


@pytest.fixture(autouse=True)
def many_files():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def rss_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def test_listeners_survive_2000_idle_connections_with_256_descriptors(own_relay):
    camera = own_relay.start_camera()
    own_relay.add_camera("door", camera.url)
    urls = own_relay.urls("door", own_relay.token()["token"])
    ports = [port_of(urls[name]) for name in ("rtsp", "rtsps", "hls")]
    played = {}

    def watch():
        played["first"] = players.ffmpeg(urls["rtsp"], 9, patience=25)

    viewer = threading.Thread(target=watch)
    viewer.start()
    time.sleep(3)
    subprocess.run(["prlimit", f"--pid={own_relay.server.pid}", "--nofile=256:256"], check=True)
    idle = crowd(ports, 2000)
    for sock in idle:
        sock.close()
    assert answers(ports[0], 1.5), "the RTSP listener did not come back within a second"
    assert players.ffmpeg(urls["rtsps"], 2, patience=15)
    assert players.ffmpeg(urls["hls"], 2, patience=15)
    viewer.join()
    assert played["first"].video >= 200, "the viewer who was there lost pictures"


def test_silent_connections_are_closed_in_5_seconds_and_cost_little(relay, token, camera):
    port = port_of(relay.urls(camera(), token)["rtsp"])
    before = rss_kb(relay.server.pid)
    silent = crowd([port], 1500)
    grown = rss_kb(relay.server.pid) - before
    assert len(silent) == 1500
    assert rigs.IS_SANITIZED or grown <= 1500 * 4 + 2048, f"{grown} kB for 1500 silent connections"
    time.sleep(6.5)
    assert sum(is_closed(sock) for sock in silent) == 1500
    for sock in silent:
        sock.close()


def test_half_requests_are_closed_in_10_seconds(relay, token, camera):
    urls = relay.urls(camera(), token)
    half = crowd([port_of(urls["rtsp"])], 500, b"DESCRIBE rtsp://x/y RTSP/1.0\r\nCSeq: 1\r\n")
    time.sleep(11.5)
    assert sum(is_closed(sock) for sock in half) == len(half) == 500
    for sock in half:
        sock.close()


def play_and_stop_reading(url):
    """A viewer who asks for everything and takes nothing."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(5)
    sock.connect(("127.0.0.1", port_of(url)))
    base = url.split("?")[0]

    def ask(number, method, target, more=""):
        sock.sendall(f"{method} {target} RTSP/1.0\r\nCSeq: {number}\r\n{more}\r\n".encode())
        return sock.recv(8192).decode(errors="replace")

    ask(1, "DESCRIBE", url)
    answer = ask(2, "SETUP", base + "/trackID=0",
                 "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n")
    session = re.search(r"Session: (\w+)", answer).group(1)
    sock.sendall(f"PLAY {base} RTSP/1.0\r\nCSeq: 3\r\nSession: {session}\r\n\r\n".encode())
    return sock


def test_viewers_who_take_nothing_are_cut_and_others_lose_nothing(relay, token, camera):
    slug = camera(bitrate=6000, gop=25)
    url = relay.urls(slug, token)["rtsp"]
    relay.wait_state(slug, ["idle", "live"])
    assert players.ffmpeg(url, 1, patience=15)
    before = rss_kb(relay.server.pid)
    stuck = [play_and_stop_reading(url) for _ in range(5)]
    played = players.ffmpeg(url, 14, patience=25)
    assert played.video >= 330
    assert rigs.IS_SANITIZED or rss_kb(relay.server.pid) - before <= 5 * 2048 + 8192
    rigs.wait_until(lambda: relay.server.log().count("too-slow") >= 5, 10, "cut for being slow")
    for sock in stuck:
        sock.close()


def test_a_thousand_visits_leave_no_descriptor_behind(relay, token, camera):
    urls = relay.urls(camera(), token)
    port = port_of(urls["rtsp"])

    def descriptors():
        return len(os.listdir(f"/proc/{relay.server.pid}/fd"))

    assert players.ffmpeg(urls["rtsp"], 1, patience=15)
    before = descriptors()
    for _ in range(1000):
        with connect(port, f"DESCRIBE {urls['rtsp']} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode()) as sock:
            assert sock.recv(4096).startswith(b"RTSP/1.0 200")
    rigs.wait_until(lambda: descriptors() <= before + 2, 5, "descriptors given back")
