"""A camera's smaller stream: asked for by viewers of each protocol, and taken by WebRTC where the main one can't
be shown. The main stream is H.265 here, the other one H.264, so that players tell them apart."""
import players
import pytest
from whep_rig import Whep

SLUG = "twice"


@pytest.fixture(scope="module")
def twice(relay):
    main = relay.start_camera(codec="h265")
    small = relay.start_camera(size="320x180", gop=25)
    relay.add_camera(SLUG, main.url, "--sub-url", small.url)
    yield SLUG
    relay.remove_camera(SLUG)
    for child in (main, small):
        child.stop()
        relay.cameras.remove(child)


def with_profile(url, profile):
    return f"{url}&profile={profile}"


def test_rtsp_by_query_and_by_path(relay, token, twice):
    url = relay.urls(twice, token)["rtsp"]
    for sub in (with_profile(url, "sub"), url.replace(SLUG, f"{SLUG}/sub")):
        played = players.ffmpeg(sub, 1)
        assert played and played.codecs["video"] == "h264", played.text
    assert players.ffmpeg(with_profile(url, "main"), 1).codecs["video"] == "hevc"


def test_hls(relay, token, twice):
    played = players.ffmpeg(with_profile(relay.urls(twice, token)["hls"], "sub"), 1)
    assert played and played.codecs["video"] == "h264", played.text


@pytest.mark.parametrize("protocol", ["rtmp", "srt"])
def test_by_path(relay, token, twice, protocol):
    played = players.ffmpeg(relay.urls(twice, token)[protocol].replace(SLUG, f"{SLUG}/sub"), 1)
    assert played and played.codecs["video"] == "h264", played.text


def test_webrtc_takes_it_where_the_main_stream_cannot_be_shown(relay, token, twice):
    played = players.whep(relay.urls(twice, token)["whep"], 3)
    assert played.video >= 45 and played.told["width"] == 320, played.text


def test_a_camera_without_one_says_so(relay, token, camera):
    slug = camera()
    whep = Whep(relay, slug, token)
    whep.url += "?profile=sub"
    answer = whep.post()
    assert (answer.status, answer.problem["detail"]) == (404, "This camera has no sub stream.")
    whep.url = whep.url.replace("profile=sub", "profile=third")
    assert whep.post().status == 404
    assert "404" in players.ffmpeg(with_profile(relay.urls(slug, token)["rtsp"], "sub"), 1).text


def test_it_goes_when_it_is_taken_away(relay, token, twice):
    url = with_profile(relay.urls(twice, token)["rtsp"], "sub")
    assert players.ffmpeg(url, 1)
    relay.cli("camera", "set", twice, "--sub-url", "none")
    assert "404" in players.ffmpeg(url, 1).text
