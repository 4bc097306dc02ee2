"""HLS as no well-behaved player asks for it. H4, XC11 and Q4 are lines of hostile.md."""
import os
import re
import signal
import time
import urllib.parse

import pytest
from http_rig import Frames

PAGE, FOREIGN = "https://page.example", "https://foreign.example"


class Viewer:
    """A session on one HTTP/2 connection, so that what waits waits on one loop."""

    def __init__(self, url, origin=None):
        parts = urllib.parse.urlsplit(url)
        self.entry, self.origin, self.stream = f"{parts.path}?{parts.query}", origin, -1
        self.talk = Frames(parts.port, {4: 2 ** 30})  # windows for whole segments
        self.talk.raw_frame(8, 0, 0, (2 ** 30).to_bytes(4, "big"))
        self.first = self.ask(self.entry)
        self.base = None
        if self.first[0] == 200:
            session = re.search(rb"^s/(\w+)/media\.m3u8", self.first[2], re.M).group(1).decode()
            self.base = parts.path.rsplit("/", 1)[0] + f"/s/{session}/"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.talk.close()

    def begin(self, path, method="GET", **headers):
        self.stream += 2
        rows = [(name.replace("_", "-"), value) for name, value in headers.items()]
        if self.origin:
            rows.append(("origin", self.origin))
        self.talk.get(self.stream, path, *rows, method=method)
        return self.stream

    def ask(self, path, method="GET", **headers):
        return self.talk.answer(self.begin(path, method, **headers))

    def get(self, name):
        return self.ask(self.base + name)

    def playlist(self, query=""):
        status, _, body = self.get("media.m3u8" + query)
        assert status == 200, body
        return body.decode()

    def names(self):
        """What players ask for: the playlist, a segment, a part and its initialisation."""
        text = self.playlist()
        return ["media.m3u8", re.findall(r"^seg-\S+", text, re.M)[-1],
                re.findall(r'PART:.*URI="([^"]+)"', text)[-1],
                re.search(r'MAP:URI="([^"]+)"', text).group(1)]

    def newest(self):
        return int(re.search(r'PRELOAD-HINT:.*URI="part-(\d+)-', self.playlist()).group(1))


@pytest.fixture(scope="module")
def child(relay):
    made = relay.start_camera()
    relay.add_camera("hls-hostile", made.url, "--always-on", "yes")
    relay.wait_state("hls-hostile", ["live"])
    yield made
    relay.remove_camera("hls-hostile")
    made.stop()
    relay.cameras.remove(made)


@pytest.fixture(scope="module")
def url_of(relay, child):
    """A token's URL of the camera."""
    assert child.is_running()
    address = relay.urls("hls-hostile", "{token}")["hls"]
    return lambda made: address.replace("{token}", made)


@pytest.fixture
def viewer(url_of, token):
    with Viewer(url_of(token)) as made:
        yield made


@pytest.mark.parametrize("query", [
    "_HLS_msn=-1", "_HLS_msn=", "_HLS_msn=x", "_HLS_msn=1x", "_HLS_msn=0x10", "_HLS_msn=1.5",
    "_HLS_msn=1e3", "_HLS_msn=%31", "_HLS_msn=+1", "_HLS_msn=9999999999999999999",
    "_HLS_msn=18446744073709551617", "_HLS_msn=" + "9" * 4000, "_HLS_part=0", "_HLS_msn=1&_HLS_part=-1",
    "_HLS_msn=1&_HLS_part=4294967296", "_HLS_msn=1&_HLS_part="])
def test_h4_a_segment_number_that_is_none_is_refused(viewer, query):
    assert viewer.get("media.m3u8?" + query)[0] == 400


def test_h4_the_far_future_is_refused_at_once_and_the_past_answered_at_once(viewer):
    newest, began = viewer.newest(), time.monotonic()
    for number in (newest + 4, newest + 1000, 10 ** 9, 2 ** 32, 2 ** 53, 10 ** 18 - 1):
        assert viewer.get(f"media.m3u8?_HLS_msn={number}")[0] == 400
        assert viewer.get(f"media.m3u8?_HLS_msn={number}&_HLS_part=4294967295")[0] == 400
    for number in (0, 1, newest - 1):
        assert viewer.get(f"media.m3u8?_HLS_msn={number}")[0] == 200
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("name", [
    "seg--1.mp4", "seg-x.mp4", "seg-01.mp4", "seg-99999999999999999999.mp4", "seg-1.mp4.mp4", "part-1.mp4",
    "part-1--1.mp4", "part-1-4294967296.mp4", "init-.mp4", "init-1.m4s", "..%2findex.m3u8", "media.m3u8%00",
    "a" * 2000])
def test_h3_file_names_that_are_none_of_ours(viewer, name):
    assert viewer.get(name)[0] in (400, 404)


def test_h3_names_that_were_guessed(viewer):
    newest = viewer.newest()
    for name in (f"seg-{newest + 100}.mp4", f"part-{newest + 1}-7.mp4", f"part-{newest + 100}-0.mp4",
                 "seg-999999999999999999.mp4", "part-0-0.mp4", "part-999999999999999999-0.mp4"):
        assert viewer.get(name)[0] == 404


def test_h4_no_more_than_two_requests_of_a_session_wait(viewer):
    path = f"{viewer.base}media.m3u8?_HLS_msn={viewer.newest() + 1}"
    for _ in range(5):  # what is given up makes room
        for stream in [viewer.begin(path) for _ in range(2)]:
            viewer.talk.raw_frame(3, 0, stream, (8).to_bytes(4, "big"))
    held = [viewer.begin(path) for _ in range(2)]
    for _ in range(20):
        assert viewer.ask(path)[0] == 429
    assert viewer.get("media.m3u8")[0] == 200
    for stream in held:
        assert viewer.talk.answer(stream)[0] == 200


def test_h4_nothing_waits_longer_than_three_target_durations(viewer, child):
    target = int(re.search(r"TARGETDURATION:(\d+)", viewer.playlist()).group(1))
    os.kill(child.pid, signal.SIGSTOP)
    try:
        time.sleep(0.5)
        began = time.monotonic()
        stream = viewer.begin(f"{viewer.base}media.m3u8?_HLS_msn={viewer.newest() + 1}")
        status, headers, _ = viewer.talk.answer(stream, 3 * target + 5)
        assert status == 503 and int(headers["retry-after"]) > 0
        assert time.monotonic() - began < 3 * target + 1.5
    finally:
        os.kill(child.pid, signal.SIGCONT)


def test_h4_a_session_opens_no_other_path(relay, viewer, url_of, token):
    relay.add_camera("hls-other", "rtsp://127.0.0.1:9/")
    session = viewer.base.split("/")[-2]
    wrong = [f"/hls/hls-other/s/{session}/media.m3u8", f"/hls/nowhere/s/{session}/media.m3u8",
             f"/hls/hls-hostile/s/{session[:-1]}/media.m3u8", f"/hls/hls-hostile/s/{session}0/media.m3u8",
             f"/hls/hls-hostile/s/{'0' * len(session)}/media.m3u8",
             f"/hls/hls-hostile/s/{session.upper()}/media.m3u8",
             f"/hls/hls-hostile/s/{token}/media.m3u8"]
    for path in wrong:
        assert viewer.ask(path)[0] == 403
    relay.remove_camera("hls-other")
    with Viewer(url_of(token)) as other:
        assert other.base != viewer.base
        assert other.get("media.m3u8")[0] == 200


def assert_ended(viewer, names, seconds):
    """Within so long, on each of some connections: for each loop has its own list of sessions."""
    end = time.monotonic() + seconds
    while viewer.get("media.m3u8")[0] == 200:
        assert time.monotonic() < end, "the session goes on"
        time.sleep(0.05)
    time.sleep(0.1)
    for _ in range(4):
        talk = Frames(viewer.talk.socket.getpeername()[1])
        for i, name in enumerate(names):
            status, _, body = talk.get(2 * i + 1, viewer.base + name).answer(2 * i + 1)
            assert status == 403 and b"begin again" in body
        talk.close()


def test_h4_revoking_a_token_ends_its_session_and_what_waits_in_a_second(relay, url_of, token):
    made = relay.token("hls revoked")
    with Viewer(url_of(made["token"])) as viewer, Viewer(url_of(token)) as other:
        names = viewer.names()
        assert [viewer.get(name)[0] for name in names] == [200] * 4
        held = viewer.begin(f"{viewer.base}media.m3u8?_HLS_msn={viewer.newest() + 1}")
        relay.cli("token", "revoke", made["id"])
        began = time.monotonic()
        assert viewer.talk.answer(held)[0] == 404
        assert time.monotonic() - began < 1
        assert_ended(viewer, names, 1)
        assert viewer.ask(viewer.entry)[0] == 401
        assert other.get("media.m3u8")[0] == 200


def test_q4_an_expired_token_ends_its_session(relay, url_of):
    made, began = relay.token("hls short", "--valid-for", "2s"), time.monotonic()
    with Viewer(url_of(made["token"])) as viewer:
        names = viewer.names()
        assert_ended(viewer, names, 2 - (time.monotonic() - began) + 1.5)
    with Viewer(url_of(made["token"])) as again:
        assert again.first[0] == 401


@pytest.mark.parametrize("value", [
    "", "cv1_", "cv1_0000000000000000_" + "0" * 32, "a" * 7000, "%3Credacted%3E", "cv1%00",
    "%F0%9D%9F%8E" * 20, "%E2%80%AEcv1", "cv1_%0d%0aSet-Cookie:x"])
def test_q4_tokens_that_are_none(url_of, value):
    with Viewer(url_of(value)) as viewer:
        assert viewer.first[0] == 401 and "set-cookie" not in viewer.first[1]
        assert viewer.first[1]["www-authenticate"].startswith("Bearer")


def allowed(answer):
    assert "origin" in answer[1].get("vary", ""), answer
    return answer[1].get("access-control-allow-origin")


def test_xc11_only_the_tokens_origins_may_read(relay, url_of):
    made = relay.token("hls page", "--origin", PAGE, "--origin", "https://other.example:8443")
    url = url_of(made["token"])
    with Viewer(url, PAGE) as viewer:
        assert allowed(viewer.first) == PAGE
        for name in [*viewer.names(), "nonsense", "media.m3u8?_HLS_msn=-1"]:
            assert allowed(viewer.get(name)) == PAGE
        for other in (FOREIGN, "null", PAGE + ".evil.example", PAGE[:-1], PAGE + ":443", "*",
                      PAGE.upper(), PAGE + "/", PAGE + " https://other.example:8443"):
            viewer.origin = other
            assert allowed(viewer.get("media.m3u8")) is None
        viewer.origin = "https://other.example:8443"
        assert allowed(viewer.get("media.m3u8")) == viewer.origin
        viewer.origin = None
        assert allowed(viewer.get("media.m3u8")) is None
    with Viewer(url, FOREIGN) as viewer:
        assert viewer.first[0] == 403
        assert "access-control-allow-origin" not in viewer.first[1]


def test_xc11_a_token_without_origins_names_the_page_and_never_all(viewer):
    viewer.origin = FOREIGN
    for name in (*viewer.names(), "nonsense"):
        assert allowed(viewer.get(name)) == FOREIGN
    assert allowed(viewer.ask("/hls/hls-hostile/index.m3u8")) == FOREIGN
    assert allowed(viewer.ask("/hls/hls-hostile/s/0/media.m3u8")) == FOREIGN
    viewer.origin = None
    assert allowed(viewer.get("media.m3u8")) is None


def test_xc11_preflights_are_answered_without_a_token(relay, url_of, viewer):
    made = relay.token("hls preflight", "--origin", PAGE)
    asked = {"access_control_request_method": "GET", "access_control_request_headers": "authorization"}
    with Viewer(url_of(made["token"]), PAGE) as limited:
        for path in ("/hls/hls-hostile/index.m3u8", limited.base + "media.m3u8"):
            status, headers, body = answer = limited.ask(path, "OPTIONS", **asked)
            assert (status, body, allowed(answer)) == (204, b"", PAGE)
            assert "authorization" in headers["access-control-allow-headers"]
            assert headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
            assert "access-control-allow-credentials" not in headers
        limited.origin = FOREIGN
        assert allowed(limited.ask(limited.base + "media.m3u8", "OPTIONS", **asked)) is None
    viewer.origin = FOREIGN
    assert allowed(viewer.ask(viewer.base + "media.m3u8", "OPTIONS", **asked)) == FOREIGN


def test_h3_other_methods_are_refused(viewer):
    for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE"):
        assert viewer.ask(viewer.base + "media.m3u8", method)[0] in (404, 405, 501)
