"""A bad network for WebRTC: passes UDP on between viewers and a server, with loss, delay and a rate.

    with Impairment(ports, loss=0.05, delay=0.05) as network: …

A viewer comes through it when it takes the candidate's port plus network.offset for the server's.
Each address of a viewer's gets a socket of its own, as by a NAT. What is random follows a seed.
"""
import contextlib
import heapq
import itertools
import random
import selectors
import socket
import threading
import time

import rig as rigs

HOST = "127.0.0.1"
RTCP_REPORT, RTCP_FEEDBACK = 201, 205
DOWN, UP = "down", "up"


def kind_of(packet):
    """(kind, SSRC) by what of a packet is not encrypted: "rtp", an RTCP packet's type, or "other"."""
    if len(packet) < 12 or not 128 <= packet[0] < 192:
        return "other", 0
    if 192 <= packet[1] < 224:
        return packet[1], 0
    return "rtp", int.from_bytes(packet[8:12], "big")


class Arrivals:
    """The RTP packets that reached viewers: [(time, SSRC, RTP time, whether a picture ends there)]."""

    def __init__(self):
        self.seen = []

    def note(self, now, packet):
        if kind_of(packet)[0] == "rtp":
            self.seen.append((now, int.from_bytes(packet[8:12], "big"),
                              int.from_bytes(packet[4:8], "big"), packet[1] >= 128))

    def pictures(self):
        """[(when one was there, how many seconds later than the most punctual)], of the SSRC with
        most packets."""
        counts = {}
        for _now, ssrc, _time, _is_end in self.seen:
            counts[ssrc] = counts.get(ssrc, 0) + 1
        video = max(counts, key=counts.get)
        ends = [(now, rtp_time) for now, ssrc, rtp_time, is_end in self.seen
                if ssrc == video and is_end]
        first = ends[0][1]
        trips = [(now, now - ((at - first + 2**31) % 2**32 - 2**31) / 90000) for now, at in ends]
        least = min(trip for _now, trip in trips)
        return [(now, trip - least) for now, trip in trips]


class ThinTcp:
    """TCP through a line of limited rate (bits a second down, may be changed while it runs) that
    itself keeps little. Ports are as with Impairment."""

    def __init__(self, ports, rate):
        self.rate, self.arrivals, self.is_over = rate, Arrivals(), False
        start = rigs.free_port(ports[0] + 3000, ports, len(ports))
        self.offset = start - ports[0]
        self.open = []
        for port in ports:
            listener = socket.create_server((HOST, port + self.offset))
            self.open.append(listener)
            self.run(self.accept, listener, port)

    def __enter__(self):
        return self

    def __exit__(self, *_unused):
        self.is_over = True
        for made in self.open:
            made.close()

    @staticmethod
    def run(what, *words):
        threading.Thread(target=what, args=words, daemon=True).start()

    def accept(self, listener, port):
        while not self.is_over:
            try:
                viewer = listener.accept()[0]
            except OSError:
                return
            server = socket.socket()
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            server.connect((HOST, port))
            self.open += [viewer, server]
            self.run(self.pass_up, viewer, server)
            self.run(self.pass_down, server, viewer)

    @staticmethod
    def pass_up(viewer, server):
        with contextlib.suppress(OSError):
            while some := viewer.recv(4096):
                server.sendall(some)

    def pass_down(self, server, viewer):
        waiting, free_at = b"", time.monotonic()
        with contextlib.suppress(OSError):
            while some := server.recv(1500):
                free_at = max(free_at, time.monotonic()) + len(some) * 8 / self.rate
                time.sleep(max(0, free_at - time.monotonic()))
                viewer.sendall(some)
                waiting = self.note_all(waiting + some)

    def note_all(self, waiting):
        """What is left of it after whole packets (RFC 4571)."""
        while len(waiting) >= 2 and len(waiting) >= 2 + int.from_bytes(waiting[:2], "big"):
            end = 2 + int.from_bytes(waiting[:2], "big")
            self.arrivals.note(time.monotonic(), waiting[2:end])
            waiting = waiting[end:]
        return waiting


class Impairment:
    """loss is a probability each way, delay and jitter seconds each way, rate (may be changed while
    it runs; None: no limit) bits a second down, with a queue of queue seconds."""

    def __init__(self, ports, loss=0.0, delay=0.0, jitter=0.0, **limits):
        self.loss, self.delay, self.jitter = loss, delay, jitter
        self.rate, self.queue = limits.get("rate"), limits.get("queue", 0.25)
        self.random = random.Random(limits.get("seed", 1))
        start = rigs.free_port(ports[0] + 1000, ports, len(ports))
        self.offset = start - ports[0]
        self.counts = {DOWN: 0, UP: 0}
        self.bytes = {DOWN: 0, UP: 0}
        self.drops = []  # (time, way, kind, SSRC)
        self.ssrcs = {}  # {SSRC: packets} seen on the way down
        self.selector = selectors.DefaultSelector()
        self.viewers = {}  # {(listener, address): the socket towards the server}
        self.waiting, self.order = [], itertools.count()
        self.arrivals = Arrivals()
        self.line_free_at = 0.0
        for port in ports:
            listener = self.open()
            listener.bind(("0.0.0.0", port + self.offset))
            self.selector.register(listener, selectors.EVENT_READ, ("listener", port))
        self.is_over = False
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_unused):
        self.is_over = True
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()

    @staticmethod
    def open():
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        return made

    def run(self):
        while not self.is_over:
            pause = self.waiting[0][0] - time.monotonic() if self.waiting else 0.1
            for key, _events in self.selector.select(min(max(pause, 0), 0.1)):
                self.take_all(key.fileobj, key.data)
            self.pass_on()

    def take_all(self, source, what):
        while True:
            try:
                packet, address = source.recvfrom(2048)
            except OSError:  # nothing more, or a refusal that belongs to an earlier packet
                return
            if what[0] == "listener":
                self.take(UP, packet, self.towards_server(source, address, what[1]), None)
            else:
                self.take(DOWN, packet, what[1], what[2])

    def towards_server(self, listener, address, port):
        made = self.viewers.get((listener, address))
        if not made:
            made = self.viewers[listener, address] = self.open()
            made.connect((HOST, port))
            self.selector.register(made, selectors.EVENT_READ, ("viewer", listener, address))
        return made

    def take(self, way, packet, to, address):
        now = time.monotonic()
        kind, ssrc = kind_of(packet)
        self.counts[way] += 1
        self.bytes[way] += len(packet)
        if way == DOWN and kind == "rtp":
            self.ssrcs[ssrc] = self.ssrcs.get(ssrc, 0) + 1
        through = self.line_time(now, len(packet)) if way == DOWN else now
        if through is None or self.random.random() < self.loss:
            self.drops.append((now, way, kind, ssrc))
            return
        at = through + self.delay + self.random.random() * self.jitter
        heapq.heappush(self.waiting, (at, next(self.order), packet, to, address))

    def line_time(self, now, size):
        """When a packet has left the line of limited rate; None: its queue is full."""
        if not self.rate:
            return now
        begins = max(now, self.line_free_at)
        if begins - now > self.queue:
            return None
        self.line_free_at = begins + size * 8 / self.rate
        return self.line_free_at

    def pass_on(self):
        now = time.monotonic()
        while self.waiting and self.waiting[0][0] <= now:
            _at, _order, packet, to, address = heapq.heappop(self.waiting)
            if address:
                self.arrivals.note(now, packet)
            try:
                to.sendto(packet, address) if address else to.send(packet)
            except OSError:
                pass  # the other end is gone

    def dropped(self, since, until, way, kind, ssrc=None):
        """How many packets of that kind were lost between these times."""
        return sum(since <= at <= until and (way, kind) == (its_way, its_kind)
                   and ssrc in (None, its_ssrc)
                   for at, its_way, its_kind, its_ssrc in self.drops)

    def figures(self):
        return {"packets": self.counts, "bytes": self.bytes, "by_ssrc": self.ssrcs,
                "dropped": len(self.drops)}
