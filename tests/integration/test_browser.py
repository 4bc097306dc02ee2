"""hls.js in Debian's Chromium: pictures are decoded, and they are less than a second old."""
import json
import os
import shutil
import statistics
import subprocess

import pytest
import rig as rigs

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "browser")
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


def test_hls_js_shows_the_live_edge_in_chromium(relay, token, camera, modules):
    slug = camera(gop=25)
    seen = play(modules, relay.urls(slug, token)["hls"], 14)
    assert not [error for error in seen["errors"] if "fatal" in error], seen["errors"]
    assert seen["width"] == 640
    assert seen["frames"] >= 200, seen
    settled = seen["latencies"][len(seen["latencies"]) // 2:]
    assert statistics.median(settled) <= 1.0, seen["latencies"]
    assert statistics.median(seen["drifts"][len(seen["drifts"]) // 2:]) <= 1.2, seen["drifts"]
