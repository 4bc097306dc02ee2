// <culvert-player src="front-door" token="cv1_…">: puts a session and a view together.
//
//   src        a stream's name at the server that this module came from, or its page's address
//   token      what lets us watch; may also be src's fragment
//   transport  auto (WebRTC, else LL-HLS), webrtc, hls
//   page       on our own pages: the name is in the path, the token in the fragment
//
// Dispatches "culvert-status" with {state, words, transport}; the properties say the same.
import * as actions from "./actions";
import { type Address, addressOf, addressOfPage } from "./address";
import { showPoster } from "./poster";
import { type State, type Status, type Way, Session } from "./session";
import { sheetOf } from "./style";
import type { Figures } from "./transport";
import { type Action, ACTIONS, View } from "./view";
import { latency, rowsOf } from "./words";

const LEAVE_WHEN_PAUSED_MS = 30000;

export class CulvertPlayer extends HTMLElement {
  static readonly observedAttributes = ["src", "token", "transport"];

  private readonly view: View;
  private session: Session | null = null;
  private address: Address | null = null;
  private hidePoster: (() => void) | null = null;
  private status: Status = { state: "stopped", words: "" };
  private ticking = 0;
  private pauseTimer = 0;
  private restarting = false;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    this.view = new View(root, (action) => this.act(action), () => this.restart());
    this.followVideo();
    this.view.offer("full", actions.canFullScreen(this.video));
    this.view.offer("pip", actions.canPictureInPicture(this.video));
  }

  get video(): HTMLVideoElement {
    return this.view.video;
  }
  get state(): State {
    return this.status.state;
  }
  get words(): string {
    return this.status.words;
  }
  get transport(): string {
    return this.session?.current?.name ?? "";
  }
  get figures(): Figures {
    return this.session?.current?.figures() ?? { transport: "" };
  }

  connectedCallback(): void {
    if (this.isPage) document.adoptedStyleSheets = [sheetOf("body { margin: 0; background: #000 }")];
    this.keyTarget.addEventListener("keydown", this.onKey as EventListener);
    addEventListener("hashchange", this.onHash);
    addEventListener("pagehide", this.onPageHide);
    addEventListener("pageshow", this.onPageShow);
    document.addEventListener("fullscreenchange", this.onFullScreen);
    this.ticking = window.setInterval(() => this.tick(), 1000);
    this.restart();
  }

  disconnectedCallback(): void {
    this.keyTarget.removeEventListener("keydown", this.onKey as EventListener);
    removeEventListener("hashchange", this.onHash);
    removeEventListener("pagehide", this.onPageHide);
    removeEventListener("pageshow", this.onPageShow);
    document.removeEventListener("fullscreenchange", this.onFullScreen);
    clearInterval(this.ticking);
    this.leave();
  }

  // src and token often change together: begin once.
  attributeChangedCallback(): void {
    if (!this.isConnected || this.restarting) return;
    this.restarting = true;
    queueMicrotask(() => {
      this.restarting = false;
      if (this.isConnected) this.restart();
    });
  }

  private get isPage(): boolean {
    return this.hasAttribute("page");
  }

  // A page of ours has nothing else that wants keys.
  private get keyTarget(): EventTarget {
    return this.isPage ? document : this;
  }

  private leave(): void {
    clearTimeout(this.pauseTimer);
    this.session?.stop();
    this.session = null;
    this.hidePoster?.();
    this.hidePoster = null;
  }

  private restart(): void {
    this.leave();
    this.address = this.isPage ? addressOfPage()
      : addressOf(this.getAttribute("src") ?? "", this.getAttribute("token"));
    if (!this.address) {
      this.show({ state: "failed", words: "This player was not told what to play: set its src." });
      return;
    }
    const { slug, token } = this.address;
    this.view.name(`Camera ${slug}, live`);
    if (this.isPage) document.title = `${slug} · live`;
    if (!token) {
      const words = "No token. Use the whole address that you were given, with what follows the #.";
      this.show({ state: "failed", words });
      return;
    }
    const way = (this.getAttribute("transport") ?? "auto") as Way;
    this.hidePoster = showPoster(this.address, this.video);
    this.session = new Session(this.address, this.video, way, (status) => this.show(status));
    this.session.start();
  }

  private show(status: Status): void {
    const isNews = status.state !== this.status.state || status.words !== this.status.words;
    this.status = status;
    if (!isNews) return;
    this.view.say(status.words, status.state === "failed" && this.session !== null,
      status.state === "playing");
    const detail = { state: status.state, words: status.words, transport: this.transport };
    this.dispatchEvent(new CustomEvent("culvert-status", { detail }));
  }

  private tick(): void {
    const { figures } = this;
    const late = this.status.state === "playing" ? latency(figures.latencyMs) : "";
    this.view.showLatency(late ? `Live, ${late} behind` : "Live");
    if (this.view.hasTable) this.view.fillTable(rowsOf(figures));
  }

  // ---- what a person does ----------------------------------------------------------------------
  private act(action: Action): void {
    const done: Record<Action, () => unknown> = {
      pause: () => this.togglePause(),
      mute: () => (this.video.muted = !this.video.muted),
      full: () => actions.toggleFullScreen(this.isPage ? document.documentElement : this, this.video),
      pip: () => actions.togglePictureInPicture(this.video),
      photo: () => actions.savePicture(this.video, this.address?.slug ?? "camera"),
      info: () => {
        this.view.toggleTable();
        this.tick();
      },
    };
    Promise.resolve(done[action]()).catch(() => undefined); // the browser says no: nothing happens
  }

  // Who pauses for long isn't sent what they don't see.
  private togglePause(): void {
    if (!this.video.paused) {
      this.video.pause();
      this.pauseTimer = window.setTimeout(() => {
        this.session?.stop();
        this.show({ state: "stopped", words: "Paused" });
      }, LEAVE_WHEN_PAUSED_MS);
      return;
    }
    clearTimeout(this.pauseTimer);
    if (this.session?.current) {
      this.session.current.goLive();
      this.video.play().catch(() => undefined);
    } else {
      this.restart();
    }
  }

  private readonly onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    const target = event.composedPath()[0];
    const key = event.key.toLowerCase();
    // Space on a button presses that button.
    if (key === " " && target instanceof HTMLButtonElement) return;
    const row = ACTIONS.find((row) => row.key === (key === " " ? "k" : key));
    if (!row) return;
    event.preventDefault();
    this.act(row.action);
  };

  private followVideo(): void {
    const { video, view } = this;
    video.onplay = video.onpause = () => view.press("pause", video.paused);
    video.onvolumechange = () => view.press("mute", video.muted);
    video.onenterpictureinpicture = () => view.press("pip", true);
    video.onleavepictureinpicture = () => view.press("pip", false);
    view.press("mute", video.muted);
  }

  private readonly onFullScreen = () => this.view.press("full", document.fullscreenElement !== null);
  private readonly onHash = () => this.isPage && this.restart();
  private readonly onPageHide = () => this.session?.stop();
  private readonly onPageShow = (event: PageTransitionEvent) => event.persisted && this.restart();
}
