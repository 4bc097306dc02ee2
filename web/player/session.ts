// Keeps one stream playing: WebRTC first, LL-HLS where that can't be, and again after a while when
// either ends. Says each change in words; knows nothing of what shows them.
import type { Address } from "./address";
import { openHls } from "./hls";
import { Problem, asProblem } from "./problem";
import type { News, Transport } from "./transport";
import { openWhep } from "./whep";

export type State = "connecting" | "playing" | "waiting" | "stopped" | "failed";
export type Way = "auto" | "webrtc" | "hls";

export interface Status {
  state: State;
  words: string;
  problem?: Problem;
}

const BACK_OFF_MS = [500, 15000];
const STEADY_MS = 10000; // what played so long has earned a quick first retry
const REMEMBER_MS = 300000; // so long a network that WebRTC couldn't cross is not tried again
const QUIET_MS = 3000; // without pictures: say so
const DEAD_MS = 20000; // and begin anew

// The states that the server tells of a camera and its agent, where pictures can't come.
const STATES: Record<string, string> = {
  away: "The camera's site is offline. Waiting for it…",
  "agent-away": "The camera's site is offline. Waiting for it…",
  offline: "The camera's site is offline. Waiting for it…",
  starting: "The camera is starting…",
  connecting: "The camera is starting…",
  unreachable: "The camera can't be reached. Waiting for it…",
  unauthorised: "The camera refuses its password: it must be set anew at the server.",
  unsupported: "The camera sends nothing that can be shown.",
  stalled: "The camera is connected but sends nothing. Waiting for it…",
};

export class Session {
  private transport: Transport | null = null;
  private leaving = new AbortController();
  private timer = 0;
  private watch = 0;
  private failures = 0;
  private hlsUntil = 0;
  private playingSince = 0;
  private pictureAt = 0;
  private frames = 0;
  private news: News = {};

  constructor(
    private readonly address: Address,
    private readonly video: HTMLVideoElement,
    private readonly way: Way,
    private readonly onStatus: (status: Status) => void,
  ) {}

  start(): void {
    this.stop();
    this.leaving = new AbortController();
    addEventListener("online", this.retryNow);
    void this.attempt();
  }

  // Leaves the stream. start begins again.
  stop(): void {
    removeEventListener("online", this.retryNow);
    this.leaving.abort();
    clearTimeout(this.timer);
    clearInterval(this.watch);
    this.timer = 0;
    this.transport?.close();
    this.transport = null;
  }

  get current(): Transport | null {
    return this.transport;
  }

  private readonly retryNow = () => {
    if (!this.timer) return;
    clearTimeout(this.timer);
    void this.attempt();
  };

  private async attempt(): Promise<void> {
    const { signal } = this.leaving;
    this.timer = 0;
    this.onStatus({ state: "connecting", words: "Connecting…" });
    try {
      const transport = await this.open(signal);
      if (signal.aborted) transport.close();
      else this.begin(transport);
    } catch (error) {
      if (!signal.aborted) this.fail(asProblem(error));
    }
  }

  private async open(signal: AbortSignal): Promise<Transport> {
    const request = {
      video: this.video,
      signal,
      listener: {
        onNews: (news: News) => this.hear(news),
        onEnd: (problem: Problem) => this.ended(problem),
      },
    };
    if (this.way === "hls" || (this.way === "auto" && Date.now() < this.hlsUntil))
      return openHls(this.address, request);
    try {
      return await openWhep(this.address, request);
    } catch (error) {
      const problem = asProblem(error);
      // Between websites, what the server doesn't know looks like a network that is down.
      const mayHelp = problem.cure === "other" || error instanceof TypeError;
      if (this.way !== "auto" || !mayHelp || signal.aborted) throw problem;
      const transport = await this.openInstead(problem, () => openHls(this.address, request));
      this.hlsUntil = Date.now() + REMEMBER_MS;
      return transport;
    }
  }

  // When neither way plays, what was wrong with the first says more than "no such route".
  private async openInstead(first: Problem, open: () => Promise<Transport>): Promise<Transport> {
    try {
      return await open();
    } catch (error) {
      const second = asProblem(error);
      throw second.cure === "other" && first.detail ? first : second;
    }
  }

  private begin(transport: Transport): void {
    this.transport = transport;
    this.playingSince = this.pictureAt = performance.now();
    this.frames = this.framesNow();
    this.news = {};
    this.video.play().catch(() => undefined); // refused: the page shows that it is paused
    clearInterval(this.watch);
    this.watch = window.setInterval(() => this.look(), 500);
    this.video.requestVideoFrameCallback?.(() => this.seen(transport));
  }

  // The words go with the first picture, not up to a look later.
  private seen(transport: Transport): void {
    if (this.transport !== transport) return;
    this.pictureAt = performance.now();
    this.onStatus({ state: "playing", words: "" });
  }

  private framesNow(): number {
    return this.video.getVideoPlaybackQuality?.().totalVideoFrames ?? this.video.currentTime;
  }

  // Are pictures coming? A page that is hidden or paused can't tell.
  private look(): void {
    const now = performance.now();
    const frames = this.framesNow();
    const hasNew = frames !== this.frames;
    this.frames = frames;
    if (hasNew || this.video.paused || document.hidden) this.pictureAt = now;
    if (hasNew) this.onStatus({ state: "playing", words: "" });
    else if (now - this.pictureAt > DEAD_MS && this.transport?.name !== "WebRTC")
      this.ended(new Problem("No pictures are coming", "", "later"));
    else if (now - this.pictureAt > QUIET_MS)
      this.onStatus({ state: "waiting", words: this.whyQuiet() });
  }

  private whyQuiet(): string {
    const { camera = "", agent = "" } = this.news;
    return STATES[agent] ?? STATES[camera] ?? "No pictures are coming from the camera. Waiting…";
  }

  private hear(news: News): void {
    this.news = news;
  }

  private ended(problem: Problem): void {
    if (performance.now() - this.playingSince > STEADY_MS) this.failures = 0;
    if (problem.cure === "other") this.hlsUntil = Date.now() + REMEMBER_MS;
    this.fail(problem.cure === "other" ? new Problem(problem.title, problem.detail, "later") : problem);
  }

  private fail(problem: Problem): void {
    clearInterval(this.watch);
    this.transport?.close();
    this.transport = null;
    if (problem.cure !== "later") {
      this.onStatus({ state: "failed", words: problem.message, problem });
      return;
    }
    const waitMs = this.backOffMs(problem.retryAfterS);
    this.onStatus({ state: "waiting", words: `${problem.message} Trying again…`, problem });
    this.timer = window.setTimeout(() => void this.attempt(), waitMs);
  }

  // Half of it is chance, so that a server that comes back isn't met by all its viewers at once.
  private backOffMs(leastS: number): number {
    const [first, most] = BACK_OFF_MS;
    const full = Math.min(most, first * 2 ** this.failures++);
    return leastS * 1000 * (1 + Math.random() / 2) + full * (0.5 + Math.random() / 2);
  }
}
