"""Starts http-test-server and talks raw HTTP/1.1 and HTTP/2 to it."""
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import time

import hpack
import hyperframe.frame as frames

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CULVERT_BUILD", "build/release"))
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Server:
    """One http-test-server; times in milliseconds as its usage says."""

    def __init__(self, directory, *times):
        program = BUILD / "http-test-server"
        subprocess.run(
            ["make", "-s", f"VARIANT={BUILD.name}", f"OUT={BUILD}", str(program)],
            cwd=ROOT, check=True, timeout=600, stdout=subprocess.DEVNULL)
        self.process = subprocess.Popen(
            [str(ROOT / program), str(directory), *map(str, times)],
            stdout=subprocess.PIPE, text=True)
        words = self.process.stdout.readline().split()
        self.plain, self.tls = int(words[1]), int(words[3])

    def stop(self):
        """True when it ended in good order (under ASan: without a leak)."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20) == 0
        finally:
            self.process.kill()

    def drain(self):
        self.process.send_signal(signal.SIGUSR1)

    def rss_kb(self):
        for line in open(f"/proc/{self.process.pid}/status", encoding="ascii"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")

    def stats(self):
        import json
        return json.loads(Raw(self.plain).ask(b"GET /stats HTTP/1.1\r\nHost: x\r\n\r\n")[2])

    def url(self, path, tls=True):
        return f"https://127.0.0.1:{self.tls}{path}" if tls else f"http://127.0.0.1:{self.plain}{path}"


class Raw:
    """A plain connection, answers read one at a time."""

    def __init__(self, port, timeout=15):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.rest = b""

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # a server that refuses early has closed
        return self

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self.rest += data
        return bool(data)

    def answer(self, is_head=False):
        """(status, headers, body) or None at the end of the connection."""
        while b"\r\n\r\n" not in self.rest:
            if not self._more():
                assert self.rest == b"", self.rest
                return None
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, value = line.split(": ", 1)
            assert name == name.lower() and name not in headers, line
            headers[name] = value
        status = int(first.split()[1])
        length = int(headers.get("content-length", 0))
        if is_head or status in (100, 101, 204, 304):
            length = 0
        while len(self.rest) < length:
            assert self._more(), "cut short"
        body, self.rest = self.rest[:length], self.rest[length:]
        return status, headers, body

    def ask(self, data, is_head=False):
        return self.send(data).answer(is_head)

    def is_closed(self, seconds=3):
        self.socket.settimeout(seconds)
        try:
            while self._more():
                pass
            return True
        except socket.timeout:
            return False

    def close(self):
        self.socket.close()


def tls_socket(port, alpn="h2", timeout=15):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([alpn])
    raw = socket.create_connection(("127.0.0.1", port), timeout)
    wrapped = context.wrap_socket(raw, server_hostname="localhost")
    assert wrapped.selected_alpn_protocol() == alpn
    return wrapped


class Frames:
    """An HTTP/2 client that sends whatever frames it is told to, well-formed or not."""

    def __init__(self, port, settings=None, preface=PREFACE):
        self.socket = tls_socket(port)
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.rest = b""
        self.answers = {}  # stream -> [headers, body, is_ended]
        self.resets, self.goaway, self.received = {}, None, []
        if preface:
            self.send(preface + frames.SettingsFrame(0, settings or {}).serialize())

    def send(self, data):
        try:
            self.socket.sendall(data.serialize() if hasattr(data, "serialize") else data)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            pass
        return self

    def headers(self, stream, rows, end=True, flags=("END_HEADERS",)):
        frame = frames.HeadersFrame(stream)
        frame.data = self.encoder.encode(rows)
        for flag in flags:
            frame.flags.add(flag)
        if end:
            frame.flags.add("END_STREAM")
        return self.send(frame)

    def get(self, stream, path, *extra, method="GET", end=True, authority="localhost"):
        rows = [(":method", method), (":scheme", "https"), (":authority", authority), (":path", path)]
        return self.headers(stream, rows + list(extra), end)

    def data(self, stream, data, end=True):
        frame = frames.DataFrame(stream, data)
        if end:
            frame.flags.add("END_STREAM")
        return self.send(frame)

    def raw_frame(self, kind, flags, stream, payload):
        return self.send(len(payload).to_bytes(3, "big") + bytes([kind, flags])
                         + stream.to_bytes(4, "big") + payload)

    def _take(self, frame):
        self.received.append(frame)
        entry = self.answers.setdefault(frame.stream_id, [{}, b"", False])
        if isinstance(frame, frames.HeadersFrame):
            assert "END_HEADERS" in frame.flags
            entry[0].update(self.decoder.decode(frame.data))
        elif isinstance(frame, frames.DataFrame):
            entry[1] += frame.data
        elif isinstance(frame, frames.RstStreamFrame):
            self.resets[frame.stream_id] = frame.error_code
        elif isinstance(frame, frames.GoAwayFrame):
            self.goaway = frame.error_code
        if "END_STREAM" in frame.flags:
            entry[2] = True

    def pump(self):
        """Reads once; False at the end of the connection."""
        try:
            data = self.socket.recv(65536)
        except (ConnectionResetError, ssl.SSLError) as error:
            if isinstance(error, socket.timeout):
                raise
            data = b""
        self.rest += data
        while len(self.rest) >= 9:
            frame, length = frames.Frame.parse_frame_header(memoryview(self.rest[:9]))
            if len(self.rest) < 9 + length:
                break
            frame.parse_body(memoryview(self.rest[9:9 + length]))
            self.rest = self.rest[9 + length:]
            self._take(frame)
        return bool(data)

    def until(self, condition, seconds=10):
        end = time.monotonic() + seconds
        self.socket.settimeout(seconds)
        while not condition():
            assert time.monotonic() < end, "too late"
            if not self.pump():
                break
        return condition()

    def answer(self, stream, seconds=10):
        """(status, headers, body) once the stream ended; None when it or all was torn down."""
        self.until(lambda: self.answers.get(stream, [0, 0, False])[2] or stream in self.resets, seconds)
        headers, body, is_ended = self.answers.get(stream, [{}, b"", False])
        return (int(headers[":status"]), headers, body) if is_ended else None

    def wait_goaway(self, seconds=10):
        self.until(lambda: self.goaway is not None, seconds)
        return self.goaway

    def is_closed(self, seconds=5):
        self.socket.settimeout(seconds)
        try:
            while self.pump():
                pass
            return True
        except socket.timeout:
            return False

    def close(self):
        self.socket.close()
