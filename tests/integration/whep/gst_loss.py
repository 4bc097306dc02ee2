#!/usr/bin/python3
"""Plays a WHEP address's video with GStreamer's webrtcbin and prints what it decoded as JSON.

    gst_loss.py URL SECONDS [--port-offset N] [--twcc] [--tcp]

gaps and late_ms as in through.py; torn counts pictures with something missing; buffer is what the
jitter buffer says. --twcc: tells when each packet came (transport-wide feedback), as browsers do.
--tcp: by ICE over TCP.
"""
import json
import os
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

import through  # noqa: E402

CAPS = ("application/x-rtp,media=video,encoding-name=H264,payload=102,clock-rate=90000,"
        "packetization-mode=(string)1,profile-level-id=(string)42e01f,rtcp-fb-nack-pli=(boolean)true")
TWCC = (",rtcp-fb-transport-cc=(boolean)true,extmap-3=(string)"
        "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01")
LATENCY_MS = 250


class Viewer:
    def __init__(self, words):
        way = "tcp" if words.tcp else "udp"
        self.words = words
        self.session = through.Session(words.url, words.port_offset, way)
        self.seen = {"torn": 0, "buffer": {}}
        self.frames = through.Frames()
        self.loop = GLib.MainLoop()
        self.pipeline = Gst.Pipeline.new()
        self.peer = Gst.ElementFactory.make("webrtcbin")
        self.peer.set_property("bundle-policy", "max-bundle")
        self.peer.set_property("latency", LATENCY_MS)
        if words.tcp:
            self.agent = self.peer.get_property("ice-agent")
            self.agent.set_property("ice-udp", False)
        self.pipeline.connect("deep-element-added", self.on_element)
        self.pipeline.add(self.peer)
        self.peer.connect("on-negotiation-needed", self.on_wanted)
        self.peer.connect("pad-added", self.on_pad)
        self.peer.connect("notify::ice-gathering-state", self.on_gathered)
        transceiver = self.peer.emit(
            "add-transceiver", GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY,
            Gst.Caps.from_string(CAPS + (TWCC if words.twcc else "")))
        transceiver.set_property("do-nack", True)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", self.on_error)

    def on_error(self, _bus, message):
        self.seen["error"] = str(message.parse_error())
        self.loop.quit()

    def on_element(self, _pipeline, _bin, element):
        """GStreamer's own limits let it ask for a third of what it misses, and mostly too late: with
        RTX a session has more members than it gives immediate feedback to."""
        if element.get_name().startswith("rtpsession"):
            session = element.get_property("internal-session")
            session.set_property("rtcp-immediate-feedback-threshold", 16)
            session.set_property("bandwidth", 20e6)  # a twentieth of it is for RTCP
            session.set_property("rtcp-min-interval", Gst.SECOND // 10)

    def on_pad(self, _peer, pad):
        if pad.direction != Gst.PadDirection.SRC:
            return
        decode = Gst.parse_bin_from_description(
            "rtph264depay ! h264parse ! "
            "avdec_h264 name=decoder max-threads=1 ! fakesink name=out sync=false", True)
        self.pipeline.add(decode)
        decode.get_by_name("out").get_static_pad("sink").add_probe(
            Gst.PadProbeType.BUFFER, self.on_frame)
        decode.sync_state_with_parent()
        pad.link(decode.get_static_pad("sink"))

    def on_frame(self, _pad, info):
        buffer = info.get_buffer()
        self.seen["torn"] += bool(buffer.get_flags() & Gst.BufferFlags.CORRUPTED)
        self.frames.note(time.monotonic(), buffer.pts / Gst.SECOND)
        return Gst.PadProbeReturn.OK

    def on_wanted(self, peer):
        peer.emit("create-offer", None, Gst.Promise.new_with_change_func(self.on_offer))

    def on_offer(self, promise):
        reply = promise.get_reply()  # owns the offer
        self.peer.emit("set-local-description", reply.get_value("offer"), Gst.Promise.new())

    def on_gathered(self, peer, _property):
        if peer.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            GLib.idle_add(self.post)

    def post(self):
        text = self.peer.get_property("local-description").sdp.as_text()
        answer = self.session.open(text)
        _result, message = GstSdp.SDPMessage.new_from_text(answer)
        self.peer.emit("set-remote-description", GstWebRTC.WebRTCSessionDescription.new(
            GstWebRTC.WebRTCSDPType.ANSWER, message), Gst.Promise.new())
        GLib.timeout_add(round(self.words.seconds * 1000), self.loop.quit)
        return False

    def note_buffers(self):
        """The jitter buffers' own figures of what they asked for and got."""
        found = self.pipeline.iterate_recurse()
        while True:
            result, element = found.next()
            if result != Gst.IteratorResult.OK:
                return
            if element.get_name().startswith("rtpjitterbuffer"):
                stats = element.get_property("stats")
                self.seen["buffer"] = {name: stats.get_value(name) for name in (
                    "num-pushed", "num-lost", "num-late", "rtx-count", "rtx-success-count")}

    def play(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        GLib.timeout_add(round(self.words.seconds * 1000) + 20000, self.loop.quit)
        self.loop.run()
        self.note_buffers()
        self.pipeline.set_state(Gst.State.NULL)
        self.session.close()
        return {**self.seen, **self.frames.figures()}


Gst.init(None)
print(json.dumps(Viewer(through.words("--twcc", "--tcp")).play()), flush=True)
os._exit(0)  # the introspection of ice-agent counts its references wrongly: an orderly end would crash
