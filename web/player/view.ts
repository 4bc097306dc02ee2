// What is seen of a player: the video, words over it, a bar of buttons, the statistics. Knows
// nothing of streams.
import { SHADOW_CSS, sheetOf } from "./style";

export type Action = "pause" | "mute" | "full" | "pip" | "photo" | "info";

interface Row {
  action: Action;
  key: string;
  label: string;
  icon: string; // the path of a 24 by 24 picture
  isSwitch: boolean;
}

// Each button, its key, and what a screen reader says.
export const ACTIONS: Row[] = [
  { action: "pause", key: "k", label: "Pause", isSwitch: true, icon: "M6 5h4v14H6zM14 5h4v14h-4z" },
  { action: "mute", key: "m", label: "Mute", isSwitch: true,
    icon: "M3 9v6h4l5 5V4L7 9zM15 8.5a4 4 0 0 1 0 7zM15 4a8.3 8.3 0 0 1 0 16v-2.2a6.2 6.2 0 0 0 0-11.6z" },
  { action: "photo", key: "s", label: "Save a picture", isSwitch: false,
    icon: "M9 4l-2 3H3v12h18V7h-4l-2-3zm3 5a4 4 0 1 1 0 8 4 4 0 0 1 0-8z" },
  { action: "info", key: "i", label: "Statistics", isSwitch: true,
    icon: "M4 20V12h3v8zM10.5 20V4h3v16zM17 20V9h3v11z" },
  { action: "pip", key: "p", label: "Picture in picture", isSwitch: true,
    icon: "M2 4h20v16H2zM4 6v12h16V6zM12 12h7v5h-7z" },
  { action: "full", key: "f", label: "Full screen", isSwitch: true,
    icon: "M3 3h7v2H5v5H3zM14 3h7v7h-2V5h-5zM3 14h2v5h5v2H3zM19 14h2v7h-7v-2h5z" },
];

const IDLE_MS = 3000;
const SVG = "http://www.w3.org/2000/svg";

function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  parent: ParentNode & Node,
  attributes: Record<string, string> = {},
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent.appendChild(element);
  return element;
}

function makeIcon(button: HTMLElement, path: string): void {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(SVG, "path");
  shape.setAttribute("d", path);
  shape.setAttribute("fill-rule", "evenodd");
  svg.appendChild(shape);
  button.appendChild(svg);
}

export class View {
  readonly frame: HTMLElement;
  readonly video: HTMLVideoElement;
  private readonly words: HTMLElement;
  private readonly live: HTMLElement;
  private readonly again: HTMLButtonElement;
  private readonly table: HTMLElement;
  private readonly buttons = new Map<Action, HTMLButtonElement>();
  private idleTimer = 0;

  constructor(root: ShadowRoot, onAction: (action: Action) => void, onAgain: () => void) {
    root.adoptedStyleSheets = [sheetOf(SHADOW_CSS)];
    this.frame = make("div", root, { class: "frame", role: "region", tabindex: "0" });
    this.video = make("video", this.frame, { playsinline: "", "aria-label": "Live picture" });
    this.video.muted = true; // else browsers refuse to begin by themselves
    this.words = make("div", this.frame, { class: "words", role: "status", "aria-live": "polite" });
    this.table = make("dl", this.frame, { class: "figures", "aria-label": "Statistics" });
    this.table.hidden = true;
    this.again = make("button", this.frame, { class: "again", type: "button" });
    this.again.textContent = "Try again";
    this.again.hidden = true;
    this.again.onclick = onAgain;
    const bar = make("div", this.frame, { class: "bar", role: "group", "aria-label": "Controls" });
    this.live = make("span", bar, { class: "live" });
    this.live.textContent = "Live";
    for (const row of ACTIONS) this.addButton(bar, row, onAction);
    this.followPointer();
  }

  private addButton(bar: HTMLElement, row: Row, onAction: (action: Action) => void): void {
    const title = `${row.label} (${row.key})`;
    const button = make("button", bar, { type: "button", title, "aria-label": row.label,
      "aria-keyshortcuts": row.key });
    if (row.isSwitch) button.setAttribute("aria-pressed", "false");
    makeIcon(button, row.icon);
    button.onclick = () => onAction(row.action);
    this.buttons.set(row.action, button);
  }

  private followPointer(): void {
    const wake = () => {
      this.frame.classList.remove("idle");
      clearTimeout(this.idleTimer);
      this.idleTimer = window.setTimeout(() => this.frame.classList.add("idle"), IDLE_MS);
    };
    for (const name of ["pointermove", "pointerdown", "keydown", "focusin"])
      this.frame.addEventListener(name, wake);
    wake();
  }

  name(text: string): void {
    this.frame.setAttribute("aria-label", text);
  }

  say(words: string, canTryAgain: boolean, isPlaying: boolean): void {
    // The same words again are not said again.
    if (this.words.textContent !== words) this.words.textContent = words;
    this.again.hidden = !canTryAgain;
    this.frame.classList.toggle("playing", isPlaying);
  }

  showLatency(text: string): void {
    this.live.textContent = text;
  }

  press(action: Action, isPressed: boolean): void {
    this.buttons.get(action)!.setAttribute("aria-pressed", String(isPressed));
  }

  offer(action: Action, isOffered: boolean): void {
    this.buttons.get(action)!.hidden = !isOffered;
  }

  get hasTable(): boolean {
    return !this.table.hidden;
  }

  toggleTable(): void {
    this.table.hidden = !this.table.hidden;
    this.press("info", this.hasTable);
  }

  fillTable(rows: [string, string][]): void {
    this.table.replaceChildren();
    for (const [name, value] of rows) {
      make("dt", this.table).textContent = name;
      make("dd", this.table).textContent = value;
    }
  }
}
