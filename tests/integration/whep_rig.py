"""What the WHEP tests share: requests as they come from a page, and a relay's figures."""
import functools
import json
import os
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

import rig as rigs

FRAGMENT = "application/trickle-ice-sdpfrag"
OFFERS = os.path.join(rigs.ROOT, "tests/unit/egress/webrtc/offers")
CONTEXT = ssl.create_default_context()
CONTEXT.check_hostname, CONTEXT.verify_mode = False, ssl.CERT_NONE


@functools.cache
def offer(name="chromium"):
    """A real offer, as bytes."""
    with open(f"{OFFERS}/{name}.sdp", "rb") as file:
        return file.read().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


@dataclass
class Answer:
    status: int
    headers: dict  # an email.message.Message: names in any case
    body: str

    @property
    def problem(self):
        assert self.headers["Content-Type"] == "application/problem+json", self
        return json.loads(self.body)

    def value(self, name):
        """Of the answer's "a=name:value" the first; "" without one."""
        found = re.search(rf"^a={name}:(.*?)\r?$", self.body, re.M)
        return found.group(1) if found else ""

    def candidates(self, way):
        """[(address, port)] of the candidates over "udp" or "tcp"."""
        return [(words[4], int(words[5]))
                for words in (line.split() for line in self.body.splitlines()
                              if line.startswith("a=candidate:")) if words[2].lower() == way]


class Whep:
    """One camera's WHEP address, and the token that its requests show."""

    def __init__(self, relay, slug, token):
        self.relay, self.token = relay, token
        self.url = relay.urls(slug, "")["whep"].split("?")[0]

    def ask(self, method, path="", body=None, token=None, **headers):
        """path is a Location, or "" for the camera's own; token="" shows none."""
        token = self.token if token is None else token
        headers = {name.replace("_", "-"): value for name, value in headers.items() if value}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(urllib.parse.urljoin(self.url, path) if path else self.url,
                                         body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30, context=CONTEXT) as response:
                return Answer(response.status, response.headers, response.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read().decode())

    def post(self, body=None, token=None, **headers):
        return self.ask("POST", "", offer() if body is None else body, token,
                        **{"Content_Type": "application/sdp", **headers})

    def patch(self, location, body, token=None, kind=FRAGMENT):
        return self.ask("PATCH", location, body, token, Content_Type=kind)

    def delete(self, location, token=None):
        return self.ask("DELETE", location, None, token)


def descriptors(child):
    return len(os.listdir(f"/proc/{child.pid}/fd"))


def rss_kb(child):
    with open(f"/proc/{child.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
