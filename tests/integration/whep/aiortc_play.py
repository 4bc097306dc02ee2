#!/usr/bin/python3
"""Plays a WHEP address with aiortc and prints what it decoded as JSON.

    aiortc_play.py URL SECONDS [--no-video] [--no-audio] [--channel]

The token is taken out of the URL's query and shown as a bearer. first_ms is from the POST to the
first decoded frame of video; last_at and over_at are the monotonic clock's times of the last frame
and of the connection's end, which ends this program early; news_ms is from the start of playing to
the data channel's first message.
"""
import argparse
import asyncio
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request

import aiortc
from aiortc.contrib.media import MediaStreamError

CONTEXT = ssl.create_default_context()
CONTEXT.check_hostname, CONTEXT.verify_mode = False, ssl.CERT_NONE


def ask(url, token, method, body=None, kind="application/sdp"):
    """(status, headers, text) of one request."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
    request = urllib.request.Request(url, body.encode() if body else None, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20, context=CONTEXT) as response:
            return response.status, response.headers, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


class Viewer:
    def __init__(self, words):
        parts = urllib.parse.urlsplit(words.url)
        self.token = urllib.parse.parse_qs(parts.query).get("token", [""])[0]
        self.url = parts._replace(query="").geturl()
        self.peer, self.words = aiortc.RTCPeerConnection(), words
        self.seen = {"video": 0, "audio": 0, "news": [], "first_ms": None, "gaps_ms": [],
                     "width": 0, "height": 0, "audio_rate": 0, "last_at": None, "over_at": None,
                     "news_ms": None}
        self.began = self.last = self.connected = 0.0
        self.over = None  # an event, made on the loop
        self.tasks = []

    async def count(self, track):
        try:
            while True:
                self.note(track.kind, await track.recv())
        except MediaStreamError:
            pass

    def note(self, kind, frame):
        now = time.monotonic()
        self.seen[kind] += 1
        self.seen["last_at"] = now
        if kind == "audio":
            self.seen["audio_rate"] = frame.sample_rate
            return
        self.seen["width"], self.seen["height"] = frame.width, frame.height
        if self.seen["first_ms"] is None:
            self.seen["first_ms"] = round((now - self.began) * 1000)
        elif now - self.last > 0.3:
            self.seen["gaps_ms"].append(round((now - self.last) * 1000))
        self.last = now

    def prepare(self):
        if not self.words.no_video:
            self.peer.addTransceiver("video", direction="recvonly")
        if not self.words.no_audio:
            self.peer.addTransceiver("audio", direction="recvonly")
        if self.words.channel:
            self.peer.createDataChannel("hello")
        self.peer.on("track", lambda track: self.tasks.append(
            asyncio.ensure_future(self.count(track))))

        @self.peer.on("datachannel")
        def on_channel(channel):
            channel.on("message", self.note_news)

        @self.peer.on("connectionstatechange")
        def on_state():
            if self.peer.connectionState == "connected":
                self.connected = time.monotonic()

    def watch_dtls(self):
        """aiortc's connectionState knows no goodbye of the other side: its DTLS transport does."""
        transport = self.peer.getReceivers()[0].transport

        @transport.on("statechange")
        def on_state():
            if transport.state in ("closed", "failed"):
                self.seen["over_at"] = self.seen["over_at"] or time.monotonic()
                self.over.set()

    def note_news(self, text):
        self.seen["news"].append(json.loads(text))
        if self.seen["news_ms"] is None:
            self.seen["news_ms"] = round((time.monotonic() - self.connected) * 1000)

    async def wait(self):
        """Until the time is up, or the connection over."""
        try:
            await asyncio.wait_for(self.over.wait(), self.words.seconds)
        except asyncio.TimeoutError:
            pass

    async def play(self):
        self.over = asyncio.Event()
        self.prepare()
        await self.peer.setLocalDescription(await self.peer.createOffer())
        self.began = time.monotonic()
        loop = asyncio.get_running_loop()
        status, headers, text = await loop.run_in_executor(
            None, ask, self.url, self.token, "POST", self.peer.localDescription.sdp)
        self.seen.update(status=status, answer=text)
        if status == 201:
            await self.peer.setRemoteDescription(aiortc.RTCSessionDescription(text, "answer"))
            self.watch_dtls()
            await self.wait()
            self.seen["state"] = self.peer.connectionState
            location = urllib.parse.urljoin(self.url, headers["Location"])
            self.seen["deleted"] = (await loop.run_in_executor(
                None, ask, location, self.token, "DELETE"))[0]
        await self.peer.close()
        return self.seen


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("seconds", type=float)
    for name in ("--no-video", "--no-audio", "--channel"):
        parser.add_argument(name, action="store_true")
    print(json.dumps(asyncio.run(Viewer(parser.parse_args()).play())))


main()
