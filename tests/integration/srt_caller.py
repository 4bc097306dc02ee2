"""A caller's end of SRT, byte by byte: for what no real player would send."""
import contextlib
import socket
import struct
import time

HANDSHAKE, KEEPALIVE, ACK, LOSS, SHUTDOWN, ACKACK, DROP, EXTENSION = 0, 1, 2, 3, 5, 6, 7, 0x7fff
INDUCTION, CONCLUSION = 1, 0xffffffff
HSREQ, KMREQ, CONFIG = 1, 2, 4  # what extensions a handshake has
REJECTED = 1000  # and the code, in the answer's request type
KEYS_REQUEST, KEYS_RESPONSE, STREAM_ID, GROUP = 3, 4, 5, 8  # extensions' types


def control(kind, subtype=0, info=0, to=0, body=b""):
    return struct.pack(">IIII", 1 << 31 | kind << 16 | subtype, info, 0, to) + body


def extension(kind, body):
    body += b"\0" * (-len(body) % 4)
    return struct.pack(">HH", kind, len(body) // 4) + body


def stream_id_extension(stream_id):
    """Its characters come in words, each the wrong way round."""
    text = stream_id.encode() if isinstance(stream_id, str) else stream_id
    text += b"\0" * (-len(text) % 4)
    return extension(STREAM_ID, b"".join(text[at:at + 4][::-1] for at in range(0, len(text), 4)))


class Caller:
    """One socket. fields are those of a handshake: mss=, window=, version=, cookie= …"""

    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(1)
        self.socket.connect((host, port))
        self.id, self.cookie, self.peer = 0x1234, 0, 0
        self.first = 7000  # sequence number

    def __enter__(self):
        return self

    def __exit__(self, *_unused):
        self.socket.close()

    def handshake(self, request, extensions=b"", **fields):
        body = struct.pack(
            ">IHHIIIIII", fields.get("version", 5), 0, fields.get("flags", 0), self.first,
            fields.get("mss", 1500), fields.get("window", 8192), request, self.id,
            fields.get("cookie", self.cookie))
        return control(HANDSHAKE, to=fields.get("to", 0),
                       body=body + b"\x01\0\0\x7f" + b"\0" * 12 + extensions)

    def send(self, packet):
        self.socket.send(packet)

    def receive(self, seconds=1.0):
        self.socket.settimeout(max(seconds, 0.001))
        try:
            return self.socket.recv(2048)
        except (TimeoutError, ConnectionRefusedError):
            return None

    def answer(self, seconds=1.0):
        """(request type, id, cookie) of the next handshake that comes, or None."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            packet = self.receive(left)
            if packet and packet[:4] == b"\x80\0\0\0":
                return struct.unpack(">III", packet[36:48])
        return None

    def induce(self, **fields):
        self.send(self.handshake(INDUCTION, version=4, flags=2, **fields))
        answer = self.answer()
        if answer:
            self.cookie = answer[2]
        return answer

    def conclusion(self, stream_id, more=b"", latency=120, **fields):
        extensions = extension(HSREQ, struct.pack(">IIHH", 0x010501, 0xbf, latency, 0))
        if stream_id is not None:
            extensions += stream_id_extension(stream_id)
        flags = HSREQ | CONFIG | (KMREQ if more[:2] == b"\0\3" else 0)
        return self.handshake(CONCLUSION, extensions + more, flags=fields.pop("flags", flags),
                              **fields)

    def call(self, stream_id, patience=1.0, **fields):
        """"in", or the code that the caller is refused with; None without an answer."""
        if not self.cookie and not self.induce():
            return None
        self.send(self.conclusion(stream_id, **fields))
        answer = self.answer(patience)
        if not answer:
            return None
        self.peer = answer[1]
        return "in" if answer[0] == CONCLUSION else answer[0] - REJECTED

    def say(self, kind, body=b"", subtype=0, info=0):
        """A control packet to the connection."""
        self.send(control(kind, subtype, info, self.peer, body))

    def media(self, seconds, acknowledge=True):
        """How many packets of media came in so many seconds, each acknowledged."""
        until, count = time.monotonic() + seconds, 0
        while (left := until - time.monotonic()) > 0:
            packet = self.receive(left)
            if packet and not packet[0] & 0x80:
                count += 1
                if acknowledge:
                    self.acknowledge(struct.unpack(">I", packet[:4])[0] + 1, count)
            elif packet and packet[:4] == b"\x80\5\0\0":
                break
        return count

    def acknowledge(self, sequence, number):
        self.say(ACK, struct.pack(">IIIIIII", sequence, 10000, 1000, 8192, 100, 1000, 100000),
                 info=number)


@contextlib.contextmanager
def calling(port, stream_id, **fields):
    """A caller that was let in."""
    with Caller(port) as caller:
        assert caller.call(stream_id, **fields) == "in"
        yield caller
