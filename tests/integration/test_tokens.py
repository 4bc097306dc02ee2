"""What tokens allow, asked of the running server by real players."""
import threading
import time

import players
import pytest
import rig as rigs


@pytest.fixture(scope="module")
def slug(relay):
    """A camera that every test here shares, kept awake by being always on."""
    child = relay.start_camera()
    relay.add_camera("tokens", child.url, "--always-on", "yes")
    relay.wait_state("tokens", ["live"])
    yield "tokens"
    relay.remove_camera("tokens")
    child.stop()
    relay.cameras.remove(child)


def watch(relay, slug, made, seconds=2, **options):
    return players.ffmpeg(relay.urls(slug, made["token"])["rtsp"], seconds, patience=seconds + 12,
                          **options)


def assert_refused(played, *statuses):
    assert not played and any(status in played.text for status in statuses), played.text


def test_a_token_for_another_protocol_is_refused(relay, slug):
    assert_refused(watch(relay, slug, relay.token("hls only", "--protocol", "hls")), "403", "401")


def test_a_token_for_another_camera_is_refused_as_if_there_were_none(relay, slug):
    other = relay.start_camera()
    relay.add_camera("other", other.url)
    made = relay.token("other only", "--camera", "other")
    assert watch(relay, "other", made)
    assert_refused(watch(relay, slug, made), "403", "401", "404")
    relay.remove_camera("other")
    other.stop()
    relay.cameras.remove(other)


def test_a_token_for_another_network_is_refused(relay, slug):
    made = relay.token("elsewhere", "--network", "192.0.2.0/24")
    assert_refused(watch(relay, slug, made), "403", "401")


def test_a_token_for_one_viewer_refuses_the_second_until_the_first_leaves(relay, slug):
    made = relay.token("one", "--viewers", "1")
    first = threading.Thread(target=watch, args=(relay, slug, made, 8))
    first.start()
    time.sleep(3)
    assert_refused(watch(relay, slug, made), "453", "403")
    first.join()
    time.sleep(0.5)
    assert watch(relay, slug, made)


def test_an_expired_token_ends_its_viewers_and_admits_no_more(relay, slug):
    made = relay.token("short", "--valid-for", "6s")
    began = time.monotonic()
    played = watch(relay, slug, made, 30)
    assert played and time.monotonic() - began < 10
    assert_refused(watch(relay, slug, made), "401")


def test_a_revoked_token_ends_its_viewers_and_admits_no_more(relay, slug):
    made, played = relay.token("revoked"), []
    viewer = threading.Thread(target=lambda: played.append(watch(relay, slug, made, 30)))
    viewer.start()
    time.sleep(4)
    relay.cli("token", "revoke", made["id"])
    viewer.join(2)
    assert not viewer.is_alive(), "the viewer goes on after its token was revoked"
    assert played[0]
    assert_refused(watch(relay, slug, made), "401")


def test_a_removed_camera_ends_its_viewers(relay, token):
    child = relay.start_camera()
    relay.add_camera("removed", child.url)
    url, played = relay.urls("removed", token)["rtsp"], []
    viewer = threading.Thread(target=lambda: played.append(players.ffmpeg(url, 30)))
    viewer.start()
    relay.wait_state("removed", ["live"])
    time.sleep(3)
    relay.remove_camera("removed")
    viewer.join(3)
    child.stop()
    relay.cameras.remove(child)
    assert not viewer.is_alive() and played[0]


def test_no_secret_is_in_the_servers_files(relay, token):
    """The database holds what a token allows, never enough to make it."""
    secret = token.rsplit("_", 1)[-1].encode()
    found = rigs.subprocess.run(["grep", "-rlaF", secret, relay.path("server")],
                                capture_output=True, check=False).stdout
    assert not found
