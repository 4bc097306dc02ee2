// The player's looks, as a constructable style sheet: no inline style, so a page's policy needs no
// exception for it.
export const SHADOW_CSS = `
:host { display: block; position: relative; background: #000; color: #fff; overflow: hidden;
  aspect-ratio: 16 / 9; font: 14px/1.4 system-ui, sans-serif }
:host([hidden]) { display: none }
:host([page]) { position: fixed; inset: 0; aspect-ratio: auto }
.frame { position: absolute; inset: 0; outline: none }
.frame:focus-visible { box-shadow: inset 0 0 0 3px #6cf }
video { width: 100%; height: 100%; object-fit: contain; display: block; background: #000 }
.words { position: absolute; left: 50%; top: 50%; transform: translate(-50%, -50%);
  max-width: min(34em, 86%); padding: .8em 1.1em; border-radius: .5em; text-align: center;
  background: rgb(0 0 0 / .78) }
.words:empty, .figures[hidden], button[hidden] { display: none }
.again { position: absolute; left: 50%; bottom: 22%; transform: translateX(-50%) }
.bar { position: absolute; left: 0; right: 0; bottom: 0; display: flex; flex-wrap: wrap; gap: .3em;
  align-items: center; padding: .5em; background: linear-gradient(transparent, rgb(0 0 0 / .8));
  transition: opacity .2s }
.idle { cursor: none }
.idle .bar:not(:focus-within) { opacity: 0 }
.live { margin-inline-end: auto; padding-inline: .4em; font-variant-numeric: tabular-nums }
.live::before { content: ""; display: inline-block; width: .6em; height: .6em; border-radius: 50%;
  margin-inline-end: .45em; background: #888 }
.playing .live::before { background: #f43 }
button { min-width: 2.6em; min-height: 2.6em; padding: 0 .55em; border: 0; border-radius: .4em;
  font: inherit; color: inherit; background: rgb(40 40 40 / .8); cursor: pointer }
button:hover { background: #555 }
button:focus-visible { outline: 3px solid #6cf; outline-offset: 1px }
button[aria-pressed=true] { background: #246 }
svg { width: 1.3em; height: 1.3em; fill: currentColor; display: block; margin: auto }
.figures { position: absolute; left: .7em; top: .7em; margin: 0; padding: .6em .8em;
  border-radius: .4em; background: rgb(0 0 0 / .75); display: grid; gap: 0 1em;
  grid-template-columns: auto auto; font: 12px/1.5 ui-monospace, monospace }
.figures dt { color: #aaa }
.figures dd { margin: 0; text-align: end }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
@media (prefers-reduced-motion: reduce) { .bar { transition: none } }
`;

export function sheetOf(css: string): CSSStyleSheet {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  return sheet;
}
