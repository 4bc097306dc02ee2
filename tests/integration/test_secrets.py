"""Canaries in every secret's place: none may turn up where anybody could read it."""
import json
import os
import subprocess

import players
import pytest

PASSWORD = "canary-pass-7Qx"


@pytest.mark.parametrize("own_relay", [{"server_options": ["--listen", "127.0.0.1", "--log-level",
                                                           "debug"],
                                        "agent_options": ["--allow-loopback", "--log-level",
                                                          "debug"]}], indirect=True)
def test_no_secret_is_where_it_can_be_read(own_relay):
    rig = own_relay
    camera = rig.start_camera(user="admin", password=PASSWORD)
    assert PASSWORD in camera.url
    added = rig.cli("camera", "add", rig.agent_id, "door", "-", text=camera.url)
    made = rig.token("secret", "--srt-passphrase")
    mac = made["token"].split("_")[2]
    urls = rig.urls("door", made["token"])
    assert players.ffmpeg(urls["rtsp"], 2)
    assert players.ffmpeg(urls["hls"], 2)
    assert players.ffmpeg(f"{urls['srt']}&passphrase={made['srt_passphrase']}", 1)
    players.ffmpeg(f"{urls['srt']}&passphrase=not-{made['srt_passphrase']}", 1, patience=5)
    players.ffmpeg(urls["rtsp"].replace(mac, "f" * 32), 1, patience=5)
    code = rig.cli("agent", "code", "other")["code"]

    haystacks = {"server log": rig.server.log(), "agent log": rig.agent.log(),
                 "camera add": json.dumps(added), "cameras": json.dumps(rig.cli("camera", "list")),
                 "tokens": json.dumps(rig.cli("token", "list")),
                 "agents": json.dumps(rig.cli("agent", "list")),
                 "status": json.dumps(rig.cli("status"))}
    for child in (rig.server, rig.agent):
        with open(f"/proc/{child.pid}/cmdline", encoding="utf-8", errors="replace") as file:
            haystacks[f"{child.name} arguments"] = file.read()
    for name in os.listdir(rig.path("server")):
        if name.startswith("culvert.db"):
            with open(os.path.join(rig.path("server"), name), encoding="latin-1") as file:
                haystacks[name] = file.read()
    for where, text in haystacks.items():
        for secret in (PASSWORD, mac, code, made["srt_passphrase"]):
            assert secret not in text, f"a secret is in {where}"


def test_files_with_secrets_are_their_owners_alone(relay):
    for name in ("token.key", "tls.key", "api.sock"):
        assert os.stat(os.path.join(relay.path("server"), name)).st_mode & 0o077 == 0, name
    for folder, _, names in os.walk(relay.path("agent")):
        assert os.stat(folder).st_mode & 0o077 == 0
        for name in names:
            assert os.stat(os.path.join(folder, name)).st_mode & 0o077 == 0, name


def test_every_answer_has_the_headers_that_keep_browsers_safe(relay):
    url = f"https://127.0.0.1:{relay.ports['https']}"
    for path in ("/healthz", "/nothing", "/hls/x/index.m3u8"):
        head = subprocess.run(["curl", "-sk", "-o", "/dev/null", "-D", "-", url + path], text=True,
                              capture_output=True, check=True, timeout=10).stdout.lower()
        for header in ("x-content-type-options: nosniff", "referrer-policy: no-referrer",
                       "content-security-policy:"):
            assert header in head, path


def test_the_api_is_not_on_the_network(relay):
    done = subprocess.run(["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}",
                           f"https://127.0.0.1:{relay.ports['https']}/api/v1/tokens"], text=True,
                          capture_output=True, check=True, timeout=10)
    assert done.stdout == "404"
