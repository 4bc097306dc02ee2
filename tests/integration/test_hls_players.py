"""Real players decode over HLS what each camera sends, as far as HLS can carry it."""
import players
import pytest
from test_rtsp_players import ENOUGH, assert_played

SECONDS = 5

# name: the demo camera's options, and what a player should see
VARIANTS = {
    "h264-aac": ({}, "h264", "aac"),
    "h264-no-audio": ({"audio": "none"}, "h264", None),
    "h264-b-frames": ({"b_frames": 2}, "h264", "aac"),
    "h264-no-parameter-sets-in-sdp": ({"no_sdp_parameter_sets": True}, "h264", "aac"),
    "h264-opus": ({"audio": "opus"}, "h264", "opus"),
    "h265-aac": ({"codec": "h265"}, "hevc", "aac"),
    "h265-b-frames": ({"codec": "h265", "b_frames": 2}, "hevc", "aac"),
}


def certificate(relay):
    return relay.path("server/tls.crt")


@pytest.mark.parametrize("variant", VARIANTS)
def test_ffmpeg_decodes_every_camera_over_hls(relay, token, camera, variant):
    options, video, audio = VARIANTS[variant]
    played = players.ffmpeg(relay.urls(camera(**options), token)["hls"], SECONDS)
    assert_played(played)
    assert (played.codecs.get("video"), played.codecs.get("audio")) == (video, audio)
    assert (played.audio > 0) == (audio is not None), played.text


@pytest.mark.parametrize("audio", ["pcmu", "pcma"])
def test_audio_that_hls_cannot_carry_does_not_cost_the_picture(relay, token, camera, audio):
    played = players.ffmpeg(relay.urls(camera(audio=audio), token)["hls"], SECONDS)
    assert_played(played)


@pytest.mark.parametrize("options", [{}, {"b_frames": 2}, {"codec": "h265"}],
                         ids=["h264", "b-frames", "h265"])
def test_vlc_shows_pictures_over_hls(relay, token, camera, options):
    url = relay.urls(camera(**options), token)["hls"]
    played = players.vlc(url, 12, trust=certificate(relay))
    assert_played(played, ENOUGH)


@pytest.mark.parametrize("options", [{}, {"codec": "h265", "audio": "opus"}],
                         ids=["h264-aac", "h265-opus"])
def test_ffmpeg_decodes_hls_in_mpeg_ts(relay, token, camera, options):
    played = players.ffmpeg(relay.urls(camera(**options), token)["hls_ts"], SECONDS)
    assert_played(played)
    assert played.audio > 0, played.text


def test_vlc_shows_pictures_of_hls_in_mpeg_ts(relay, token, camera):
    url = relay.urls(camera(), token)["hls_ts"]
    played = players.vlc(url, 12, trust=certificate(relay))
    assert_played(played, ENOUGH)


def test_gstreamer_decodes_over_hls(relay, token, camera):
    url = relay.urls(camera(), token)["hls"]
    command = ["gst-launch-1.0", "-v", "souphttpsrc", f"location={url}", "ssl-strict=false", "!",
               "hlsdemux", "!", "decodebin", "!", "video/x-raw", "!", "identity", "name=frames",
               "silent=false", "!", "fakesink", "num-buffers=75"]
    output, errors = players.run(command, 30)
    assert output.count("chain") >= 75, errors[-2000:]


def test_a_wrong_token_gets_no_playlist(relay, token, camera):
    url = relay.urls(camera(), token)["hls"]
    played = players.ffmpeg(url.replace(token, "cv1_0000000000000000_" + "0" * 32), 2, patience=10)
    assert not played and "401" in played.text
