// One viewer by Low-Latency HLS: hls.js where the browser has Media Source Extensions, else the
// browser's own player (Safari on older telephones).
//
// We fetch the first playlist ourselves, with the token in a header: what it names is the path of
// this viewer's session, and that needs no token any more. So no player ever sees the token.
import { type Address, credentials, urlOf } from "./address";
import { Problem, ask, problemOfNetwork } from "./problem";
import type { Figures, Listener, Request, Transport } from "./transport";

const PLAYLIST_S = 15;
const NATIVE_TYPE = "application/vnd.apple.mpegurl";

// What we use of hls.js.
interface HlsLevel {
  videoCodec?: string;
  audioCodec?: string;
}
interface HlsError {
  fatal: boolean;
  details: string;
  response?: { code?: number };
}
interface HlsPlayer {
  latency: number;
  liveSyncPosition: number | null;
  levels: HlsLevel[];
  on(event: string, listener: (event: string, detail: any) => void): void;
  loadSource(url: string): void;
  attachMedia(video: HTMLVideoElement): void;
  destroy(): void;
}
interface HlsModule {
  default: { new (options: object): HlsPlayer; isSupported(): boolean };
}

interface Playlist {
  url: string;
  codecs: string;
}

export async function openHls(address: Address, request: Request): Promise<Transport> {
  const playlist = await findSession(address, request.signal);
  const hls = hasMediaSource() ? await loadHlsJs() : null;
  if (request.signal.aborted) throw new Problem("Left", "", "later");
  if (hls) {
    refuseCodecs(playlist.codecs);
    return new HlsJs(hls, playlist, request.video, request.listener);
  }
  if (request.video.canPlayType(NATIVE_TYPE))
    return new NativeHls(playlist, request.video, request.listener);
  throw new Problem("This browser plays neither WebRTC nor HLS", "", "person");
}

async function findSession(address: Address, signal: AbortSignal): Promise<Playlist> {
  const options = { headers: credentials(address), signal };
  const response = await ask(urlOf(address, "/hls/SLUG/index.m3u8"), options, PLAYLIST_S);
  const text = await response.text();
  const path = text.split("\n").find((line) => line.trim() && !line.startsWith("#"));
  if (!path) throw new Problem("The server's playlist is empty", "", "later");
  return {
    url: new URL(path.trim(), response.url).href,
    codecs: /CODECS="([^"]*)"/.exec(text)?.[1] ?? "",
  };
}

function mediaSource(): typeof MediaSource | undefined {
  const scope = window as { ManagedMediaSource?: typeof MediaSource };
  return scope.ManagedMediaSource ?? window.MediaSource;
}

function hasMediaSource(): boolean {
  return mediaSource() !== undefined;
}

async function loadHlsJs(): Promise<HlsModule["default"] | null> {
  try {
    const url = new URL("hls.js", import.meta.url).href;
    const module: HlsModule = await import(url);
    return module.default.isSupported() ? module.default : null;
  } catch {
    return null; // the server was built without it
  }
}

const CODEC_NAMES: [RegExp, string][] = [
  [/^(hvc1|hev1)/, "H.265"],
  [/^avc1/, "H.264"],
  [/^av01/, "AV1"],
  [/^mp4a/, "AAC"],
  [/^opus/i, "Opus"],
];

function nameOf(codec: string): string {
  return CODEC_NAMES.find(([pattern]) => pattern.test(codec))?.[1] ?? codec;
}

function refuseCodecs(codecs: string): void {
  const missing = codecs
    .split(",")
    .map((codec) => codec.trim())
    .find((codec) => codec && !mediaSource()!.isTypeSupported(`video/mp4; codecs="${codec}"`));
  if (missing)
    throw new Problem(
      `This browser can't play ${nameOf(missing)}`,
      "Another browser may, or let the camera send H.264 and AAC.",
      "person",
    );
}

// What both ways have in common: figures from the video element, and the end.
abstract class HlsBase implements Transport {
  readonly name: string = "LL-HLS";
  protected isOver = false;
  private readonly watch: number;
  private last: Figures;
  private lastFrames = 0;
  private lastAt = performance.now();

  constructor(
    protected readonly playlist: Playlist,
    protected readonly video: HTMLVideoElement,
    private readonly listener: Listener,
  ) {
    this.last = { transport: this.name };
    this.watch = window.setInterval(() => this.measure(), 1000);
  }

  protected end(problem: Problem): void {
    if (this.isOver) return;
    this.close();
    this.listener.onEnd(problem);
  }

  figures(): Figures {
    return this.last;
  }

  private measure(): void {
    const quality = this.video.getVideoPlaybackQuality?.();
    const frames = quality?.totalVideoFrames ?? 0;
    const now = performance.now();
    const [codec, audio] = this.playlist.codecs.split(",").map(nameOf);
    const buffered = this.video.buffered;
    const ahead = buffered.length ? buffered.end(buffered.length - 1) - this.video.currentTime : 0;
    this.last = {
      transport: this.name,
      codec,
      audio,
      width: this.video.videoWidth,
      height: this.video.videoHeight,
      framesPerSecond: ((frames - this.lastFrames) * 1000) / (now - this.lastAt),
      bufferMs: ahead * 1000,
      framesDecoded: frames,
      framesDropped: quality?.droppedVideoFrames,
      path: "TCP",
      ...this.more(),
    };
    this.lastFrames = frames;
    this.lastAt = now;
  }

  protected abstract more(): Partial<Figures>;
  abstract goLive(): void;

  close(): void {
    this.isOver = true;
    clearInterval(this.watch);
  }
}

class HlsJs extends HlsBase {
  private readonly hls: HlsPlayer;
  private bits: number | undefined;

  constructor(
    Hls: HlsModule["default"],
    playlist: Playlist,
    video: HTMLVideoElement,
    listener: Listener,
  ) {
    super(playlist, video, listener);
    this.hls = new Hls({
      lowLatencyMode: true,
      maxLiveSyncPlaybackRate: 1.2,
      backBufferLength: 10,
      enableWorker: false, // CMAF needs no remuxing, and a worker from a blob needs a wider policy
    });
    this.hls.on("hlsError", (_, error: HlsError) => this.hear(error));
    this.hls.on("hlsFragLoaded", (_, { frag, part }) => this.count(part ?? frag));
    this.hls.attachMedia(video);
    this.hls.loadSource(playlist.url);
  }

  private count(piece: { duration?: number; stats?: { total?: number } }): void {
    if (piece.duration && piece.stats?.total) this.bits = (piece.stats.total * 8) / piece.duration;
  }

  private hear(error: HlsError): void {
    if (!error.fatal) return;
    const code = error.response?.code ?? 0;
    if (/codec/i.test(error.details))
      this.end(new Problem("This browser can't play the camera's codec", "", "person"));
    else if (code === 403) this.end(new Problem("The server ended this session", "", "later"));
    else if (code === 503) this.end(new Problem("The camera is away", "", "later"));
    else if (/load/i.test(error.details)) this.end(problemOfNetwork());
    else this.end(new Problem("Playing failed", error.details, "later"));
  }

  protected more(): Partial<Figures> {
    const latency = this.hls.latency;
    return { bitsPerSecond: this.bits, latencyMs: latency ? latency * 1000 : undefined };
  }

  goLive(): void {
    if (this.hls.liveSyncPosition) this.video.currentTime = this.hls.liveSyncPosition;
  }

  close(): void {
    if (this.isOver) return;
    super.close();
    this.hls.destroy();
  }
}

class NativeHls extends HlsBase {
  private readonly onError = () => {
    const isCodec = this.video.error?.code === MediaError.MEDIA_ERR_DECODE;
    this.end(isCodec ? new Problem("This browser can't play the camera's codec", "", "person")
      : new Problem("The connection was lost", "", "later"));
  };
  private readonly onEnded = () => this.end(new Problem("The stream ended", "", "later"));

  constructor(playlist: Playlist, video: HTMLVideoElement, listener: Listener) {
    super(playlist, video, listener);
    video.addEventListener("error", this.onError);
    video.addEventListener("ended", this.onEnded);
    video.src = playlist.url;
  }

  protected more(): Partial<Figures> {
    const video = this.video as HTMLVideoElement & { getStartDate?: () => Date };
    const start = video.getStartDate?.().getTime();
    return { latencyMs: start ? Date.now() - start - video.currentTime * 1000 : undefined };
  }

  goLive(): void {
    const range = this.video.seekable;
    if (range.length) this.video.currentTime = range.end(range.length - 1);
  }

  close(): void {
    if (this.isOver) return;
    super.close();
    this.video.removeEventListener("error", this.onError);
    this.video.removeEventListener("ended", this.onEnded);
    this.video.removeAttribute("src");
    this.video.load();
  }
}
