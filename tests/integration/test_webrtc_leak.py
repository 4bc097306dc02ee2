"""Viewers who come and go by WebRTC leave nothing behind.

A hundred visits after 25; `make soak-webrtc` (LEAK_VISITS=1000) makes it a thousand, after 200.
"""
import json
import os
import time

import players
import pytest
import rig as rigs
from whep_rig import descriptors, rss_kb

VISITS = int(os.environ.get("LEAK_VISITS") or 100)
WARM_UP = 200 if VISITS >= 1000 else VISITS // 4
GROWTH_KB = 4096  # a viewer takes some 110: of 100 forgotten ones nothing would hide in this


def visit(url, count):
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "whep/visit.py")
    output, errors = players.run(["/usr/bin/python3", "-B", script, url, str(count)], 20 + count / 2)
    made = json.loads(output or "{}")
    assert made.get("connected") == count, f"{made} {errors[-2000:]}"


@pytest.mark.timeout(0)
def test_visits_leave_neither_descriptors_nor_memory(relay, token):
    child = relay.start_camera()
    relay.add_camera("visited", child.url, "--always-on", "yes")
    relay.wait_state("visited", ["live"])
    url, server = relay.urls("visited", token)["whep"], relay.server
    visit(url, WARM_UP)
    time.sleep(1)
    before = descriptors(server), rss_kb(server)
    visit(url, VISITS)
    rigs.wait_until(lambda: descriptors(server) <= before[0], 8,
                    lambda: f"{descriptors(server)} descriptors to become {before[0]} again")
    grown = rss_kb(server) - before[1]
    print(f"{VISITS} visits: {before[0]} descriptors before, {descriptors(server)} after; "
          f"{before[1]} kB before, {grown:+} kB after")
    relay.remove_camera("visited")
    child.stop()
    relay.cameras.remove(child)
    assert rigs.IS_SANITIZED or grown <= GROWTH_KB, f"{before[1]} kB grew by {grown}"
