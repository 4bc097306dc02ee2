"""A server whose disk is full: hostile.md's C12 and "Disk full or read-only during play"."""
import json
import os
import subprocess
import threading

import conftest
import players
import pytest
import rig as rigs

FILLER = "filler"


@pytest.fixture(scope="module")
def small():
    """A relay whose server's files are on a disk of 3 MB."""
    rig = rigs.Rig(os.path.join(conftest.FOLDER, "disk"))
    disk = rig.path("server")
    os.makedirs(disk, exist_ok=True)
    subprocess.run(["umount", "-ql", disk], check=False, stderr=subprocess.DEVNULL)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=700", "tmpfs", disk], check=False,
                      stderr=subprocess.DEVNULL).returncode:
        pytest.skip("may not mount a disk here")
    conftest.running.append(rig)
    try:
        rig.start()
        rig.wait_agent()
        rig.camera("door")
        yield rig
        conftest.stop_rig(rig)
    finally:
        rig.close()
        subprocess.run(["umount", "-l", disk], check=True)


def fill(rig):
    """Takes all that is left of the disk."""
    with open(rig.path("server/" + FILLER), "wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError as error:
            assert error.errno == 28


def make_room(rig):
    os.unlink(rig.path("server/" + FILLER))


def ask(rig, method, path, body=None):
    """(status, content type, answer) of the local API."""
    more = ["-H", "content-type: application/json", "-d", json.dumps(body)] if body else []
    done = subprocess.run(
        ["curl", "-s", "-m", "10", "-X", method, "--unix-socket", rig.path("server/api.sock"),
         "-w", "\n%{http_code} %{content_type}", *more, f"http://x/api/v1/{path}"],
        capture_output=True, text=True, check=True)
    text, line = done.stdout.rsplit("\n", 1)
    status, kind = line.split(" ", 1)
    return int(status), kind, json.loads(text) if text.strip() else None


def add_token(rig):
    return ask(rig, "POST", "tokens", {"label": "more"})


def test_c12_a_full_disk_refuses_writes_and_costs_no_viewer(small):
    urls, played = small.urls("door", small.token()["token"]), {}
    code = small.cli("agent", "code", "second")["code"]

    def watch(name, seconds):
        played[name] = players.ffmpeg(urls[name], seconds, patience=seconds + 15)

    first = threading.Thread(target=watch, args=("rtsp", 6))
    first.start()
    small.wait_state("door", ["live"])
    fill(small)
    for method, path, body in (("POST", "tokens", {"label": "x"}), ("DELETE", "cameras/door", None),
                               ("PATCH", "cameras/door", {"name": "Other"}),
                               ("POST", "agents/codes", {"name": "third"})) * 2:
        status, kind, answer = ask(small, method, path, body)
        assert (status, kind) == (507, "application/problem+json"), answer
        assert "disk is full" in answer["detail"]
    assert "disk is full" in str(pytest.raises(rigs.Failure, small.token, "by hand").value)
    assert ask(small, "GET", "cameras/door")[2]["name"] == "Door"
    enrol = subprocess.run([f"{small.build}/culvert-agent", "enroll", code, "--state-dir",
                            small.path("second")], capture_output=True, text=True, timeout=20,
                           check=False, env=rigs.ENVIRONMENT)
    assert enrol.returncode != 0 and "try again" in enrol.stderr
    watch("hls", 2)  # one who comes while it is full
    log = small.server.log()
    assert log.count(" write-failed ") == 1 and log.count(" error ") == 1, log
    make_room(small)
    rigs.wait_until(lambda: add_token(small)[0] == 201, 5, "writes to be possible again")
    first.join()
    assert played["rtsp"].video >= 120 and played["hls"].video >= 30
    assert small.server.log().count(" write-recovered ") == 1


def test_c12_it_fills_and_empties_again_and_starts_when_full(small):
    for _ in range(3):
        fill(small)
        assert add_token(small)[0] == 507
        make_room(small)
        assert add_token(small)[0] == 201
    count = len(small.cli("token", "list"))
    fill(small)
    assert small.server.stop() == 0
    small.start_server()
    small.wait_agent()
    assert len(small.cli("token", "list")) == count
    urls = small.urls("door", small.cli("token", "show", small.cli("token", "list")[0]["id"])["token"])
    assert players.ffmpeg(urls["rtsp"], 1, patience=15)
    make_room(small)
    rigs.wait_until(lambda: add_token(small)[0] == 201, 5, "writes to be possible again")
