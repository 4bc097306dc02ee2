"""Debian's Firefox, headless, driven by Marionette: the protocol beneath its WebDriver."""
import json
import os
import shutil
import socket
import subprocess
import tempfile

import rig as rigs

PREFERENCES = {
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    # WebRTC's H.264 comes from a plugin that is downloaded, or from the machine's decoder: take that,
    # whatever the machine's graphics are.
    "media.webrtc.hw.h264.enabled": True,
    "media.navigator.mediadatadecoder_h264_enabled": True,
    "gfx.blacklist.webrtc.hw.acceleration.h264": 1,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.auto": False,
    "browser.shell.checkDefaultBrowser": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
}


class Firefox:
    """with Firefox() as browser: browser.go(url); browser.run("return …")"""

    def __init__(self, **preferences):
        self.preferences = {**PREFERENCES, **preferences}
        self.process = self.socket = self.folder = None
        self.asked, self.rest = 0, b""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="culvert-firefox-")
        port = rigs.free_port()
        with open(f"{self.folder}/user.js", "w", encoding="utf-8") as file:
            for name, value in {**self.preferences, "marionette.port": port}.items():
                file.write(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n")
        self.process = subprocess.Popen(
            ["firefox-esr", "--headless", "--no-remote", "--marionette", "--profile", self.folder],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**rigs.ENVIRONMENT, "HOME": self.folder}, start_new_session=True,
            preexec_fn=rigs.die_with_parent)
        try:
            rigs.wait_until(lambda: self.connect(port), 40, "Firefox to listen")
            self.read()
            self.ask("WebDriver:NewSession", acceptInsecureCerts=True)
            self.ask("WebDriver:SetTimeouts", script=60000, pageLoad=30000)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.socket:
            self.socket.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, port):
        try:
            self.socket = socket.create_connection(("127.0.0.1", port), timeout=70)
            return True
        except OSError:
            return False

    def read(self):
        """The next message: its length, a colon, JSON."""
        while b":" not in self.rest:
            self.rest += self.receive()
        length, self.rest = self.rest.split(b":", 1)
        while len(self.rest) < int(length):
            self.rest += self.receive()
        message, self.rest = self.rest[:int(length)], self.rest[int(length):]
        return json.loads(message)

    def receive(self):
        piece = self.socket.recv(65536)
        if not piece:
            raise rigs.Failure("Firefox closed the connection")
        return piece

    def ask(self, command, **parameters):
        self.asked += 1
        message = json.dumps([0, self.asked, command, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self.read()
        if error:
            raise rigs.Failure(f"Firefox: {command}: {error.get('message')}")
        return result

    def go(self, url):
        self.ask("WebDriver:Navigate", url=url)

    def run(self, script):
        """What the body of an async function in the page returns."""
        body = f"""const done = arguments[arguments.length - 1];
            (async () => {{ {script} }})().then((value) => done({{value}}),
                (error) => done({{error: String(error)}}))"""
        result = self.ask("WebDriver:ExecuteAsyncScript", script=body, args=[],
                          newSandbox=False, sandbox=None)["value"]
        if "error" in result:
            raise rigs.Failure(f"Firefox: the script failed: {result['error']}")
        return result["value"]


def is_installed():
    return os.path.exists("/usr/bin/firefox-esr")
