"""End to end through two NATs: nothing reaches the house, yet its camera is watched from outside,
while packets are lost, the uplink narrows, and the link is cut and mended. The tests go in order."""
import subprocess
import time

import players
import pytest
import rig as rigs
from conftest import CAMERA, CAMERA_PORT, place

CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)"


def can_connect(where, address, port):
    return subprocess.run([*place(where), "/usr/bin/python3", "-c", CONNECT, address, str(port)],
                          capture_output=True, timeout=10, check=False).returncode == 0


def watch(url, seconds=5, transport="tcp", patience=30):
    return players.ffmpeg(url, seconds, transport, patience, wrap=place("net"))


def plays_within(url, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        played = watch(url, 2, patience=12)
        if played.video > 25:
            return
        time.sleep(0.5)
    pytest.fail(f"no pictures within {seconds} s\n{played.text}")


def test_nothing_is_reachable_from_outside_in(lab):
    assert can_connect("lan", CAMERA, CAMERA_PORT)
    for address in (CAMERA, "100.72.14.88", "203.0.113.45"):
        assert not can_connect("net", address, CAMERA_PORT)


@pytest.mark.parametrize("protocol, transport", [("rtsp", "tcp"), ("rtsp", "udp"),
                                                 ("rtsps", "tcp"), ("hls", "tcp")])
def test_the_camera_is_watched_from_outside(urls, protocol, transport):
    if protocol not in urls:
        pytest.skip(f"the server has no {protocol}")
    played = watch(urls[protocol], transport=transport)
    assert played.video >= 100 and played.audio > 0, played.text


def test_lost_packets_cost_no_pictures(house, urls):
    house("impair", 2)
    played = watch(urls["rtsp"], 8, patience=40)
    assert played.video >= 150, played.text


def test_an_uplink_too_narrow_still_shows_pictures_and_recovers(house, urls):
    viewer_began = time.monotonic()
    house("impair", 0, "800kbit")
    narrow = watch(urls["rtsp"], 15, patience=25)
    assert narrow.video > 20, narrow.text
    house("clear")
    plays_within(urls["rtsp"], 20)
    assert time.monotonic() - viewer_began < 75


def test_a_cut_link_is_noticed_and_its_mending_too(house, lab, urls):
    plays_within(urls["rtsp"], 20)
    house("cut")
    rigs.wait_until(lambda: not lab.is_agent_online(), 17, "the server to notice the cut")
    time.sleep(4)  # the lane has a clock of its own
    refused = watch(urls["rtsp"], 2, patience=20)
    assert not refused and "503" in refused.text, refused.text
    house("mend")
    began = time.monotonic()
    lab.wait_agent(35)
    plays_within(urls["rtsp"], 20)
    assert time.monotonic() - began < 45


def test_a_nat_that_forgets_is_survived(house, lab, urls):
    plays_within(urls["rtsp"], 20)
    house("forget")
    time.sleep(16)
    lab.wait_agent(35)
    plays_within(urls["rtsp"], 20)
