// The style of all views. Borders are drawn inside their boxes: a page may cut off what lies outside.

export const STYLE = `
:host { display: block; position: relative; max-width: 60rem; padding: 5px; margin-bottom: 1.2rem; line-height: 1.4; }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
h3 { margin: 0 0 .3rem; font-size: 1em; font-weight: 600; }
p, figure { margin: 0; }
canvas { display: block; }
.picture { width: 100%; image-rendering: pixelated; border: 1px solid var(--line); border-radius: 3px; }
figcaption, .title, .note { font-size: .8rem; opacity: .85; }
.note, .title { margin: .35rem 0 .15rem; }
.bar { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .7rem; margin: .4rem 0; font-size: .85rem; }
button { font: inherit; color: inherit; background: none; border: 1px solid var(--line); border-radius: 4px;
  padding: .2rem .6rem; min-height: 2rem; cursor: pointer; }
button:hover { background: var(--faint); }
button[aria-pressed=true] { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent);
  color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
input { accent-color: var(--accent); }
label { display: inline-flex; align-items: center; gap: .4rem; }
.choice { display: inline-flex; }
.choice button { border-radius: 0; margin-left: -1px; }
.choice button:first-child { border-radius: 4px 0 0 4px; }
.choice button:last-child { border-radius: 0 4px 4px 0; }
.legend { display: flex; flex-wrap: wrap; gap: .15rem; }
.class { border-color: transparent; padding: .1rem .4rem; display: inline-flex; align-items: center; gap: .3rem; }
.dot { width: .7em; height: .7em; border-radius: 50%; }
.panels { display: grid; gap: 1.2rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 13rem), 1fr)); }
.panels.single { grid-template-columns: minmax(0, 1fr); }
.panels.single .panel { display: grid; grid-template-columns: minmax(0, 26rem) minmax(0, 1fr); gap: 1rem; }
.panels.single .strip, .brief h3 { grid-column: 1 / -1; }
.brief { grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); }
.brief .panel { display: grid; grid-template-columns: 3fr 2fr; gap: 0 .8rem; }
.pad { position: relative; width: 100%; max-width: 26rem; aspect-ratio: 1; cursor: crosshair; user-select: none;
  border: 1px solid var(--line); border-radius: 4px; }
.pad[tabindex] { touch-action: none; }
.pad .below, .pad .above { position: absolute; inset: 0; width: 100%; height: 100%; }
.pad .above { pointer-events: none; }
.tip { position: absolute; z-index: 1; width: 5.5rem; padding: .3rem; pointer-events: none; text-align: center;
  border-radius: 4px; background: var(--paper); border: 1px solid var(--line); }
.aside { display: flex; flex-wrap: wrap; gap: .8rem; align-content: start; margin-top: .6rem; }
.single .aside, .brief .aside { margin-top: 0; }
.aside .decoded { flex: 2 1 6rem; max-width: 12.5rem; }
.aside .closest { flex: 1 1 5rem; max-width: 7rem; }
.strip, .row { display: flex; gap: 3px; margin-top: .3rem; }
.strip > *, .row > * { flex: 1 1 0; min-width: 0; }
.row figcaption { text-align: center; }
.drawing { display: grid; grid-template-columns: minmax(0, 16rem) minmax(0, 1fr); gap: 1.4rem; }
.sheet { cursor: crosshair; touch-action: none; aspect-ratio: 1; }
.examples { display: grid; grid-template-columns: repeat(5, 1fr); gap: 4px; }
.example { padding: 2px; }
.example .picture { border: 0; }
.pair { display: flex; gap: .6rem; }
.pair > * { flex: 1 1 0; min-width: 0; max-width: 10rem; }
.bars { width: 100%; height: 3.5rem; }
.score { margin-top: .6rem; }
.control { display: inline-flex; align-items: center; gap: .4rem; }
.sliders { display: grid; gap: .15rem; }
.slider { display: grid; grid-template-columns: 3.2rem minmax(0, 1fr) 3rem 5.5rem; align-items: center; gap: .6rem;
  font-size: .85rem; }
.slider output { text-align: right; font-variant-numeric: tabular-nums; }
.told { font-size: .8rem; opacity: .85; }
.share { display: block; height: 3px; background: var(--accent); }
.scores { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: 0 0 .6rem; font-size: .85rem; }
.scores div { display: flex; gap: .4rem; }
.scores dt { opacity: .85; }
.scores dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; }
.grid { display: grid; gap: 2px; max-width: 26rem; }
.cell { min-height: 0; aspect-ratio: 1; padding: 0; font-size: clamp(.5rem, 2.2cqw, .85rem);
  font-variant-numeric: tabular-nums; }
.offers { grid-template-columns: repeat(auto-fill, minmax(3rem, 1fr)); }
input[type=number] { font: inherit; width: 5rem; color: inherit; background: var(--paper);
  border: 1px solid var(--line); border-radius: 4px; padding: .2rem .4rem; }
.texts { margin: .4rem 0 0; padding-left: 2.2rem; }
.texts li { padding: .1rem .4rem; opacity: .6; border-left: 3px solid transparent; overflow-wrap: anywhere; }
.texts [aria-current=step] { opacity: 1; border-color: var(--accent); background: var(--faint); }
.scrubber { flex: 1 1 10rem; min-width: 6rem; }
.now { min-width: 5rem; font-variant-numeric: tabular-nums; }
.line { flex: 1 1 100%; }
.spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
@container (max-width: 30rem) {
  .panels.single .panel, .drawing { grid-template-columns: minmax(0, 1fr); }
  .sheet { max-width: 18rem; }
}
.frame { container-type: inline-size; }
`;
