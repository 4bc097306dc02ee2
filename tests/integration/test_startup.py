"""How the server begins and ends: one line that names what is wrong, and a status that is not 0."""
import os
import signal
import socket
import sqlite3
import subprocess
import threading
import time

import players
import pytest
import rig as rigs

BUILD = os.environ.get("CULVERT_BUILD") or os.path.join(rigs.ROOT, "build/release")


def serve(folder, *options, seconds=10):
    """culvert serve on free ports, which should end by itself: (status, what it said)."""
    ports = [word for name, port in rigs.free_ports().items() for word in (f"--{name}-port", str(port))]
    command = [f"{BUILD}/culvert", "serve", "--data-dir", str(folder), "--listen", "127.0.0.1",
               *ports, *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False,
                          env={"PATH": os.environ["PATH"]})
    return done.returncode, done.stderr


def assert_says(result, *words):
    status, said = result
    assert status != 0
    lines = [line for line in said.splitlines() if all(word in line for word in words)]
    assert lines, said


@pytest.mark.parametrize("options, word", [
    (["--no-such-option", "1"], "no-such-option"), (["--workers", "many"], "workers"),
    (["--workers", "65"], "workers"), (["--log-format", "xml"], "log-format"), (["stray"], "stray"),
    (["--config", "/no/such/file"], "/no/such/file"), (["--listen", "nowhere"], "nowhere"),
    (["--tls-cert", "/no/such.pem"], "tls-cert"), (["--webrtc-stun", "turn:a"], "webrtc-stun")])
def test_a_wrong_option_is_named(tmp_path, options, word):
    assert_says(serve(tmp_path, *options), word)


def test_a_wrong_line_of_the_file_is_named(tmp_path):
    config = tmp_path / "culvert.conf"
    config.write_text("# fine\nworkers = 1\nhttps-prot = 4\n", encoding="utf-8")
    assert_says(serve(tmp_path), "https-prot", "3")


def test_an_unwritable_folder_is_named():
    assert_says(serve("/proc/culvert"), "/proc/culvert")


def test_a_port_in_use_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert_says(serve(tmp_path, "--rtsp-port", port), str(port))


def test_a_newer_and_a_broken_database_are_refused(tmp_path):
    path = tmp_path / "culvert.db"
    with sqlite3.connect(path) as made:
        made.execute("PRAGMA user_version = 9999")
        made.execute("CREATE TABLE something (x)")
    assert_says(serve(tmp_path), "culvert.db")
    for name in os.listdir(tmp_path):
        os.unlink(tmp_path / name)
    path.write_bytes(b"this is no database" * 100)
    assert_says(serve(tmp_path), "culvert.db")


def test_help_and_version_and_config_work_without_a_server():
    for words in (["help"], ["--help"], ["version"], ["config"], ["serve", "--help"]):
        done = subprocess.run([f"{BUILD}/culvert", *words], capture_output=True, text=True,
                              timeout=10, check=False, env={"PATH": os.environ["PATH"]})
        assert done.returncode == 0 and done.stdout, words
    assert "--rtsp-port" in subprocess.run([f"{BUILD}/culvert", "help"], capture_output=True,
                                           text=True, timeout=10, check=True).stdout


def test_sighup_reloads_and_says_what_it_could_not(own_relay):
    config = own_relay.path("server/culvert.conf")
    with open(config, "w", encoding="utf-8") as file:
        file.write("log-level = debug\nworkers = 3\n")
    own_relay.server.process.send_signal(signal.SIGHUP)
    own_relay.server.expect("option-needs-restart option=workers")
    own_relay.server.expect("option-reloaded option=log-level")
    with open(config, "w", encoding="utf-8") as file:
        file.write("log-level = loud\n")
    own_relay.server.process.send_signal(signal.SIGHUP)
    own_relay.server.expect("options-kept")


@pytest.mark.parametrize("own_relay", [{"server_options": ["--listen", "127.0.0.1", "--drain-time",
                                                           "3s"]}], indirect=True)
def test_sigterm_lets_viewers_go_on_for_a_while(own_relay):
    camera = own_relay.start_camera()
    own_relay.add_camera("door", camera.url)
    url = own_relay.urls("door", own_relay.token()["token"])["rtsp"]
    played = {}
    viewer = threading.Thread(target=lambda: played.update(it=players.ffmpeg(url, 4, patience=15)))
    viewer.start()
    own_relay.server.expect("admitted")
    time.sleep(0.5)
    began = time.monotonic()
    own_relay.server.process.send_signal(signal.SIGTERM)
    assert own_relay.server.process.wait(10) == 0
    assert time.monotonic() - began < 6
    viewer.join()
    assert played["it"].video >= 20
    own_relay.start_server()
