"""WebRTC on a path that takes half of what the camera sends (impair.py), with a decoder at its end: whole
groups of pictures are lost and none is torn, what comes is not old, and a path that widens is used."""
import contextlib
import time

import pytest
from impair import Impairment, ThinTcp
from test_webrtc_loss import EVERYWHERE, playing, worker_ports

SECONDS = 20
THIN_BPS, WIDE_BPS = 1_000_000, 10_000_000
SETTLED = 3  # seconds from the first picture, or from a change of the path, until all is as it should be
GROUP = 2
LATE = 1.0


def pictures_between(network, since, until):
    return [late for now, late in network.arrivals.pictures() if since < now < until]


@contextlib.contextmanager
def widened(networks, seconds):
    """Thin at first; yields when they have become wide, as {network: (its first picture, then)}."""
    began = {}
    deadline = time.monotonic() + 12
    while len(began) < len(networks):
        assert time.monotonic() < deadline, "no picture came"
        for network in networks:
            if network.arrivals.seen:
                began.setdefault(network, network.arrivals.seen[0][0])
        time.sleep(0.05)
    time.sleep(max(0, max(began.values()) + seconds - time.monotonic()))
    for network in networks:
        network.rate = WIDE_BPS
    at = time.monotonic()
    yield {network: (start, at) for network, start in began.items()}


def assert_bounded(network, began, widened_at, ended):
    """What came was never a second old, and each group of pictures began to come; then all came."""
    thin = pictures_between(network, began + SETTLED, widened_at)
    assert thin and max(thin) < LATE, thin
    times = [began, *(now for now, _late in network.arrivals.pictures() if now < widened_at)]
    pauses = [b - a for a, b in zip(times, times[1:]) if a > began + SETTLED]
    assert max(pauses) < GROUP + 0.5, pauses
    wide = pictures_between(network, widened_at + SETTLED, ended)
    assert len(wide) > 0.9 * 25 * (ended - widened_at - SETTLED), len(wide)
    assert max(wide) < 0.5, wide


@EVERYWHERE
@pytest.mark.timeout(90)
def test_a_thin_path_loses_whole_groups_and_widens_again(own_relay):
    own_relay.camera("door", gop=50, audio="none", bitrate=2000)
    url = own_relay.urls("door", own_relay.token()["token"])["whep"]
    ports = worker_ports(own_relay)
    with contextlib.ExitStack() as stack:
        udp = stack.enter_context(Impairment(ports, delay=0.025, rate=THIN_BPS))
        tcp = stack.enter_context(ThinTcp(ports, THIN_BPS))
        runs = [stack.enter_context(playing("gst", url, network, SECONDS, *words))
                for network, words in ((udp, ["--twcc"]), (tcp, ["--tcp"]))]
        spans = stack.enter_context(widened([udp, tcp], 8))
        time.sleep(6)
        ended = time.monotonic()
    for network, process in zip((udp, tcp), runs):
        print(process.args[-1], process.told)
        assert_bounded(network, *spans[network], ended)
        assert process.told["torn"] == 0, process.told
