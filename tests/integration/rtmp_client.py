"""A small RTMP player: what Debian's players can't ask for (Enhanced RTMP), and what none would send."""
import contextlib
import os
import socket
import struct
import subprocess
import time
import urllib.parse

COMMAND, DATA, AUDIO, VIDEO, CONTROL, CHUNK_SIZE = 20, 18, 8, 9, 4, 1
HANDSHAKE = 1536


# ---- AMF0 -------------------------------------------------------------------------------------
def encode(value):
    if value is None:
        return b"\5"
    if isinstance(value, bool):
        return bytes([1, value])
    if isinstance(value, (int, float)):
        return b"\0" + struct.pack(">d", value)
    if isinstance(value, str):
        return b"\2" + name_of(value)
    if isinstance(value, dict):
        return b"\3" + b"".join(name_of(k) + encode(v) for k, v in value.items()) + b"\0\0\x09"
    return b"\x0a" + struct.pack(">I", len(value)) + b"".join(map(encode, value))


def name_of(text):
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw


def decode(data, at=0):
    """(value, where the next one begins)"""
    kind, at = data[at], at + 1
    if kind == 0:
        return struct.unpack_from(">d", data, at)[0], at + 8
    if kind == 1:
        return data[at] != 0, at + 1
    if kind == 2:
        size = struct.unpack_from(">H", data, at)[0]
        return data[at + 2:at + 2 + size].decode(), at + 2 + size
    if kind in (3, 8):
        return decode_members(data, at + (4 if kind == 8 else 0))
    if kind == 10:
        values, count, at = [], struct.unpack_from(">I", data, at)[0], at + 4
        for _ in range(count):
            value, at = decode(data, at)
            values.append(value)
        return values, at
    return None, at


def decode_members(data, at):
    members = {}
    while data[at:at + 3] != b"\0\0\x09":
        size = struct.unpack_from(">H", data, at)[0]
        name = data[at + 2:at + 2 + size].decode()
        members[name], at = decode(data, at + 2 + size)
    return members, at + 3


def decode_all(data):
    values, at = [], 0
    while at < len(data):
        value, at = decode(data, at)
        values.append(value)
    return values


# ---- chunks -----------------------------------------------------------------------------------
def chunks(kind, body, stream=0, channel=3, size=128):
    """A message as it is sent, in chunks of size bytes."""
    head = bytes([channel, 0, 0, 0]) + len(body).to_bytes(3, "big") + bytes([kind])
    out = head + struct.pack("<I", stream)
    for at in range(0, max(len(body), 1), size):
        out += (bytes([0xc0 | channel]) if at else b"") + body[at:at + size]
    return out


class Client:
    """One connection. Messages are (type, time in ms, bytes)."""

    def __init__(self, port, timeout=5):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.rest, self.size, self.lanes = b"", 128, {}
        self.out_size = 128
        self.transaction = 0

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def take(self, count):
        while len(self.rest) < count:
            piece = self.socket.recv(65536)
            if not piece:
                raise EOFError
            self.rest += piece
        data, self.rest = self.rest[:count], self.rest[count:]
        return data

    def handshake(self, c1=None):
        c1 = c1 or bytes(8) + os.urandom(HANDSHAKE - 8)
        self.send(b"\3" + c1)
        answer = self.take(1 + 2 * HANDSHAKE)
        assert answer[0] == 3
        self.send(answer[1:1 + HANDSHAKE])
        return answer

    def command(self, name, *values, stream=0):
        self.transaction += 1
        body = b"".join(map(encode, (name, self.transaction, *values)))
        self.send(chunks(COMMAND, body, stream, size=self.out_size))

    def connect(self, app="live", **members):
        self.command("connect", {"app": app, "tcUrl": "rtmp://127.0.0.1/" + app, **members})

    def message(self):
        """The next one; EOFError when the server has closed."""
        while True:
            first = self.take(1)[0]
            lane = self.lanes.setdefault(first & 63, {"body": b""})
            if first >> 6 == 0:
                head = self.take(11)
                lane.update(time=int.from_bytes(head[:3], "big"), kind=head[6],
                            left=int.from_bytes(head[3:6], "big"), body=b"")
                lane["extended"] = lane["time"] == 0xffffff
            else:
                assert first >> 6 == 3, "the server writes whole headers only"
            if lane["extended"]:
                lane["time"] = int.from_bytes(self.take(4), "big")
            piece = self.take(min(lane["left"], self.size))
            lane["body"] += piece
            lane["left"] -= len(piece)
            if lane["left"] == 0:
                if lane["kind"] == CHUNK_SIZE:
                    self.size = int.from_bytes(lane["body"], "big")
                return lane["kind"], lane["time"], lane["body"]

    def until(self, wanted):
        """The values of the first command that has wanted in it; EOFError without one."""
        while True:
            kind, _, body = self.message()
            if kind == COMMAND and wanted.encode() in body:
                return decode_all(body)

    def play(self, name, **members):
        """Everything up to the answer to play: the object of its onStatus."""
        self.handshake()
        self.connect(**members)
        self.until("_result")
        self.command("createStream", None)
        self.until("_result")
        self.command("play", None, name, stream=1)
        while True:
            told = self.until("onStatus")[3]
            if told["code"] != "NetStream.Play.Reset":
                return told

    def is_closed(self, seconds):
        """Whether the server closes within so many seconds; what it sends is passed over."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < deadline:
                self.socket.settimeout(max(0.01, deadline - time.monotonic()))
                try:
                    if not self.socket.recv(65536):
                        return True
                except TimeoutError:
                    return False
            return False
        return True


@contextlib.contextmanager
def client(port, **settings):
    made = Client(port, **settings)
    try:
        yield made
    finally:
        made.close()


def name_and_token(url):
    parts = urllib.parse.urlsplit(url)
    return f"{parts.path.split('/')[-1]}?{parts.query}"


def annex_b(units):
    """NAL units behind their lengths in 4 bytes, as a file that ffmpeg can read."""
    out, at = b"", 0
    while at < len(units):
        size = int.from_bytes(units[at:at + 4], "big")
        out += b"\0\0\0\1" + units[at + 4:at + 4 + size]
        at += 4 + size
    return out


def hvcc_units(record):
    """The parameter sets of an HEVCDecoderConfigurationRecord, behind their lengths."""
    out, at = b"", 23
    for _ in range(record[22]):
        count, at = int.from_bytes(record[at + 1:at + 3], "big"), at + 3
        for _ in range(count):
            size = int.from_bytes(record[at:at + 2], "big")
            out, at = out + size.to_bytes(4, "big") + record[at + 2:at + 2 + size], at + 2 + size
    return out


def count_decoded(data, form):
    """How many frames ffmpeg decodes of raw bytes."""
    done = subprocess.run(["ffmpeg", "-v", "error", "-f", form, "-i", "-", "-f", "framecrc", "-"],
                          input=data, capture_output=True, timeout=20, check=False)
    return sum(line.startswith(b"0,") for line in done.stdout.split(b"\n")), done.stderr[-500:]
