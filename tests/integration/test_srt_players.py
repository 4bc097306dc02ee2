"""Real players decode over SRT what each camera sends, as far as MPEG-TS can carry it."""
import contextlib
import re
import subprocess
import time

import players
import pytest
import rig as rigs
from impair import Impairment
from rig import die_with_parent
from srt_caller import Caller
from test_rtsp_players import ENOUGH, assert_played

SECONDS = 3
SLUG = "over-srt"
WRONG = "cv1_0000000000000000_" + "0" * 32
VARIANTS = {
    "h264-b-frames": ({"b_frames": 2}, "h264", "aac"),
    "h264-g711": ({"audio": "pcma"}, "h264", None),
    "h265-opus": ({"codec": "h265", "audio": "opus"}, "hevc", "opus"),
}


@pytest.fixture(scope="module", name="url")
def url_fixture(relay, token):
    """Of a camera that all may share, H.264 and AAC, and is awake."""
    child = relay.start_camera()
    relay.add_camera(SLUG, child.url, "--always-on", "yes")
    relay.wait_state(SLUG, ["live"])
    yield relay.urls(SLUG, token)["srt"]
    relay.remove_camera(SLUG)
    child.stop()
    relay.cameras.remove(child)


@pytest.fixture(scope="module", name="secret")
def secret_fixture(relay, url):
    """A token with a passphrase: its record, and the address without the passphrase."""
    made = relay.token("secret", "--srt-passphrase")
    return made, relay.urls(SLUG, made["token"])["srt"]


def with_stream_id(url, stream_id):
    return url.split("?")[0] + "?streamid=" + stream_id


@pytest.mark.parametrize("variant", VARIANTS)
def test_ffmpeg_decodes_every_camera_over_srt(relay, token, camera, variant):
    options, video, audio = VARIANTS[variant]
    played = players.ffmpeg(relay.urls(camera(**options), token)["srt"], SECONDS)
    assert_played(played)
    assert (played.codecs.get("video"), played.codecs.get("audio")) == (video, audio)
    assert (played.audio > 0) == (audio is not None), played.text


@pytest.mark.parametrize("form", ["#!::r={slug},m=request,u={token}", "#!::s={token},r={slug}",
                                  "{slug}?token={token}", "read:{slug}:anybody:{token}"])
def test_each_form_of_the_stream_id_plays(url, token, form):
    played = players.ffmpeg(with_stream_id(url, form.format(slug=SLUG, token=token)), 1)
    assert_played(played, 20)
    assert played.audio > 0


def gstreamer(url, branch):
    command = ["gst-launch-1.0", "-v", "srtsrc", f"uri={url}", "!", "tsdemux", "!", *branch, "!",
               "identity", "silent=false", "!", "fakesink", "num-buffers=50"]
    output, errors = players.run(command, 15)
    return output.count("chain"), errors[-2000:]


@pytest.mark.parametrize("branch", [["h264parse", "!", "avdec_h264"], ["aacparse", "!", "avdec_aac"]],
                         ids=["video", "audio"])
def test_gstreamer_decodes_over_srt(url, branch):
    frames, errors = gstreamer(url, branch)
    assert frames >= 50, errors


@pytest.mark.parametrize("passphrase", [False, True], ids=["clear", "encrypted"])
def test_vlc_decodes_over_srt(url, secret, passphrase):
    made, secret_url = secret
    played = players.vlc(f"{secret_url}&passphrase={made['srt_passphrase']}" if passphrase else url, 4)
    assert_played(played, ENOUGH)
    assert played.audio > 0, played.text


@contextlib.contextmanager
def transmit(url, path):
    """srt-live-transmit, which writes what it receives to path."""
    with open(path, "wb") as output, subprocess.Popen(
            ["srt-live-transmit", url, "file://con", "-a:no", "-loglevel:note"], stdout=output,
            stderr=subprocess.PIPE, preexec_fn=die_with_parent) as process:
        try:
            yield process
        finally:
            process.kill()


def test_srt_live_transmit_receives_whole_packets(url, secret, tmp_path):
    made, secret_url = secret
    for at in (url, f"{secret_url}&passphrase={made['srt_passphrase']}"):
        path = tmp_path / "out.ts"
        with transmit(at, path):
            rigs.wait_until(lambda: path.stat().st_size > 100000, 10, "srt-live-transmit to receive")
        received = path.read_bytes()
        assert all(received[at] == 0x47 for at in range(0, len(received) - 188, 188))


@pytest.mark.parametrize("bits", [128, 192, 256])
def test_a_passphrase_encrypts_with_keys_of_each_length(secret, bits):
    made, url = secret
    played = players.ffmpeg(f"{url}&passphrase={made['srt_passphrase']}&pbkeylen={bits // 8}", 1)
    assert_played(played, 20)


@pytest.mark.parametrize("passphrase", [None, "quite-another-one"], ids=["none", "wrong"])
def test_without_the_passphrase_nothing_is_sent(relay, secret, passphrase, tmp_path):
    url = secret[1] + (f"&passphrase={passphrase}" if passphrase else "")
    with transmit(url, tmp_path / "out.ts") as process:
        process.wait(5)
        said = process.stderr.read().decode()
    assert ("Incorrect passphrase" if passphrase else "Password required") in said, said
    assert (tmp_path / "out.ts").stat().st_size == 0
    relay.server.expect("not-connected", 3)


def test_a_token_without_a_passphrase_takes_none(url, tmp_path):
    with transmit(url + "&passphrase=quite-another-one", tmp_path / "out.ts") as process:
        process.wait(5)
    assert (tmp_path / "out.ts").stat().st_size == 0


def test_a_wrong_token_is_refused_with_1401(url, token, tmp_path):
    with transmit(url.replace(token, WRONG), tmp_path / "out.ts") as process:
        process.wait(5)
        said = process.stderr.read().decode()
    assert "Application-defined rejection reason" in said, said


def metrics(relay):
    done = subprocess.run(["curl", "-sk", f"https://127.0.0.1:{relay.ports['https']}/metrics"],
                          capture_output=True, text=True, check=True, timeout=5)
    return done.stdout


def test_a_revoked_token_ends_the_viewer_within_a_second(relay, url, tmp_path):
    made = relay.token()
    path = tmp_path / "out.ts"
    with transmit(relay.urls(SLUG, made["token"])["srt"], path) as process:
        rigs.wait_until(lambda: path.stat().st_size > 50000, 10, "srt-live-transmit to receive")
        rigs.wait_until(lambda: "culvert_srt_viewer_packets_total{" in metrics(relay), 3, "figures")
        began = time.monotonic()
        relay.cli("token", "revoke", made["id"])
        process.wait(5)
    assert time.monotonic() - began < 1
    with Caller(relay.ports["srt"]) as caller:
        assert caller.call(f"{SLUG}?token={made['token']}") == 1401


def times_of_frames(url, seconds):
    """(the times of the frames that came, in ticks of 1/90000 s; what ffmpeg complained of)"""
    command = ["ffmpeg", "-nostdin", "-v", "warning", *players.ffmpeg_input(url, None), "-t",
               str(seconds), "-map", "0:v:0", "-c", "copy", "-f", "framecrc", "-"]
    output, errors = players.run(command, seconds + 10)
    return [int(line.split(",")[2]) for line in output.splitlines() if line.startswith("0,")], errors


def test_at_250_ms_of_latency_five_per_cent_of_loss_cost_no_frame(relay, url):
    """A round trip takes 50 ms; both ways lose."""
    with Impairment([relay.ports["srt"]], loss=0.05, delay=0.025) as network:
        port = relay.ports["srt"]
        far = url.replace(f":{port}?", f":{port + network.offset}?") + "&latency=250000"
        times, complaints = times_of_frames(far, 5)
        dropped = network.figures()["dropped"]
    gaps = [after - before for before, after in zip(times, times[1:])]
    assert dropped > 30, "the network was too good"
    assert len(times) > 100 and max(gaps) < 2 * 3600, (len(times), max(gaps), complaints[-2000:])
    assert not re.search("corrupt|error|missing", complaints), complaints[-2000:]


def test_viewers_stay_while_their_camera_is_away(relay, token, tmp_path):
    slug, path = "comes-and-goes", tmp_path / "out.ts"
    child = relay.camera(slug)
    with transmit(relay.urls(slug, token)["srt"], path) as viewer:
        rigs.wait_until(lambda: path.stat().st_size > 50000, 10, "pictures")
        child.kill()
        time.sleep(0.5)
        had = path.stat().st_size
        again = rigs.Child(child.name, child.command, child.log_path)
        relay.cameras[relay.cameras.index(child)] = again
        rigs.wait_until(lambda: path.stat().st_size > had + 100000, 20, "pictures again")
        assert viewer.poll() is None
    relay.remove_camera(slug)
    again.stop()
    relay.cameras.remove(again)
