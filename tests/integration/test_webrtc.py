"""WHEP and what follows it, with clients that others wrote: aiortc and GStreamer's webrtcbin."""
import threading
import time

import players
import pytest
import rig as rigs
from whep_rig import FRAGMENT, Whep, offer

SLUG = "webrtc"
ORIGIN = "https://garden.example"
SECONDS = 3
ENOUGH = 45  # of the 75 pictures and 150 pieces of sound in three seconds


@pytest.fixture(scope="module")
def whep(relay, token):
    """A camera that all tests here share, with H.264 and AAC, awake."""
    child = relay.start_camera()
    relay.add_camera(SLUG, child.url, "--always-on", "yes")
    relay.wait_state(SLUG, ["live"])
    yield Whep(relay, SLUG, token)
    relay.remove_camera(SLUG)
    child.stop()
    relay.cameras.remove(child)


def assert_played(played, enough=ENOUGH):
    assert played.video >= enough and played.audio >= enough, \
        f"{played.video} pictures, {played.audio} pieces of sound\n{played.text}"


# ---- players -------------------------------------------------------------------------------------

def test_aiortc_decodes_h264_and_aac_as_opus_and_hears_news(relay, whep):
    played = players.whep(relay.urls(SLUG, whep.token)["whep"], SECONDS, "--channel")
    assert_played(played)
    assert (played.told["width"], played.told["audio_rate"]) == (640, 48000)
    assert "a=rtpmap:96 opus/48000/2" in played.told["answer"]
    assert played.told["news_ms"] <= 2000
    news = played.told["news"][-1]
    assert (news["stream"], news["camera"], news["agent"]) == ("live", "live", "connected")
    assert played.told["deleted"] == 200


def test_aiortc_decodes_h264_and_g711_whose_first_viewer_wakes_the_camera(relay, token, camera):
    played = players.whep(relay.urls(camera(audio="pcma"), token)["whep"], SECONDS)
    assert_played(played)
    assert "PCMA/8000" in played.told["answer"]


@pytest.mark.parametrize("way", ["webrtc", "https"])
def test_gstreamer_decodes_over_tcp_where_udp_is_blocked(relay, whep, way):
    """TCP to WebRTC's own ports, a worker each, and to that of HTTPS, which firewalls let through.
    libnice's UDP, unlike aiortc's, doesn't reach a server on loopback."""
    first, count = relay.ports[way], rigs.PORTS_NEEDED.get(way, 1)
    ports = [word for port in range(first, first + count) for word in ("--port", str(port))]
    assert_played(players.whep(relay.urls(SLUG, whep.token)["whep"], 8, "--only", "tcp", *ports,
                               player="gst"))


def test_a_revoked_tokens_viewer_gets_no_more_within_a_second(relay, whep):
    made, played = relay.token("brief"), []
    url = relay.urls(SLUG, made["token"])["whep"]
    viewer = threading.Thread(target=lambda: played.append(players.whep(url, 12)))
    viewer.start()
    rigs.wait_until(lambda: playing_with(relay, made["id"]), 10, "the viewer to play")
    time.sleep(1)
    revoked_at = time.monotonic()
    relay.cli("token", "revoke", made["id"])
    viewer.join()
    told = played[0].told
    assert played[0] and revoked_at - 0.5 < told["last_at"] < revoked_at + 1
    assert told["over_at"] < revoked_at + 1, "the viewer wasn't told goodbye"
    assert told["deleted"] == 404


def playing_with(relay, token_id):
    log = relay.server.log()
    admitted = [line.split("viewer ")[1].split()[0] for line in log.splitlines()
                if f"token={token_id}" in line and "admitted" in line]
    return bool(admitted) and f"viewer {admitted[0]} playing" in log


# ---- signalling ----------------------------------------------------------------------------------

def test_an_answer_says_where_its_session_is(whep):
    answer = whep.post()
    assert answer.status == 201
    assert answer.headers["Content-Type"] == "application/sdp"
    assert answer.headers["Location"].startswith(f"/whep/{SLUG}/")
    assert answer.headers["ETag"] == f'"{answer.value("ice-ufrag")}"'
    assert answer.headers["Accept-Patch"] == FRAGMENT
    assert answer.value("setup") == "passive" and "a=ice-lite" in answer.body
    assert answer.candidates("udp") and answer.candidates("tcp")
    assert whep.delete(answer.headers["Location"]).status == 200


@pytest.mark.parametrize("client", ["aiortc", "chromium", "firefox", "gstreamer", "pion", "safari"])
def test_offers_of_all_clients_are_answered_and_a_session_ends_once(whep, client):
    answer = whep.post(offer(client))
    assert answer.status == 201 and "H264/90000" in answer.body
    location = answer.headers["Location"]
    assert whep.delete(location).status == 200
    assert whep.delete(location).status == 404


def test_a_page_elsewhere_may_ask(whep):
    location = whep.post(Origin=ORIGIN).headers["Location"]
    for path in ("", location):
        answer = whep.ask("OPTIONS", path, token="", Origin=ORIGIN,
                          Access_Control_Request_Method="POST")
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
        assert "authorization" in answer.headers["Access-Control-Allow-Headers"]
    answer = whep.post(Origin=ORIGIN)
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "location" in answer.headers["Access-Control-Expose-Headers"]


def fragment(ufrag):
    return (f"a=ice-ufrag:{ufrag}\r\na=ice-pwd:0123456789abcdefghijklmn\r\nm=video 9 RTP/AVP 0\r\n"
            "a=mid:0\r\na=candidate:1 1 udp 2113667327 192.0.2.1 5000 typ host\r\n").encode()


def test_trickled_candidates_are_taken_and_an_ice_restart_is_answered(whep):
    answer = whep.post(offer("aiortc"))
    location = answer.headers["Location"]
    assert whep.patch(location, fragment("gMK2")).status == 204
    restart = whep.patch(location, fragment("other"))
    assert (restart.status, restart.headers["Content-Type"]) == (200, FRAGMENT)
    assert len({answer.value("ice-ufrag"), restart.value("ice-ufrag"), ""}) == 3
    assert len({answer.value("ice-pwd"), restart.value("ice-pwd"), ""}) == 3
    assert restart.headers["ETag"] == f'"{restart.value("ice-ufrag")}"'
    assert whep.patch(location, b"\0\1").status == 400
    assert whep.patch(location, fragment("gMK2"), kind="text/plain").status == 415
    assert whep.delete(location).status == 200
    assert whep.patch(location, fragment("gMK2")).status == 404


# ---- refusals ------------------------------------------------------------------------------------

def assert_refused(answer, status, rule):
    assert (answer.status, answer.problem.get("rule")) == (status, rule), answer


def test_what_is_no_offer_is_refused_in_words(whep):
    assert_refused(whep.post(Content_Type="text/plain"), 415, "type")
    assert_refused(whep.post(b""), 400, "offer")
    assert_refused(whep.post(b"hello"), 400, "offer")
    assert_refused(whep.post(offer() + b"a=x\r\n" * 20000), 413, None)


def test_who_may_not_watch_is_told_so(relay, token, whep):
    assert_refused(whep.post(token=""), 401, "no-token")
    assert_refused(whep.post(token="nonsense"), 401, "unknown")
    assert_refused(whep.post(token=relay.token("h", "--protocol", "hls")["token"]), 403, "protocol")
    unknown = Whep(relay, SLUG, token)
    unknown.url = unknown.url.replace(SLUG, "no-such")
    assert_refused(unknown.post(), 403, "scope")


def test_b_frames_are_refused_with_what_to_change(relay, token, camera):
    slug = camera(b_frames=2)
    answer = Whep(relay, slug, token).post()
    assert_refused(answer, 406, "b-frames")
    for word in ("B-frames to 0", "Baseline", "HLS"):
        assert word in answer.problem["detail"]
    assert "B-frames to 0" in relay.show(slug)["state_text"]


def test_a_camera_that_is_away_is_named_and_worth_another_try(relay, token):
    relay.add_camera("away", "rtsp://127.0.0.1:1/cam")
    try:
        answer = Whep(relay, "away", token).post()
    finally:
        relay.remove_camera("away")
    assert_refused(answer, 503, "unreachable")
    assert int(answer.headers["Retry-After"]) > 0 and "127.0.0.1:1" in answer.problem["detail"]
