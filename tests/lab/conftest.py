"""The lab: a relay whose camera and agent are behind carrier-grade NAT, its server outside."""
import os
import subprocess
import sys

import pytest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../integration"))
import rig as rigs  # noqa: E402

PREFIX = "cv"
SERVER, CAMERA = "203.0.113.1", "192.168.1.10"
CAMERA_PORT = 8555


def cgnat(*words):
    return subprocess.run([f"{HERE}/cgnat", *map(str, words)], capture_output=True, text=True,
                          timeout=30, check=False, env={**os.environ, "CGNAT_PREFIX": PREFIX})


def place(name):
    """What goes before a command to run it there."""
    return ["ip", "netns", "exec", f"{PREFIX}-{name}"]


@pytest.fixture(scope="session")
def house():
    made = cgnat("up")
    if made.returncode != 0:
        cgnat("down")
        pytest.skip(f"no network namespaces here: {made.stderr.strip().splitlines()[-1:]}")
    yield cgnat
    cgnat("down")


@pytest.fixture(scope="session")
def lab(house):
    folder = os.path.join(rigs.ROOT, "build/lab")
    subprocess.run(["rm", "-rf", folder], check=True)
    rig = rigs.Rig(folder, host=SERVER, server_options=[], agent_options=[],
                   ports={"https": 443, "http": 80, "rtsp": 8554, "rtsps": 8322},
                   wraps={"server": place("net"), "agent": place("lan"), "camera": place("lan")})
    try:
        rig.start()
        rig.wait_agent()
        rig.camera("front-door", address=CAMERA, port=CAMERA_PORT, bitrate=1500)
        yield rig
    finally:
        wrong = rig.close()
    assert not wrong, "\n".join(wrong)


@pytest.fixture(scope="session")
def urls(lab):
    return lab.urls("front-door", lab.token()["token"])


@pytest.fixture(autouse=True)
def link_as_new(house):
    house("mend")
    house("clear")
    yield
    house("mend")
    house("clear")
