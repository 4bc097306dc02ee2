#!/usr/bin/python3
"""Plays a WHEP address's video with aiortc on a bad network and prints what came as JSON.

    aiortc_loss.py URL SECONDS [--port-offset N]

gaps and late_ms as in through.py; torn counts what the decoder refused
after its first picture.
"""
import asyncio
import json
import logging

import aiortc
from aiortc.contrib.media import MediaStreamError

import through


class Viewer:
    def __init__(self, words):
        self.words, self.session = words, through.Session(words.url, words.port_offset)
        self.peer, self.frames = aiortc.RTCPeerConnection(), through.Frames()
        self.torn = 0
        self.tasks = []
        logging.getLogger("aiortc.codecs.h264").addFilter(self.on_refused)

    def on_refused(self, _record):
        self.torn += bool(self.frames.seen)
        return False

    async def count(self, track):
        try:
            while True:
                frame = await track.recv()
                self.frames.note(asyncio.get_running_loop().time(), frame.time)
        except MediaStreamError:
            pass

    async def play(self):
        self.peer.addTransceiver("video", direction="recvonly")
        self.peer.on("track", lambda track: self.tasks.append(
            asyncio.ensure_future(self.count(track))))
        await self.peer.setLocalDescription(await self.peer.createOffer())
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(
            None, self.session.open, self.peer.localDescription.sdp)
        await self.peer.setRemoteDescription(aiortc.RTCSessionDescription(answer, "answer"))
        await asyncio.sleep(self.words.seconds)
        await loop.run_in_executor(None, self.session.close)
        await self.peer.close()
        return {"torn": self.torn, **self.frames.figures()}


print(json.dumps(asyncio.run(Viewer(through.words()).play())))
