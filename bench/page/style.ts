/** How a page looks: in the light and in the dark, on a wide screen and on a phone. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5c6670; --line: #d5dae0; --paper: #fff; --band: #f4f6f8;
	--c0: #2563eb; --c1: #d97706; --c2: #059669; --c3: #dc2626; --c4: #7c3aed; --c5: #0891b2; --c6: #be185d; --c7: #65a30d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #9aa4af; --line: #333a42; --paper: #14171a; --band: #1d2126;
	--c0: #60a5fa; --c1: #fbbf24; --c2: #34d399; --c3: #f87171; --c4: #a78bfa; --c5: #22d3ee; --c6: #f472b6; --c7: #a3e635; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 72rem; color: var(--ink); background: var(--paper);
	font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 .2rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .4rem; }
p { margin: .2rem 0 .6rem; max-width: 60rem; } header p, section > p { color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: .2rem .7rem .2rem 0; text-align: left; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; } td.number { text-align: right; }
td:not(.number) { white-space: normal; min-width: 6rem; } tbody tr:hover { background: var(--band); }
.chart { min-height: 320px; width: 100%; } .u-legend { font-size: 13px; color: var(--ink); } .u-legend th { border: 0; }
.u-legend td { border: 0; } .u-legend { white-space: normal; } .u-legend.u-inline th { white-space: nowrap; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin-bottom: .5rem; font-size: 13px; }
.key i { display: inline-block; width: .8em; height: .8em; margin-right: .35em; border-radius: 2px; vertical-align: -1px; }
.row { display: flex; align-items: center; gap: .6rem; margin: 2px 0; }
.name { flex: 0 0 11rem; font-size: 13px; text-align: right; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
	font-variant-numeric: tabular-nums; }
.bars, .ruler { position: relative; flex: 1; height: 1.1rem; background: var(--band); }
.bars i { position: absolute; top: 0; bottom: 0; }
.ruler { display: flex; justify-content: space-between; background: none; font-size: 12px; color: var(--soft); }
${Array.from({ length: 8 }, (_, i) => `.kind${i} { background: var(--c${i}); }`).join(' ')}
@media (max-width: 40rem) { body { padding: .6rem; font-size: 14px; } .name { flex-basis: 6.5rem; font-size: 12px; }
	.chart { min-height: 260px; } }
`;
