// What every way to play has in common: WebRTC (whep.ts) and LL-HLS (hls.ts).
import type { Problem } from "./problem";

// What is known of a stream that plays, for the statistics and the latency; what is not is absent.
export interface Figures {
  transport: string;
  codec?: string;
  audio?: string;
  width?: number;
  height?: number;
  framesPerSecond?: number;
  bitsPerSecond?: number;
  lossPercent?: number;
  roundTripMs?: number;
  bufferMs?: number;
  latencyMs?: number;
  framesDecoded?: number;
  framesDropped?: number;
  bytesReceived?: number;
  path?: string; // "UDP", "TCP"
}

// What the server says each second over the data channel.
export interface News {
  stream?: string;
  camera?: string;
  agent?: string;
  width?: number;
  height?: number;
  bps?: number;
  wall_us?: number;
}

export interface Listener {
  onNews(news: News): void;
  onEnd(problem: Problem): void; // at most once, and not after close
}

export interface Transport {
  readonly name: string;
  figures(): Figures; // as of the last second
  goLive(): void; // after a pause: to the live edge
  close(): void; // idempotent; lets go of the video element
}

// Opens, or throws a Problem; when signal aborts, it throws and has cleaned up.
export interface Request {
  video: HTMLVideoElement;
  listener: Listener;
  signal: AbortSignal;
}
