"""Real players decode what real cameras send, over each way that RTSP can travel."""
import players
import pytest

SECONDS = 4
ENOUGH = 60 # of the 100 frames in four seconds: a loaded machine may drop some

# name: the demo camera's options, and what a player should see
VARIANTS = {
    "h264-aac": ({}, "h264", "aac"),
    "h264-no-audio": ({"audio": "none"}, "h264", None),
    "h264-b-frames": ({"b_frames": 2}, "h264", "aac"),
    "h264-no-parameter-sets-in-sdp": ({"no_sdp_parameter_sets": True}, "h264", "aac"),
    "h264-latm": ({"audio": "latm"}, "h264", "aac"),
    "h264-l16": ({"audio": "l16"}, "h264", "pcm_s16be"),
    "h264-short-gop": ({"gop": 10, "fps": 15}, "h264", "aac"),
    "h264-720p": ({"size": "1280x720", "bitrate": 4000}, "h264", "aac"),
    "h265-opus": ({"codec": "h265", "audio": "opus"}, "hevc", "opus"),
    "h265-b-frames": ({"codec": "h265", "b_frames": 2, "audio": "pcma"}, "hevc", "pcm_alaw"),
    "h265-no-parameter-sets-in-sdp":
        ({"codec": "h265", "no_sdp_parameter_sets": True}, "hevc", "aac"),
    "mjpeg-pcmu": ({"codec": "mjpeg", "audio": "pcmu"}, "mjpeg", "pcm_mulaw"),
    "camera-udp-only": ({"udp_only": True}, "h264", "aac"),
    "camera-tcp-only": ({"tcp_only": True}, "h264", "aac"),
    "camera-digest": ({"user": "admin", "password": "p@ss:w/rd"}, "h264", "aac"),
    "camera-basic": ({"user": "admin", "password": "secret", "auth": "basic"}, "h264", "aac"),
}


def assert_played(played, enough=ENOUGH):
    assert played.video >= enough, f"{played.video} pictures\n{played.text}"


@pytest.mark.parametrize("variant", VARIANTS)
def test_ffmpeg_decodes_every_camera_over_rtsp(relay, token, camera, variant):
    options, video, audio = VARIANTS[variant]
    url = relay.urls(camera(**options), token)["rtsp"]
    played = players.ffmpeg(url, SECONDS)
    assert_played(played, 40 if options.get("fps") else ENOUGH)
    assert (played.audio > 0) == (audio is not None), played.text
    assert (played.codecs.get("video"), played.codecs.get("audio")) == (video, audio)


@pytest.fixture(scope="module")
def shared(relay):
    """A camera that many players may share: H.264 and AAC."""
    slug = "shared"
    child = relay.start_camera()
    relay.add_camera(slug, child.url)
    yield slug
    relay.remove_camera(slug)
    child.stop()
    relay.cameras.remove(child)


@pytest.mark.parametrize("protocol, transport", [("rtsp", "tcp"), ("rtsp", "udp"),
                                                 ("rtsps", "tcp")])
def test_ffmpeg_decodes_over_tcp_udp_and_tls(relay, token, shared, protocol, transport):
    played = players.ffmpeg(relay.urls(shared, token)[protocol], SECONDS, transport)
    assert_played(played)
    assert played.audio > 0


@pytest.mark.parametrize("protocol, transport", [("rtsp", "tcp"), ("rtsp", "udp"),
                                                 ("rtsps", "tcp")])
@pytest.mark.parametrize("media", ["video", "audio"])
def test_gstreamer_decodes_over_tcp_udp_and_tls(relay, token, shared, protocol, transport, media):
    url = relay.urls(shared, token)[protocol]
    if protocol == "rtsps":
        transport = "tls+tcp"
    assert_played(players.gstreamer(url, 75, transport, media=media), 75)


@pytest.mark.skipif(not players.vlc_has_rtsp(), reason="this VLC is built without live555 (RTSP)")
@pytest.mark.parametrize("options", [[], ["--rtsp-tcp"]])
def test_vlc_decodes_over_udp_and_tcp(relay, token, shared, options):
    assert_played(players.vlc(relay.urls(shared, token)["rtsp"], 8, options))


def test_viewers_over_tcp_udp_and_tls_watch_at_once(relay, token, shared):
    import concurrent.futures
    urls = relay.urls(shared, token)
    ways = [(urls["rtsp"], "tcp"), (urls["rtsp"], "udp"), (urls["rtsps"], "tcp"),
            (urls["rtsp"], "tcp")]
    with concurrent.futures.ThreadPoolExecutor(len(ways)) as pool:
        for played in pool.map(lambda way: players.ffmpeg(way[0], SECONDS, way[1]), ways):
            assert_played(played)


def test_ffmpeg_falls_back_to_tcp_by_itself(relay, token, shared):
    """What ffplay does when told nothing: UDP first, then TCP."""
    assert_played(players.ffmpeg(relay.urls(shared, token)["rtsp"], SECONDS, "udp+tcp"))


def test_a_token_as_user_and_password_opens_the_stream(relay, shared):
    made = relay.token("by-digest")
    url = relay.urls(shared, made["token"])["rtsp"].split("?")[0]
    played = players.ffmpeg(url.replace("://", f"://{made['id']}:{made['token']}@"), 2)
    assert_played(played, 30)


@pytest.mark.parametrize("wrong", ["", "nonsense", "cv1_0000000000000000_0000000000000000000000"])
def test_a_wrong_token_gets_401_and_no_hint(relay, token, shared, wrong):
    url = relay.urls(shared, token)["rtsp"]
    for address in (url, url.replace(shared, "no-such-camera")):
        played = players.ffmpeg(address.replace(token, wrong), 2, patience=10)
        assert not played and "401" in played.text


def test_ffprobe_sees_both_tracks(relay, token, shared):
    seen = players.ffprobe(relay.urls(shared, token)["rtsp"])
    assert seen == {"video": "h264", "audio": "aac"}


def test_no_token_is_in_the_logs(relay, token):
    secret = token.split("_")[-1]
    assert secret not in relay.server.log() and secret not in relay.agent.log()
