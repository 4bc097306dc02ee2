// getStats and the server's clock, made into what a person wants to know.
import type { Figures } from "./transport";

const NTP_TO_UNIX_MS = 2208988800000;
const LATENCY_MAX_MS = 20000;
const SAMPLES = 30;

// How far the server's clock is ahead of ours: the most of what it said lately, because what came
// late looks behind.
export class Clock {
  private ahead: number[] = [];

  hear(wallUs: number, roundTripMs = 0): void {
    this.ahead.push(wallUs / 1000 + roundTripMs / 2 - Date.now());
    if (this.ahead.length > SAMPLES) this.ahead.shift();
  }

  now(): number | undefined {
    return this.ahead.length ? Date.now() + Math.max(...this.ahead) : undefined;
  }
}

// Rows of RTCStatsReport have more members than TypeScript's library knows.
type Row = Record<string, any>;

function codecName(row: Row | undefined): string | undefined {
  return row?.mimeType?.split("/")[1];
}

// The frame on the screen was captured when the sender's reports say; where the browser doesn't
// tell, what is known of the way: its buffer and half a round trip.
function latencyOf(video: Row, clock: Clock, bufferMs?: number, roundTripMs?: number) {
  const now = clock.now();
  let played: number | undefined = video.estimatedPlayoutTimestamp;
  if (played && played > 3e12) played -= NTP_TO_UNIX_MS;
  if (now && played && now - played >= 0 && now - played < LATENCY_MAX_MS) return now - played;
  if (bufferMs === undefined || roundTripMs === undefined) return undefined;
  return bufferMs + roundTripMs / 2;
}

// The mean over the last interval, not since the beginning.
interface Sums {
  at: number;
  packets: number;
  lost: number;
  bufferS: number;
  emitted: number;
}
const sums = new WeakMap<Figures, Sums>();

function sumsOf(video: Row, audio: Row): Sums {
  return {
    at: video.timestamp ?? 0,
    packets: (video.packetsReceived ?? 0) + (audio.packetsReceived ?? 0),
    lost: (video.packetsLost ?? 0) + (audio.packetsLost ?? 0),
    bufferS: video.jitterBufferDelay ?? 0,
    emitted: video.jitterBufferEmittedCount ?? 0,
  };
}

function difference(now: Sums, before: Sums | undefined, name: keyof Sums): number {
  return now[name] - (before?.[name] ?? 0);
}

export function figuresOf(report: RTCStatsReport, clock: Clock, last?: Figures): Figures {
  const rows: Row[] = [];
  report.forEach((row: Row) => rows.push(row));
  const inbound = (kind: string): Row =>
    rows.find((row) => row.type === "inbound-rtp" && row.kind === kind) ?? {};
  const video = inbound("video");
  const audio = inbound("audio");
  const transport = rows.find((row) => row.type === "transport");
  const pair: Row = (transport && report.get(transport.selectedCandidatePairId)) ||
    rows.find((row) => row.type === "candidate-pair" && row.nominated) || {};
  const local: Row = report.get(pair.localCandidateId) ?? {};

  const before = last && sums.get(last);
  const now = sumsOf(video, audio);
  const packets = difference(now, before, "packets") + difference(now, before, "lost");
  const emitted = difference(now, before, "emitted");
  const bytesReceived = (video.bytesReceived ?? 0) + (audio.bytesReceived ?? 0);
  const elapsedS = before ? (now.at - before.at) / 1000 : 0;
  const roundTripMs = pair.currentRoundTripTime === undefined ? undefined
    : pair.currentRoundTripTime * 1000;
  const bufferMs = emitted > 0 ? (difference(now, before, "bufferS") / emitted) * 1000
    : last?.bufferMs;

  const figures: Figures = {
    transport: "WebRTC",
    codec: codecName(report.get(video.codecId)),
    audio: codecName(report.get(audio.codecId)),
    width: video.frameWidth,
    height: video.frameHeight,
    framesPerSecond: video.framesPerSecond,
    bitsPerSecond: elapsedS > 0 ? ((bytesReceived - (last?.bytesReceived ?? 0)) * 8) / elapsedS
      : undefined,
    lossPercent: packets > 0 ? (Math.max(0, difference(now, before, "lost")) / packets) * 100 : 0,
    roundTripMs,
    bufferMs,
    latencyMs: latencyOf(video, clock, bufferMs, roundTripMs),
    framesDecoded: video.framesDecoded,
    framesDropped: video.framesDropped,
    bytesReceived,
    path: local.protocol?.toUpperCase(),
  };
  sums.set(figures, now);
  return figures;
}
