"""The player in Debian's Chromium and Firefox: what it shows, what it says, and what it never tells."""
import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request

import firefox
import pytest
import rig as rigs
from test_browser import HERE, modules  # noqa: F401 (a fixture)

NO_WHEP = {"url": "**/whep/**", "status": 404, "body": '{"title":"Not Found","status":404}',
           "headers": {"content-type": "application/problem+json",
                       "access-control-allow-origin": "*", "access-control-allow-headers": "*"}}
PLAYS = "await until(() => look().drawn > 20, 12000);"
LOOK = "return look();"
LOCAL_ICE = ["--disable-features=WebRtcHideLocalIpsWithMdns"]


def visit(folder, **job):
    done = subprocess.run(["node", os.path.join(HERE, "visit.mjs"), folder], timeout=90,
                          input=json.dumps(job), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def base(relay):
    return f"https://127.0.0.1:{relay.ports['https']}"


def page(relay, slug, token, kind="s"):
    return f"{base(relay)}/{kind}/{slug}#{token}"


def peer(before=""):
    with open(os.path.join(HERE, "peer.js"), encoding="utf-8") as file:
        return "(() => {" + file.read() + before + "})()"


def complaints(seen, *statuses):
    """The console's errors and the policy's, but for answers of these statuses; a camera without
    a snapshot is none."""
    expected = [f"status of {status} " for status in statuses]
    return [error for error in seen["errors"]
            if "/snapshot.jpg" not in error and not any(text in error for text in expected)]


@pytest.fixture(scope="module")
def whep(relay):
    """Skips where the server has no WHEP: a route that isn't there refuses without a rule."""
    request = urllib.request.Request(f"{base(relay)}/whep/none", data=b"v=0\r\n", headers={
        "content-type": "application/sdp", "authorization": "Bearer none"})
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    try:
        urllib.request.urlopen(request, timeout=10, context=trusting).close()
    except urllib.error.HTTPError as error:
        with error:
            if error.code in (404, 405) and "rule" not in json.load(error):
                pytest.skip("the server has no WHEP")


def assert_token_stays_secret(seen, token):
    """Only our server gets it, and only in a header."""
    for request in seen["requests"]:
        assert token not in request["url"].split("#")[0], request["url"]
        assert token not in request["headers"].get("referer", "")


def test_without_webrtc_the_page_plays_hls(relay, token, camera, modules):
    seen = visit(modules, url=page(relay, camera(gop=25), token), mocks=[NO_WHEP],
                 script=PLAYS + LOOK)
    value = seen["value"]
    assert (value["state"], value["words"], value["transport"]) == ("playing", "", "LL-HLS"), value
    assert value["time"] < 8000, value
    assert value["width"] == 640 and value["frames"] > 20, value
    assert complaints(seen, 404) == []
    assert_token_stays_secret(seen, token)


def test_chromium_plays_by_webrtc(relay, token, camera, modules, whep):
    script = PLAYS + "await until(() => player.figures.latencyMs, 4000);" + LOOK
    seen = visit(modules, url=page(relay, camera(gop=25), token), script=script)
    value = seen["value"]
    assert (value["state"], value["transport"], value["width"]) == ("playing", "WebRTC", 640), value
    assert value["figures"]["codec"] == "H264" and 0 < value["figures"]["latencyMs"] < 500, value
    assert complaints(seen) == []
    assert_token_stays_secret(seen, token)


def in_firefox(url, way):
    """The player's own words and figures after it has shown some pictures, in Firefox."""
    if not firefox.is_installed():
        pytest.skip("firefox-esr is not installed")
    with firefox.Firefox() as browser:
        browser.go(url)
        return browser.run(f"""
            const found = document.querySelector("culvert-player");
            const player = found.wrappedJSObject ?? found;
            player.setAttribute("transport", "{way}");
            const deadline = Date.now() + 15000;
            while (Date.now() < deadline && !(player.figures.framesDecoded > 40))
              await new Promise((done) => setTimeout(done, 100));
            const {{ state, words, transport, figures }} = player;
            return JSON.parse(JSON.stringify({{ state, words, transport, figures,
              width: player.video.videoWidth }}))""")


def assert_firefox_plays(relay, slug, token, way, name):
    seen = in_firefox(page(relay, slug, token), way)
    assert (seen["state"], seen["transport"], seen["width"]) == ("playing", name, 640), seen
    assert seen["figures"]["framesDecoded"] > 40, seen


def test_firefox_plays_hls(relay, token, camera):
    assert_firefox_plays(relay, camera(gop=25), token, "hls", "LL-HLS")


def test_webrtc_plays_and_tells_its_figures(relay, token, modules):
    script = PLAYS + """
        await until(() => player.figures.latencyMs && player.figures.bitsPerSecond, 5000);
        const seen = look();
        const post = fakeWhep.posts[0];
        player.remove();
        return {...seen, post, deletes: fakeWhep.deletes}"""
    seen = visit(modules, url=page(relay, "door", token), before=peer(), script=script,
                 options=LOCAL_ICE)
    value, figures = seen["value"], seen["value"]["figures"]
    assert (value["state"], value["transport"], value["width"]) == ("playing", "WebRTC", 320), value
    assert figures["codec"] in ("VP8", "VP9", "H264", "AV1") and figures["path"] == "UDP", figures
    assert 0 < figures["latencyMs"] < 1000 and figures["bitsPerSecond"] > 1000, figures
    assert value["post"]["headers"]["authorization"] == f"Bearer {token}"
    assert "culvert-embedder" not in value["post"]["headers"]
    offer = value["post"]["offer"]
    assert [line.split()[0] for line in offer.split("\r\n") if line.startswith("m=")] == \
        ["m=video", "m=audio", "m=application"]
    assert offer.count("a=recvonly") == 2
    assert value["deletes"] == [f"{base(relay)}/whep/door/one"]
    assert complaints(seen) == []


def test_a_quiet_camera_is_said_in_words_and_a_lost_connection_comes_back(relay, token, modules):
    script = """
        await until(() => player.state === "waiting" && /reached/.test(player.words), 9000);
        const words = player.words;
        fakeWhep.quiet = false;
        fakeWhep.peer.close();
        await until(() => look().drawn > 10 && player.state === "playing", 15000);
        return {...look(), said: words, posts: fakeWhep.posts.length}"""
    quiet = 'fake.quiet = true; fake.news = {camera: "unreachable"};'
    seen = visit(modules, url=page(relay, "door", token), before=peer(before=quiet), script=script,
                 options=LOCAL_ICE)
    assert seen["value"]["said"] == "The camera can't be reached. Waiting for it…", seen["value"]
    assert (seen["value"]["posts"], seen["value"]["state"]) == (2, "playing"), seen["value"]
    assert complaints(seen) == []


def test_refusals_are_said_in_words(relay, token, camera, modules):
    """A wrong token, none, and one that doesn't allow this camera; trying again is offered."""
    script = """await until(() => player.state === "failed", 8000);
        const again = player.shadowRoot.querySelector(".again");
        return {...look(), again: !again.hidden,
            said: player.shadowRoot.querySelector("[role=status]").textContent}"""
    slug = camera()
    other = relay.token("other", "--camera", camera())["token"]
    wrong = token[:-1] + ("0" if token[-1] != "0" else "1")
    for fragment, words, again in ((wrong, "No such token. The token is not a valid one", True),
                                   ("", "No token.", False), (other, "Not allowed.", True)):
        seen = visit(modules, url=page(relay, slug, fragment), script=script)
        assert words in seen["value"]["said"], seen["value"]
        assert seen["value"]["again"] == again
        assert complaints(seen, 401, 403, 404) == []


def test_it_waits_for_a_camera_that_is_away(relay, token, modules):
    away = {"url": "**/whep/**", "status": 503, "headers": {"retry-after": "1"},
            "body": '{"rule":"unreachable","detail":"The agent can\'t reach the camera."}'}
    script = "await new Promise((done) => setTimeout(done, 6000)); return look();"
    seen = visit(modules, url=page(relay, "door", token), mocks=[away], script=script)
    assert seen["value"]["words"] in (
        "Connecting…", "The camera is away. The agent can't reach the camera. Trying again…")
    posts = [request for request in seen["requests"] if "/whep/" in request["url"]]
    assert 2 <= len(posts) <= 5  # after Retry-After, and not at once
    assert not [request for request in seen["requests"] if "/hls/" in request["url"]]


def test_a_codec_that_the_browser_lacks_is_named(relay, token, camera, modules):
    script = """await until(() => player.state !== "connecting", 10000);
        const can = MediaSource.isTypeSupported('video/mp4; codecs="hvc1.1.6.L93.B0"');
        return {...look(), can}"""
    seen = visit(modules, url=page(relay, camera(codec="h265"), token), mocks=[NO_WHEP],
                 script=script)
    if seen["value"]["can"]:
        pytest.skip("this Chromium plays H.265")
    assert "This browser can't play H.265" in seen["value"]["words"], seen["value"]
    assert complaints(seen, 404) == []


def test_keys_and_labels(relay, token, modules):
    script = PLAYS + """
        const root = player.shadowRoot, seen = {};
        const pressed = (label) => root.querySelector(`button[aria-label="${label}"]`)
            .getAttribute("aria-pressed");
        await press("m"); seen.muted = player.video.muted;
        await press("k"); seen.paused = player.video.paused;
        await press(" "); await until(() => !player.video.paused, 2000);
        seen.goesOn = !player.video.paused;
        await press("i"); seen.table = root.querySelector(".figures").textContent;
        seen.pressed = pressed("Statistics");
        await press("s");
        await press("f");
        await until(() => pressed("Full screen") === "true", 2000); seen.full = pressed("Full screen");
        await press("f");
        await press("Tab"); await press("Tab"); await press("Tab");
        seen.focus = root.activeElement?.getAttribute("aria-label");
        seen.labels = [...root.querySelectorAll("button")].map((button) =>
            button.getAttribute("aria-label") || button.textContent);
        seen.region = root.querySelector("[role=region]").getAttribute("aria-label");
        return seen"""
    seen = visit(modules, url=page(relay, "door", token), before=peer(), script=script,
                 options=LOCAL_ICE)
    value = seen["value"]
    assert (value["muted"], value["paused"], value["goesOn"]) == (False, True, True), value
    assert "WebRTC" in value["table"] and value["pressed"] == "true", value
    assert value["full"] == "true" and value["region"] == "Camera door, live", value
    assert all(value["labels"]) and value["focus"] in value["labels"], value
    assert len(seen["downloads"]) == 1 and seen["downloads"][0].startswith("door "), seen["downloads"]
    assert complaints(seen) == []


def test_another_website_includes_the_element(relay, token, camera, modules):
    slug = camera(gop=25)
    site = f"""<!doctype html><script type="module" src="{base(relay)}/player.js"></script>
        <culvert-player src="{slug}" token="{token}"></culvert-player>"""
    seen = visit(modules, url="SITE/", site=site, mocks=[NO_WHEP], script=PLAYS + LOOK)
    assert (seen["value"]["state"], seen["value"]["width"]) == ("playing", 640), seen["value"]
    assert complaints(seen, 404) == []
    assert_token_stays_secret(seen, token)


def test_another_website_shows_the_frame(relay, token, camera, modules):
    slug = camera(gop=25)
    url = f"{base(relay)}/embed/{slug}?o=SITE#{token}"
    seen = visit(modules, url="SITE/", site=f'<!doctype html><iframe src="{url}"></iframe>',
                 mocks=[NO_WHEP], frame=True, script=PLAYS + LOOK)
    assert (seen["value"]["state"], seen["value"]["width"]) == ("playing", 640), seen["value"]
    posts = [request for request in seen["requests"] if "/whep/" in request["url"]]
    assert posts[0]["headers"]["culvert-embedder"] == seen["origin"]
    assert complaints(seen, 404) == []
    assert_token_stays_secret(seen, token)


@pytest.mark.parametrize("is_allowed", (True, False))
def test_a_frame_plays_where_the_tokens_origins_allow_it(relay, camera, modules, is_allowed):
    port = rigs.free_port()
    origin = f"http://127.0.0.1:{port}" if is_allowed else "https://elsewhere.example"
    limited = relay.token("framed", "--origin", origin)["token"]
    url = page(relay, camera(gop=25), limited, "embed")
    script = 'await until(() => look().drawn > 20 || player.state === "failed", 12000);' + LOOK
    seen = visit(modules, url="SITE/", port=port, mocks=[NO_WHEP], frame=True, script=script,
                 site=f'<!doctype html><iframe src="{url}"></iframe>')
    if is_allowed:
        assert (seen["value"]["state"], seen["value"]["width"]) == ("playing", 640), seen["value"]
    else:
        assert "does not allow embedding in this web page" in seen["value"]["words"], seen["value"]
    assert complaints(seen, 403, 404) == []


@pytest.mark.parametrize("path", ("s/door", "embed/door?o=https://other.example"))
def test_a_website_that_is_not_named_shows_no_frame(relay, modules, path):
    site = f"""<!doctype html><culvert-player></culvert-player>
        <iframe src="{base(relay)}/{path}"></iframe>
        <script>find().video = document.createElement("video")</script>"""
    script = """await until(() => false, 1500); return document.querySelector("iframe").contentDocument
        === null"""
    seen = visit(modules, url="SITE/", site=site, script=script)
    assert seen["value"] is True
    assert [error for error in seen["errors"] if "frame-ancestors" in error], seen["errors"]
