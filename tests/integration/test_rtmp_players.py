"""Real players decode over RTMP and RTMPS what each camera sends, as far as RTMP can carry it."""
import re
import time

import players
import pytest
from rtmp_client import (AUDIO, DATA, VIDEO, annex_b, client, count_decoded, decode_all, hvcc_units,
                         name_and_token)
from test_rtsp_players import assert_played

SECONDS = 1.5
ENOUGH = 25
SLUG = "over-rtmp"
VARIANTS = {
    "h264-no-audio": ({"audio": "none"}, None),
    "h264-b-frames": ({"b_frames": 2}, "aac"),
    "h264-opus": ({"audio": "opus"}, None),  # Debian's ffmpeg knows nothing of Enhanced RTMP
}


@pytest.fixture(scope="module", name="urls")
def urls_fixture(relay, token):
    """Of a camera that all may share, H.264 and AAC, and is awake."""
    child = relay.start_camera()
    relay.add_camera(SLUG, child.url, "--always-on", "yes")
    relay.wait_state(SLUG, ["live"])
    urls = relay.urls(SLUG, token)
    urls["443"] = urls["rtmps"].replace(f":{relay.ports['rtmps']}/", f":{relay.ports['https']}/")
    yield urls
    relay.remove_camera(SLUG)
    child.stop()
    relay.cameras.remove(child)


@pytest.fixture(name="h265", scope="module")
def h265_fixture(relay, token):
    """The address of a camera with H.265 and Opus."""
    child = relay.start_camera(codec="h265", audio="opus")
    relay.add_camera("rtmp-h265", child.url, "--always-on", "yes")
    relay.wait_state("rtmp-h265", ["live"])
    yield relay.urls("rtmp-h265", token)["rtmp"]
    relay.remove_camera("rtmp-h265")
    child.stop()
    relay.cameras.remove(child)


@pytest.mark.parametrize("variant", VARIANTS)
def test_ffmpeg_decodes_every_camera_over_rtmp(relay, token, camera, variant):
    options, audio = VARIANTS[variant]
    played = players.ffmpeg(relay.urls(camera(**options), token)["rtmp"], SECONDS)
    assert_played(played, ENOUGH)
    assert (played.codecs.get("video"), played.codecs.get("audio")) == ("h264", audio)
    assert (played.audio > 0) == (audio is not None), played.text


@pytest.mark.parametrize("way", ["rtmps", "443"])
def test_ffmpeg_decodes_over_tls(urls, way):
    played = players.ffmpeg(urls[way], SECONDS)
    assert_played(played, ENOUGH)
    assert played.audio > 0


@pytest.mark.parametrize("place", ["tcurl", "app"])
def test_a_token_may_stand_elsewhere(urls, token, place):
    """ffmpeg's -rtmp_app and -rtmp_playpath: as players with a field for the URL and one for a key."""
    server = urls["rtmp"].split("/")[2]
    where = {"app": ["-rtmp_app", f"live?token={token}"],
             "tcurl": ["-rtmp_tcurl", f"rtmp://{server}/live?token={token}", "-rtmp_app", "live"]}
    output, errors = players.run(
        ["ffmpeg", "-v", "error", *where[place], "-rtmp_playpath", SLUG, "-i", f"rtmp://{server}/live",
         "-t", "1", "-map", "0:v", "-f", "framecrc", "-"], 20)
    assert len(re.findall(r"^0,", output, re.M)) >= 20, errors


@pytest.mark.parametrize("wrong", ["", "nonsense", "cv1_0000000000000000_" + "0" * 32])
def test_a_wrong_token_is_told_and_gets_no_hint(urls, token, wrong):
    texts = set()
    for url in (urls["rtmp"], urls["rtmp"].replace(SLUG, "no-such-camera")):
        played = players.ffmpeg(url.replace(token, wrong), 2, patience=10)
        assert not played and "Server error" in played.text
        texts.add(re.search(r"Server error: (.*)", played.text).group(1))
    assert len(texts) == 1 and "token" in texts.pop().lower()


@pytest.mark.parametrize("way", ["rtmp", "rtmps"])
def test_gstreamer_decodes_picture_and_sound(urls, way):
    command = ["gst-launch-1.0", "-v", "rtmp2src", f"location={urls[way]}",
               *(["tls-validation-flags=0"] if way == "rtmps" else []), "!", "flvdemux", "name=d"]
    for pad, count in (("video", 25), ("audio", 30)):
        command += [f"d.{pad}", "!", "queue", "!", "decodebin", "!", "identity", f"name={pad}s",
                    "silent=false", "!", "fakesink", "sync=true", f"num-buffers={count}"]
    output, errors = players.run(command, 20)
    assert len(re.findall("videos.*chain", output)) >= 25, errors[-2000:]
    assert len(re.findall("audios.*chain", output)) >= 30, errors[-2000:]


@pytest.mark.parametrize("way", ["rtmp", "rtmps"])
def test_vlc_decodes(urls, way):
    played = players.vlc(urls[way], 2.5)
    assert_played(played, ENOUGH)
    assert played.audio > 0


def collect(viewer, seconds):
    """What is sent within so many seconds: [(type, time, bytes)]."""
    messages, deadline = [], time.monotonic() + seconds
    while time.monotonic() < deadline:
        messages.append(viewer.message())
    return messages


@pytest.mark.parametrize("announced", [{"fourCcList": ["av01", "hvc1", "Opus"]},
                                       {"videoFourCcInfoMap": {"hvc1": 1},
                                        "audioFourCcInfoMap": {"*": 7}}], ids=["v1", "v2"])
def test_an_enhanced_player_gets_h265_and_opus(relay, h265, announced):
    with client(relay.ports["rtmp"]) as viewer:
        assert viewer.play(name_and_token(h265), **announced)["code"] == "NetStream.Play.Start"
        messages = collect(viewer, 1.5)
    metadata = next(decode_all(body) for kind, _, body in messages if kind == DATA)[1]
    assert metadata["videocodecid"] == int.from_bytes(b"hvc1", "big")
    assert metadata["audiocodecid"] == int.from_bytes(b"Opus", "big")
    video = [(at, body) for kind, at, body in messages if kind == VIDEO]
    audio = [body for kind, _, body in messages if kind == AUDIO]
    assert video[0][1][:5] == b"\x90hvc1" and video[0][0] == 0
    assert video[1][1][:5] == b"\x91hvc1"
    assert audio[0][:13] == b"\x90OpusOpusHead" and len(audio) > 40
    assert all(body[:5] == b"\x91Opus" for body in audio[1:])
    times = [at for at, _ in video[1:]]
    assert times == sorted(times) and 30 <= (times[-1] - times[0]) / (len(times) - 1) <= 50
    raw = annex_b(hvcc_units(video[0][1][5:])) + b"".join(annex_b(body[8:]) for _, body in video[1:])
    decoded, errors = count_decoded(raw, "hevc")
    assert decoded >= len(video) - 2 and not errors, errors


def test_a_plain_player_is_told_which_codec_it_lacks(h265):
    played = players.ffmpeg(h265, 2, patience=10)
    assert not played and "hvc1" in played.text


def test_a_codec_that_rtmp_lacks_is_named(relay, token, camera):
    played = players.ffmpeg(relay.urls(camera(codec="mjpeg"), token)["rtmp"], 2, patience=15)
    assert not played and "JPEG" in played.text


def test_pictures_come_at_once(relay, urls):
    """The current group of pictures: nobody waits for the next key frame."""
    for _ in range(5):
        began = time.monotonic()
        with client(relay.ports["rtmp"]) as viewer:
            viewer.play(name_and_token(urls["rtmp"]))
            while viewer.message()[2][:2] != b"\x17\1":
                pass
        assert time.monotonic() - began < 0.3


def test_a_revoked_token_ends_its_viewer_within_a_second(relay, urls):
    made = relay.token("rtmp revoked")
    with client(relay.ports["rtmp"]) as viewer:
        viewer.play(name_and_token(relay.urls(SLUG, made["token"])["rtmp"]))
        relay.cli("token", "revoke", made["id"])
        revoked = time.monotonic()
        assert viewer.until("onStatus")[3]["level"] == "error"
        assert viewer.is_closed(1) and time.monotonic() - revoked < 1.2
    assert urls


def test_scope_and_protocol_of_a_token_hold(relay, urls):
    for options in (["--protocol", "rtsp"], ["--camera", "rtmp-nowhere"]):
        if options[0] == "--camera":
            relay.add_camera("rtmp-nowhere", "rtsp://127.0.0.1:9/x")
        made = relay.token("rtmp elsewhere", *options)
        with client(relay.ports["rtmp"]) as viewer:
            told = viewer.play(f"{SLUG}?token={made['token']}")
            assert told["code"] == "NetStream.Play.Failed" and told["level"] == "error"
    relay.remove_camera("rtmp-nowhere")
    assert urls


def test_ffmpeg_cannot_publish(urls):
    _, errors = players.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc", "-t", "5", "-c:v",
                             "flv1", "-f", "flv", urls["rtmp"]], 15)
    assert "Cameras come by agents" in errors


def test_no_token_is_in_the_logs(relay, token, urls):
    secret = token.split("_")[-1]
    assert urls and secret not in relay.server.log()
