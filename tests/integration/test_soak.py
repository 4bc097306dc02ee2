"""Minutes of faults, over and over: `make soak MINUTES=10`. Each protocol shows pictures again after
each fault, and neither descriptors nor memory grow."""
import os
import signal
import time

import pytest
from test_recovery import descriptors, plays_again, restart

MINUTES = float(os.environ.get("SOAK_MINUTES") or 0)
SLUG = "soak"
PLAYED = ("rtsp", "rtsps", "hls", "rtmp", "srt")


def rss_kb(child):
    with open(f"/proc/{child.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def camera_drops_out(rig):
    rig.cameras[0].kill()
    time.sleep(3)
    restart(rig, rig.cameras[0])


def agent_is_killed(rig):
    rig.agent.process.send_signal(signal.SIGKILL)
    rig.agent.process.wait()
    restart(rig, rig.agent)


def server_is_restarted(rig):
    assert rig.server.stop() == 0
    rig.start_server()


def nothing_happens(_rig):
    time.sleep(2)


FAULTS = [nothing_happens, camera_drops_out, agent_is_killed, nothing_happens,
          server_is_restarted]


def resources(rig):
    """{name: (pid, descriptors, kB)}: comparable only while the pid is the same."""
    return {child.name: (child.pid, descriptors(child), rss_kb(child))
            for child in (rig.server, rig.agent)}


def assert_no_growth(before, after):
    for name, (pid, count, kilobytes) in after.items():
        first = before.setdefault(name, (pid, count, kilobytes))
        if first[0] != pid:
            before[name] = (pid, count, kilobytes)
            continue
        assert count <= first[1] + 6, f"{name}: {first[1]} descriptors became {count}"
        assert kilobytes <= first[2] * 1.25 + 8192, f"{name}: {first[2]} kB became {kilobytes}"


@pytest.mark.timeout(0)
@pytest.mark.skipif(not MINUTES, reason="make soak MINUTES=10 runs it")
def test_every_protocol_comes_back_after_every_fault_without_growth(own_relay):
    own_relay.camera(SLUG)
    urls = own_relay.urls(SLUG, own_relay.token()["token"])
    end, rounds, before = time.monotonic() + 60 * MINUTES, 0, {}
    while time.monotonic() < end:
        fault = FAULTS[rounds % len(FAULTS)]
        fault(own_relay)
        took = {name: plays_again(urls[name], 45) for name in PLAYED if name in urls}
        print(f"{fault.__name__}: " + ", ".join(f"{name} {seconds:.1f} s"
                                                for name, seconds in took.items()), flush=True)
        time.sleep(1)
        assert_no_growth(before, resources(own_relay))
        rounds += 1
    assert rounds
