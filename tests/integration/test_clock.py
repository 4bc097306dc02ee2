"""Wall clocks that are wrong, or jump: no viewer is lost, no timer runs wild, no agent stays away."""
import glob
import os
import re
import threading
import time

import conftest
import players
import pytest
import rig as rigs

LIBRARY = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)
pytestmark = [
    pytest.mark.skipif(not LIBRARY, reason="libfaketime is not installed"),
    pytest.mark.skipif(rigs.IS_SANITIZED,
                       reason="a sanitizer must be the first library of a process"),
]
HOUR, YEAR = 3600, 365 * 86400
BOOT = "@1970-01-01 00:00:01"  # as when there is no battery, and counting from there


class Clock:
    """The wall clock of a process that is started by its command; the monotonic one stays right."""

    def __init__(self, folder, name):
        os.makedirs(folder, exist_ok=True)
        self.path = os.path.join(folder, f"{name}.clock")
        self.command = ["env", f"LD_PRELOAD={LIBRARY}", "FAKETIME_DONT_FAKE_MONOTONIC=1",
                        "DONT_FAKE_MONOTONIC=1", "FAKETIME_NO_CACHE=1", "TZ=UTC",
                        f"FAKETIME_TIMESTAMP_FILE={self.path}"]

    def set(self, text):
        """+3600 is an hour ahead of the truth, @… a start to count from."""
        with open(self.path + ".new", "w", encoding="ascii") as file:
            file.write(f"{text}\n" if isinstance(text, str) else f"{text:+d}\n")
        os.replace(self.path + ".new", self.path)


@pytest.fixture
def clocks():
    """A relay whose server and agent think it is 1970, and their two clocks."""
    folder = os.path.join(conftest.FOLDER, "clock")
    rigs.subprocess.run(["rm", "-rf", folder], check=True)
    made = {name: Clock(folder, name) for name in ("server", "agent")}
    for clock in made.values():
        clock.set(BOOT)
    rig = rigs.Rig(folder, wraps={name: clock.command for name, clock in made.items()})
    conftest.running.append(rig)
    try:
        rig.start()
        rig.wait_agent()
        yield rig, made["server"], made["agent"]
        conftest.stop_rig(rig)
    finally:
        rig.close()


def cpu_seconds(child):
    with open(f"/proc/{child.pid}/stat", encoding="ascii") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def years_in(log):
    return {int(year) for year in re.findall(r"^(\d{4})-", log, re.M)}


def is_allowed(rig, urls):
    """The server's answer now to a token, asked for a playlist's headers."""
    host, path = re.match(r"https?://[^:]+:(\d+)(/.*)", urls["hls"]).groups()
    done = rigs.subprocess.run(["curl", "-sk", "-m", "15", "-o", "/dev/null", "-w", "%{http_code}",
                                f"https://127.0.0.1:{host}{path}"], capture_output=True, text=True, check=True)
    return done.stdout == "200"


def test_clocks_that_jump_cost_no_viewer_and_no_agent(clocks):
    rig, server, agent = clocks
    child = rig.camera("door")
    plain = rig.urls("door", rig.token()["token"])
    short = rig.urls("door", rig.token("two hours", "--valid-for", "2h")["token"])
    played = {}

    def watch(name):
        played[name] = players.ffmpeg(plain[name], 6, patience=25)

    viewers = [threading.Thread(target=watch, args=(name,)) for name in ("rtsp", "hls")]
    for viewer in viewers:
        viewer.start()
    rig.wait_state("door", ["live"])
    before = {process: (cpu_seconds(process), len(process.log())) for process in (rig.server, rig.agent)}
    began = time.monotonic()
    for offset, allowed in ((HOUR, True), (3 * HOUR, False), (-HOUR, True), (10 * YEAR, False),
                            (-10 * YEAR, True), (0, True)):
        server.set(offset)
        agent.set(offset)
        time.sleep(0.7)  # expired tokens are looked for twice a second
        assert is_allowed(rig, short) == allowed, f"{offset} s"
        assert rig.is_agent_online(), f"{offset} s"
    passed = time.monotonic() - began
    for process, (cpu, length) in before.items():
        assert cpu_seconds(process) - cpu < passed / 4, f"{process.name} is busy"
        assert len(process.log()) - length < 20000, f"{process.name} talks too much"
    for viewer in viewers:
        viewer.join()
    assert played["rtsp"].video >= 120 and played["hls"].video >= 120, played
    assert {1970, time.gmtime().tm_year} < years_in(rig.server.log())
    assert rig.agent.log().count(" connection-lost ") == 0

    # An agent that starts again with a clock far ahead, and then far behind what it wrote down.
    for offset in (10 * YEAR, -10 * YEAR):
        rig.agent.stop()
        agent.set(offset)
        rig.start_agent()
        rig.wait_agent()
    assert players.ffmpeg(plain["rtsp"], 1, patience=15)
    assert child.is_running()
