"""WebRTC on a bad network (impair.py): what retransmission can mend doesn't freeze, and a viewer
whose path is too thin stays near the live edge. Longer: `make soak-loss MINUTES=10`."""
import contextlib
import json
import os
import subprocess

import pytest
from impair import DOWN, RTCP_FEEDBACK, RTCP_REPORT, UP, Impairment

WHEP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "whep")
MINUTES = float(os.environ.get("SOAK_LOSS_MINUTES") or 0)
SECONDS = MINUTES * 60 or 12
# libnice doesn't send from a machine's address to its loopback, which is all that it takes.
EVERYWHERE = pytest.mark.parametrize(
    "own_relay", ({"server_options": ["--listen", "0.0.0.0"]},), indirect=True)


@contextlib.contextmanager
def playing(player, url, network, seconds, *words):
    """The player's process; what it has told afterwards stands in its .told."""
    command = ["/usr/bin/python3", "-B", f"{WHEP}/{player}_loss.py", url, str(seconds),
               "--port-offset", str(network.offset), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        try:
            yield process
            output, errors = process.communicate(timeout=seconds + 30)
        finally:
            process.kill()
    assert process.returncode == 0 and output, errors[-3000:]
    process.told = json.loads(output.splitlines()[-1])


def worker_ports(rig):
    first = rig.ports["webrtc"]
    return range(first, first + (os.cpu_count() or 1))


def unmended(told, network):
    """The freezes in which neither a request for a retransmission nor one itself was lost."""
    packets = sorted(network.ssrcs, key=network.ssrcs.get)
    retransmissions = packets[0] if len(packets) > 1 else None

    def is_mishap(end, ms):
        since = end - ms / 1000 - 0.2
        return (network.dropped(since, end, DOWN, "rtp", retransmissions) or
                network.dropped(since, end, UP, RTCP_FEEDBACK) or
                network.dropped(since, end, UP, RTCP_REPORT))

    return [gap for gap in told["gaps"] if not is_mishap(*gap)]


@EVERYWHERE
@pytest.mark.timeout(SECONDS + 60)
def test_what_retransmission_mends_does_not_freeze(own_relay):
    own_relay.camera("door", gop=50, audio="none")
    url = own_relay.urls("door", own_relay.token()["token"])["whep"]
    with contextlib.ExitStack() as stack:
        runs = []
        for player in ("aiortc", "gst"):
            network = stack.enter_context(
                Impairment(worker_ports(own_relay), loss=0.05, delay=0.05))
            runs.append((network, stack.enter_context(
                playing(player, url, network, SECONDS))))
    for network, process in runs:
        told = process.told
        print(process.args[2], told, network.figures())
        assert told["video"] > 25 * (0.98 * SECONDS - 9), told  # libnice takes 5 s to connect
        assert network.figures()["dropped"], "the network was good"
        assert not unmended(told, network), told
