"""Real players decode over SRT what each camera sends, as far as MPEG-TS can carry it."""
import re
import shutil
import subprocess
import time

import players
import pytest
from rig import die_with_parent
from test_rtsp_players import assert_played

SECONDS = 4
WRONG = "cv1_0000000000000000_" + "0" * 32
VARIANTS = {
    "h264-aac": ({}, "h264", "aac"),
    "h264-b-frames": ({"b_frames": 2}, "h264", "aac"),
    "h264-g711": ({"audio": "pcma"}, "h264", None),
    "h265-opus": ({"codec": "h265", "audio": "opus"}, "hevc", "opus"),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_ffmpeg_decodes_every_camera_over_srt(relay, token, camera, variant):
    options, video, audio = VARIANTS[variant]
    played = players.ffmpeg(relay.urls(camera(**options), token)["srt"], SECONDS)
    assert_played(played)
    assert (played.codecs.get("video"), played.codecs.get("audio")) == (video, audio)
    assert (played.audio > 0) == (audio is not None), played.text


def with_stream_id(relay, slug, token, stream_id):
    return relay.urls(slug, token)["srt"].split("?")[0] + "?streamid=" + stream_id


@pytest.mark.parametrize("form", ["#!::r={slug},m=request,u={token}", "#!::s={token},r={slug}",
                                  "{slug}?token={token}"])
def test_each_form_of_the_stream_id_plays(relay, token, camera, form):
    slug = camera()
    url = with_stream_id(relay, slug, token, form.format(slug=slug, token=token))
    assert players.ffmpeg(url, 1, patience=10)


def test_gstreamer_decodes_over_srt(relay, token, camera):
    url = relay.urls(camera(), token)["srt"]
    command = ["gst-launch-1.0", "-v", "srtsrc", f"uri={url}", "!", "tsdemux", "!", "h264parse", "!",
               "avdec_h264", "!", "identity", "silent=false", "!", "fakesink", "num-buffers=75"]
    output, errors = players.run(command, 20)
    assert output.count("chain") >= 75, errors[-2000:]


def transmit(url, seconds):
    """What srt-live-transmit received and said."""
    program = shutil.which("srt-live-transmit")
    with subprocess.Popen([program, url, "file://con", "-a:no", "-loglevel:note"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          preexec_fn=die_with_parent) as process:
        try:
            return process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.communicate()


def test_srt_live_transmit_receives_whole_packets(relay, token, camera):
    output, errors = transmit(relay.urls(camera(), token)["srt"], 4)
    assert len(output) > 50000, errors[-2000:]
    assert all(output[at] == 0x47 for at in range(0, len(output) - 188, 188))


def test_a_wrong_token_is_refused_with_1401(relay, token, camera):
    url = relay.urls(camera(), token)["srt"]
    output, errors = transmit(url.replace(token, WRONG), 4)
    assert not output
    assert re.search(rb"Application-defined rejection reason", errors), errors[-2000:]


def test_a_revoked_token_ends_the_viewer(relay, camera):
    made = relay.token()
    url = relay.urls(camera(), made["token"])["srt"]
    with subprocess.Popen(["ffmpeg", "-nostdin", "-v", "error", "-i", url, "-f", "null", "-"],
                          preexec_fn=die_with_parent) as process:
        time.sleep(2)
        assert process.poll() is None
        relay.cli("token", "revoke", made["id"])
        began = time.monotonic()
        try:
            process.wait(5)
        finally:
            process.kill()
    assert time.monotonic() - began < 3
