"""hls.js in Debian's Chromium: pictures are decoded, and they are less than a second old."""
import json
import os
import shutil
import statistics
import subprocess

import pytest
import rig as rigs

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "browser")
LATENCY_S = 1.0 if not os.environ.get("CI") else 2.5  # CI lints on the same two cores
FOLDER = os.path.join(rigs.ROOT, "build/browser")


@pytest.fixture(scope="module")
def modules():
    """The folder whose node_modules has what package-lock.json names."""
    for tool in ("node", "npm", "chromium"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    os.makedirs(FOLDER, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(HERE, name), FOLDER)
    if not os.path.isdir(os.path.join(FOLDER, "node_modules/hls.js")):
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=FOLDER,
                       check=True, timeout=120, capture_output=True)
    return FOLDER


def play(modules, url, seconds):
    done = subprocess.run(["node", os.path.join(HERE, "play.mjs"), modules, url, str(seconds)],
                          capture_output=True, text=True, timeout=seconds + 60, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def is_live(seen):
    settled = seen["latencies"][len(seen["latencies"]) // 2:]
    return (seen["width"] == 640 and seen["frames"] >= 200 and settled
            and statistics.median(settled) <= LATENCY_S
            and not [error for error in seen["errors"] if "fatal" in error])


def test_hls_js_shows_the_live_edge_in_chromium(relay, token, camera, modules):
    slug = camera(gop=25)
    url = relay.urls(slug, token)["hls"]
    for _ in range(4):  # the linters run beside: a machine that is busy gets another try
        seen = play(modules, url, 14)
        if is_live(seen):
            return
    assert is_live(seen), seen
