"""Cameras that drop out, agents that are killed, servers that are restarted: pictures come back."""
import os
import signal
import threading
import time

import players
import pytest
import rig as rigs


class Watching(threading.Thread):
    """A viewer in the background; result() is what it has played when it ends."""

    def __init__(self, url, seconds, **options):
        super().__init__(daemon=True)
        self.url, self.seconds, self.options, self.played = url, seconds, options, None
        self.start()

    def run(self):
        self.played = players.ffmpeg(self.url, self.seconds, **self.options)

    def result(self):
        self.join(120)
        return self.played


def plays_again(url, seconds=30, frames=25):
    """Seconds until a new viewer sees pictures; a viewer that is refused tries again."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        played = players.ffmpeg(url, 2, patience=15)
        if played.video >= frames:
            return time.monotonic() - began
        time.sleep(0.3)
    raise rigs.Failure(f"no pictures within {seconds} s\n{played.text}")


def restart(rig, child):
    again = rigs.Child(child.name, child.command, child.log_path)
    if child in rig.cameras:
        rig.cameras[rig.cameras.index(child)] = again
        again.expect("^camera: ", 20)
    else:
        setattr(rig, child.name, again)
    return again


def descriptors(child):
    return len(os.listdir(f"/proc/{child.pid}/fd"))


def test_a_camera_that_closes_every_connection_comes_back(own_relay):
    slug = "flaky"
    own_relay.camera(slug, disconnect_after=4)
    url = own_relay.urls(slug, own_relay.token()["token"])["rtsp"]
    for _ in range(3):
        plays_again(url, 20)


def test_a_camera_that_is_switched_off_is_unreachable_then_live(own_relay):
    slug = "porch"
    camera = own_relay.camera(slug)
    url = own_relay.urls(slug, own_relay.token()["token"])["rtsp"]
    viewer = Watching(url, 20, patience=45)
    own_relay.wait_state(slug, ["live"])
    time.sleep(2)
    camera.kill()
    own_relay.wait_state(slug, ["unreachable", "stalled"], 30)
    restart(own_relay, camera)
    own_relay.wait_state(slug, ["live"], 45)
    plays_again(url)
    assert viewer.result().video > 30


def test_a_stalled_camera_is_seen_as_such_and_comes_back(own_relay):
    slug = "yard"
    own_relay.camera(slug, stall_after=3, stall_for=25)
    url = own_relay.urls(slug, own_relay.token()["token"])["rtsp"]
    viewer = Watching(url, 30, patience=40)
    own_relay.wait_state(slug, ["live"])
    own_relay.wait_state(slug, ["stalled", "connecting", "unreachable"], 30)
    plays_again(url, 60)
    assert viewer.result().video > 25


def test_states_name_what_is_wrong(own_relay):
    locked = own_relay.start_camera(user="admin", password="right")
    wrong = locked.url.replace(":right@", ":wrong@")
    own_relay.add_camera("locked", wrong)
    own_relay.add_camera("nobody", f"rtsp://127.0.0.1:{rigs.free_port()}/cam")
    token = own_relay.token()["token"]
    for slug, state in (("locked", "unauthorised"), ("nobody", "unreachable")):
        played = players.ffmpeg(own_relay.urls(slug, token)["rtsp"], 2, patience=20)
        assert not played and "503" in played.text, played.text
        assert own_relay.wait_state(slug, [state], 10)
    for child in (own_relay.server, own_relay.agent):
        assert "right" not in child.log() and ":wrong@" not in child.log()


def test_an_agent_that_is_killed_comes_back(own_relay):
    slug = "gate"
    own_relay.camera(slug)
    url = own_relay.urls(slug, own_relay.token()["token"])["rtsp"]
    viewer = Watching(url, 25, patience=45)
    plays_again(url)
    own_relay.agent.process.send_signal(signal.SIGKILL)
    own_relay.agent.process.wait()
    time.sleep(1)
    restart(own_relay, own_relay.agent)
    own_relay.wait_agent()
    assert plays_again(url) < 15
    assert viewer.result().video > 50


def test_a_server_that_is_restarted_has_everything_and_pictures(own_relay):
    slug = "gate"
    own_relay.camera(slug)
    url = own_relay.urls(slug, own_relay.token()["token"])["rtsp"]
    plays_again(url)
    assert own_relay.server.stop() == 0
    own_relay.start_server()
    own_relay.wait_agent(40)
    assert plays_again(url) < 20


def test_a_server_that_is_killed_has_everything_too(own_relay):
    slug = "gate"
    own_relay.camera(slug)
    url = own_relay.urls(slug, own_relay.token()["token"])["rtsp"]
    plays_again(url)
    own_relay.server.kill()
    own_relay.start_server()
    own_relay.wait_agent(40)
    plays_again(url)


def test_a_revoked_agent_is_gone_within_seconds(own_relay):
    own_relay.cli("agent", "revoke", own_relay.agent_id)
    rigs.wait_until(lambda: not own_relay.is_agent_online(), 5, "the revoked agent to be gone")


def test_viewers_that_come_and_go_leave_no_descriptors(relay, token, camera):
    url = relay.urls(camera(), token)["rtsp"]
    keeper = Watching(url, 24, patience=60)
    plays_again(url)
    before = descriptors(relay.server), descriptors(relay.agent)
    for transport in ("tcp", "udp") * 6:
        assert players.ffmpeg(url, 1, transport)
    rigs.wait_until(lambda: descriptors(relay.server) <= before[0] + 2
                    and descriptors(relay.agent) <= before[1] + 2, 20,
                    f"descriptors to fall to {before}")
    keeper.result()
