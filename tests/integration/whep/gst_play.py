#!/usr/bin/python3
"""Plays a WHEP address with GStreamer's webrtcbin and prints what it decoded as JSON.

    gst_play.py URL SECONDS [--only udp|tcp] [--port N]...

With --only, webrtcbin gathers and checks nothing else: tcp is what is left where UDP is blocked.
With --port, of the server's candidates those with these ports are used. Ends with the first of
SECONDS, the end of the connection, and 50 pictures with 50 pieces of sound.
"""
import argparse
import json
import os
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

ENOUGH = 50
CONTEXT = ssl.create_default_context()
CONTEXT.check_hostname, CONTEXT.verify_mode = False, ssl.CERT_NONE
WANTED = {
    "video": "application/x-rtp,media=video,encoding-name=H264,payload=102,clock-rate=90000,"
             "packetization-mode=(string)1,profile-level-id=(string)42e01f",
    "audio": "application/x-rtp,media=audio,encoding-name=OPUS,payload=111,clock-rate=48000,"
             "encoding-params=(string)2",
}


def post(url, offer):
    """(status, body) of the offer's POST; the token shown as a bearer."""
    parts = urllib.parse.urlsplit(url)
    token = urllib.parse.parse_qs(parts.query).get("token", [""])[0]
    request = urllib.request.Request(
        parts._replace(query="").geturl(), offer.encode(), method="POST",
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"})
    try:
        with urllib.request.urlopen(request, timeout=20, context=CONTEXT) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Viewer:
    def __init__(self, words):
        self.words, self.loop, self.began = words, GLib.MainLoop(), time.monotonic()
        self.seen = {"video": 0, "audio": 0, "status": 0, "answer": "", "first_ms": None}
        self.pipeline = Gst.Pipeline.new()
        self.bin = Gst.ElementFactory.make("webrtcbin")
        self.bin.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self.agent = self.bin.get_property("ice-agent")
        for way in ("udp", "tcp"):
            if words.only not in (None, way):
                self.agent.set_property(f"ice-{way}", False)
        self.pipeline.add(self.bin)
        self.bin.connect("pad-added", self.on_stream)
        self.bin.connect("notify::ice-gathering-state", self.on_gathering)
        self.bin.connect("on-negotiation-needed", self.on_wanted)

    def on_wanted(self, _bin):
        self.bin.emit("create-offer", None, Gst.Promise.new_with_change_func(self.on_offer))

    def on_offer(self, promise):
        reply = promise.get_reply()  # owns the offer, and so must outlive its use
        self.bin.emit("set-local-description", reply.get_value("offer"), Gst.Promise.new())

    def on_gathering(self, _bin, _property):
        if self.bin.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            GLib.idle_add(self.ask)

    def is_wanted(self, line):
        """Of the answer's lines all but the candidates that --only and --port leave out."""
        if not line.startswith("a=candidate:"):
            return True
        words = line.split()
        return (self.words.only in (None, words[2].lower()) and
                (not self.words.port or int(words[5]) in self.words.port))

    def ask(self):
        offer = self.bin.get_property("local-description").sdp.as_text()
        self.seen["status"], self.seen["answer"] = post(self.words.url, offer)
        if self.seen["status"] != 201:
            self.loop.quit()
            return False
        text = "".join(line + "\r\n" for line in self.seen["answer"].splitlines()
                       if self.is_wanted(line))
        _, message = GstSdp.SDPMessage.new_from_text(text)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self.bin.emit("set-remote-description", answer, Gst.Promise.new())
        return False

    def on_stream(self, _bin, pad):
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        decoder = Gst.ElementFactory.make("decodebin")
        decoder.connect("pad-added", self.on_decoded)
        self.pipeline.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))

    def on_decoded(self, _decoder, pad):
        kind = pad.get_current_caps().get_structure(0).get_name().split("/")[0]
        sink = Gst.ElementFactory.make("fakesink")
        self.pipeline.add(sink)
        sink.sync_state_with_parent()
        pad.add_probe(Gst.PadProbeType.BUFFER, self.on_frame, kind)
        pad.link(sink.get_static_pad("sink"))

    def on_frame(self, _pad, _info, kind):
        self.seen[kind] += 1
        if kind == "video" and self.seen["first_ms"] is None:
            self.seen["first_ms"] = round((time.monotonic() - self.began) * 1000)
        if min(self.seen["video"], self.seen["audio"]) >= ENOUGH:
            self.loop.quit()
        return Gst.PadProbeReturn.OK

    def play(self):
        for caps in WANTED.values():
            self.bin.emit("add-transceiver", GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY,
                          Gst.Caps.from_string(caps))
        self.pipeline.set_state(Gst.State.PLAYING)
        GLib.timeout_add(int(self.words.seconds * 1000), self.loop.quit)
        self.loop.run()
        self.seen["state"] = self.bin.get_property("connection-state").value_nick
        return self.seen


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("seconds", type=float)
    parser.add_argument("--only", choices=("udp", "tcp"))
    parser.add_argument("--port", type=int, action="append")
    words = parser.parse_args()
    Gst.init(None)
    print(json.dumps(Viewer(words).play()), flush=True)
    # The introspection of ice-agent counts its references wrongly: an orderly end would crash.
    os._exit(0)


main()
