"""What aiortc_loss.py and gst_loss.py share: WHEP through ../impair.py, and when frames came."""
import argparse
import re
import ssl
import urllib.parse
import urllib.request

CONTEXT = ssl.create_default_context()
CONTEXT.check_hostname, CONTEXT.verify_mode = False, ssl.CERT_NONE


def words(*flags):
    parser = argparse.ArgumentParser()
    for flag in flags:
        parser.add_argument(flag, action="store_true")
    parser.add_argument("url")
    parser.add_argument("seconds", type=float)
    parser.add_argument("--port-offset", type=int, default=0, help="of the way through impair.py")
    return parser.parse_args()


def rewrite(answer, offset, way):
    """The answer with only candidates over IPv4 of that way, their ports moved by so many."""
    lines = []
    for line in answer.splitlines():
        found = re.match(r"(a=candidate:\S+ \d+ (\S+) \d+ (\S+)) (\d+)(.*)", line)
        if found and (found.group(2).lower() != way or ":" in found.group(3)):
            continue
        if found:
            line = f"{found.group(1)} {int(found.group(4)) + offset}{found.group(5)}"
        lines.append(line)
    return "\r\n".join(lines) + "\r\n"


class Session:
    """One WHEP session; the URL has the token in its query."""

    def __init__(self, url, offset, way="udp"):
        parts = urllib.parse.urlsplit(url)
        token = urllib.parse.parse_qs(parts.query)["token"][0]
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"}
        self.url, self.offset, self.way = parts._replace(query="").geturl(), offset, way
        self.location = None

    def ask(self, url, method, text=None):
        request = urllib.request.Request(url, text and text.encode(), self.headers, method=method)
        return urllib.request.urlopen(request, timeout=20, context=CONTEXT)

    def open(self, offer):
        """The answer, with its candidates rewritten."""
        with self.ask(self.url, "POST", offer) as response:
            self.location = urllib.parse.urljoin(self.url, response.headers["Location"])
            return rewrite(response.read().decode(), self.offset, self.way)

    def close(self):
        if self.location:
            self.ask(self.location, "DELETE").close()


class Frames:
    """When decoded frames came, against their own time (both in seconds)."""

    def __init__(self):
        self.seen = []

    def note(self, now, own):
        self.seen.append((now, own))

    def figures(self):
        """gaps: pauses of more than 300 ms, as [when it ended, ms]. late_ms: each second's
        worst, against the most punctual frame of all; -1 in a second without frames."""
        least = min((now - own for now, own in self.seen), default=0)
        late, gaps = {}, []
        for before, (now, own) in zip([None, *self.seen], self.seen):
            second = int(now - self.seen[0][0])
            late[second] = max(late.get(second, 0), round((now - own - least) * 1000))
            if before and now - before[0] > 0.3:
                gaps.append([round(now, 3), round((now - before[0]) * 1000)])
        return {"video": len(self.seen), "began": self.seen[0][0] if self.seen else None, "gaps": gaps,
                "late_ms": [late.get(at, -1) for at in range(max(late, default=-1) + 1)]}
