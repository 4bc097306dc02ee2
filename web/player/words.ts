// Figures as rows of a table for people.
import type { Figures } from "./transport";

function rounded(value: number | undefined, unit: string, digits = 0): string {
  return value === undefined || !Number.isFinite(value) ? "" : `${value.toFixed(digits)} ${unit}`;
}

export function bitRate(bits: number | undefined): string {
  if (bits === undefined) return "";
  return bits >= 1e6 ? rounded(bits / 1e6, "Mbit/s", 2) : rounded(bits / 1e3, "kbit/s");
}

export function latency(ms: number | undefined): string {
  if (ms === undefined) return "";
  return ms < 1000 ? rounded(ms, "ms") : rounded(ms / 1000, "s", 1);
}

export function rowsOf(figures: Figures): [string, string][] {
  const { width, height, path } = figures;
  const rows: [string, string][] = [
    ["Transport", figures.transport + (path ? " over " + path : "")],
    ["Codec", [figures.codec, figures.audio].filter(Boolean).join(", ")],
    ["Resolution", width ? `${width} × ${height}` : ""],
    ["Frames", rounded(figures.framesPerSecond, "/s")],
    ["Dropped", rounded(figures.framesDropped, "frames")],
    ["Bit rate", bitRate(figures.bitsPerSecond)],
    ["Loss", rounded(figures.lossPercent, "%", 1)],
    ["Round trip", rounded(figures.roundTripMs, "ms")],
    ["Buffer", rounded(figures.bufferMs, "ms")],
    ["Latency", latency(figures.latencyMs)],
  ];
  return rows.filter(([, value]) => value !== "");
}
