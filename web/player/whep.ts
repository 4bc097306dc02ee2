// One viewer by WebRTC: WHEP (draft-ietf-wish-whep) for the offer and the answer, then media over
// ICE, with a data channel on which the server tells news.
import { type Address, credentials, urlOf } from "./address";
import { Clock, figuresOf } from "./figures";
import { Problem, ask } from "./problem";
import type { Figures, Listener, News, Request, Transport } from "./transport";

const ANSWER_S = 15; // the server holds the request up to 10 s while the camera starts
const CONNECT_MS = 4000;
const DECODE_MS = 4000;
const LOST_MS = 5000;
const NEWS_MAX = 4096;

const NO_PATH = () => new Problem("WebRTC can't connect from this network", "", "other");

export async function openWhep(address: Address, request: Request): Promise<Transport> {
  if (typeof RTCPeerConnection === "undefined")
    throw new Problem("This browser has no WebRTC", "", "other");
  const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  const whep = new Whep(peer, address, request.video, request.listener);
  try {
    await whep.start(request.signal);
    return whep;
  } catch (error) {
    whep.close();
    throw error;
  }
}

class Whep implements Transport {
  readonly name = "WebRTC";
  private readonly stream = new MediaStream();
  private readonly clock = new Clock();
  private resource = ""; // the session's URL, to DELETE
  private last: Figures | undefined;
  private lostTimer = 0;
  private stuckMs = 0;
  private watch = 0;
  private isOver = false;
  private isOpen = false;

  constructor(
    private readonly peer: RTCPeerConnection,
    private readonly address: Address,
    private readonly video: HTMLVideoElement,
    private readonly listener: Listener,
  ) {
    peer.ontrack = ({ track, receiver }) => {
      if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
      this.stream.addTrack(track);
    };
    peer.ondatachannel = ({ channel }) => {
      channel.onmessage = ({ data }) => this.hear(data);
    };
  }

  async start(signal: AbortSignal): Promise<void> {
    this.peer.addTransceiver("video", { direction: "recvonly" });
    this.peer.addTransceiver("audio", { direction: "recvonly" });
    this.peer.createDataChannel("hello"); // so that the offer has a section for the server's
    await this.peer.setLocalDescription(await this.peer.createOffer());
    const answer = await this.signal(signal);
    await this.peer.setRemoteDescription({ type: "answer", sdp: answer });
    await this.connected(signal);
    this.isOpen = true;
    this.video.srcObject = this.stream;
    this.peer.onconnectionstatechange = () => this.follow();
    this.followGoodbye();
    this.watch = window.setInterval(() => void this.measure(), 1000);
  }

  // The server is ICE-lite and learns our addresses from our checks: there is no need to wait
  // for candidates, or to send them.
  private async signal(signal: AbortSignal): Promise<string> {
    const response = await ask(
      urlOf(this.address, "/whep/SLUG"),
      {
        method: "POST",
        headers: { ...credentials(this.address), "content-type": "application/sdp" },
        body: this.peer.localDescription!.sdp,
        signal,
      },
      ANSWER_S,
    );
    const place = response.headers.get("location");
    if (place) this.resource = new URL(place, response.url).href;
    return response.text();
  }

  private connected(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => done(NO_PATH()), CONNECT_MS);
      const onAbort = () => done(new Problem("Left", "", "later"));
      const done = (problem?: Problem) => {
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
        this.peer.onconnectionstatechange = null;
        if (problem) reject(problem);
        else resolve();
      };
      const look = () => {
        const state = this.peer.connectionState;
        if (state === "connected") done();
        else if (state === "failed" || state === "closed") done(NO_PATH());
      };
      signal.addEventListener("abort", onAbort);
      this.peer.onconnectionstatechange = look;
      look();
    });
  }

  private follow(): void {
    const state = this.peer.connectionState;
    clearTimeout(this.lostTimer);
    if (state === "failed" || state === "closed") this.end();
    else if (state === "disconnected") this.lostTimer = window.setTimeout(() => this.end(), LOST_MS);
  }

  // The server says goodbye, as when the token was revoked: the connection's state tells it only after
  // the checks have failed for a while.
  private followGoodbye(): void {
    const transport = this.peer.getReceivers()[0]?.transport;
    if (!transport) return;
    transport.onstatechange = () => {
      if (transport.state === "closed" || transport.state === "failed") this.end();
    };
  }

  private end(problem = new Problem("The connection was lost", "", "later")): void {
    if (this.isOver) return;
    this.close();
    this.listener.onEnd(problem);
  }

  private hear(data: unknown): void {
    if (typeof data !== "string" || data.length > NEWS_MAX) return;
    let news: News | null;
    try {
      news = JSON.parse(data);
    } catch {
      return;
    }
    if (!news || typeof news !== "object") return;
    if (typeof news.wall_us === "number") this.clock.hear(news.wall_us, this.last?.roundTripMs);
    if (this.isOpen && !this.isOver) this.listener.onNews(news);
  }

  figures(): Figures {
    return this.last ?? { transport: this.name };
  }

  private async measure(): Promise<void> {
    const report = await this.peer.getStats();
    if (this.isOver) return;
    const figures = figuresOf(report, this.clock, this.last);
    this.watchDecoder(figures);
    this.last = figures;
  }

  // Bytes come, pictures don't: the browser took a codec that it can't decode after all.
  private watchDecoder(figures: Figures): void {
    const isFed = (figures.bytesReceived ?? 0) > (this.last?.bytesReceived ?? 0);
    if (figures.framesDecoded) this.stuckMs = -Infinity;
    else if (isFed) this.stuckMs += 1000;
    if (this.stuckMs >= DECODE_MS)
      this.end(new Problem("This browser can't decode the camera's codec", "", "other"));
  }

  goLive(): void {}

  close(): void {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.lostTimer);
    clearInterval(this.watch);
    this.peer.onconnectionstatechange = this.peer.ontrack = this.peer.ondatachannel = null;
    this.peer.close();
    if (this.video.srcObject === this.stream) this.video.srcObject = null;
    // keepalive: also when the page goes away.
    if (this.resource)
      fetch(this.resource, {
        method: "DELETE",
        headers: credentials(this.address),
        keepalive: true,
      }).catch(() => undefined);
  }
}
