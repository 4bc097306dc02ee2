#!/usr/bin/python3
"""Many short visits to a WHEP address: each connects by ICE and DTLS, and leaves.

    visit.py URL COUNT [--at-once N]

Prints how many came through as JSON. One certificate and one key are shared: making them costs more
than all else.
"""
import argparse
import asyncio
import json
import ssl
import urllib.parse
import urllib.request

import aiortc

CONTEXT = ssl.create_default_context()
CONTEXT.check_hostname, CONTEXT.verify_mode = False, ssl.CERT_NONE


def ask(url, token, method, body=None):
    request = urllib.request.Request(
        url, body, {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"},
        method=method)
    with urllib.request.urlopen(request, timeout=20, context=CONTEXT) as response:
        return response.headers["Location"], response.read().decode()


async def visit(url, token, certificate):
    """True once the connection stood; odd visits say no goodbye by HTTP, but by DTLS."""
    loop, peer, connected = asyncio.get_running_loop(), aiortc.RTCPeerConnection(), asyncio.Event()
    peer._RTCPeerConnection__certificates = [certificate]
    peer.addTransceiver("video", direction="recvonly")
    peer.on("connectionstatechange",
            lambda: connected.set() if peer.connectionState == "connected" else None)
    await peer.setLocalDescription(await peer.createOffer())
    location, answer = await loop.run_in_executor(None, ask, url, token, "POST",
                                                  peer.localDescription.sdp.encode())
    await peer.setRemoteDescription(aiortc.RTCSessionDescription(answer, "answer"))
    await asyncio.wait_for(connected.wait(), 15)
    if int(location[-1], 16) % 2 == 0:
        await loop.run_in_executor(None, ask, urllib.parse.urljoin(url, location), token, "DELETE")
    await peer.close()


async def visit_all(words):
    parts = urllib.parse.urlsplit(words.url)
    token = urllib.parse.parse_qs(parts.query)["token"][0]
    url = parts._replace(query="").geturl()
    certificate = aiortc.RTCCertificate.generateCertificate()
    gate, wrong = asyncio.Semaphore(words.at_once), []

    async def one():
        async with gate:
            try:
                await visit(url, token, certificate)
            except Exception as error:  # whatever it was, it is one visit less
                wrong.append(repr(error))

    await asyncio.gather(*(one() for _ in range(words.count)))
    return {"connected": words.count - len(wrong), "wrong": wrong[:3]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("count", type=int)
    parser.add_argument("--at-once", type=int, default=8)
    print(json.dumps(asyncio.run(visit_all(parser.parse_args()))))


main()
