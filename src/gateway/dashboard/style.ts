/** How the dashboard looks: in the light and in the dark, on a wide screen and on a phone. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --paper: #fff; --band: #f4f6f8;
	--good: #116329; --bad: #b3261e; --warm: #8a4b00; --accent: #0b57d0;
	--c0: #2563eb; --c1: #b45309; --c2: #047857; --c3: #b91c1c; --c4: #6d28d9; --c5: #0e7490; --c6: #be185d; --c7: #4d7c0f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #a3adb8; --line: #3a424b; --paper: #14171a; --band: #1d2126;
	--good: #5fd38a; --bad: #ff8a80; --warm: #f0b35a; --accent: #8ab4f8;
	--c0: #60a5fa; --c1: #fbbf24; --c2: #34d399; --c3: #f87171; --c4: #a78bfa; --c5: #22d3ee; --c6: #f472b6; --c7: #a3e635; } }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0 auto; padding: .8rem 1rem 3rem; max-width: 84rem; color: var(--ink); background: var(--paper);
	font: 15px/1.45 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .3rem 1rem; margin-bottom: .8rem; }
h1 { font-size: 1.3rem; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
h3 { font-size: .9rem; margin: 0 0 .2rem; }
#state { margin: 0; color: var(--soft); flex: 1 1 12rem; }
#state::before { content: ''; display: inline-block; width: .6em; height: .6em; margin-right: .45em; border-radius: 50%;
	background: var(--soft); }
#state.good::before { background: var(--good); } #state.bad::before { background: var(--bad); }
button, input { font: inherit; color: inherit; background: var(--band); border: 1px solid var(--soft); border-radius: 6px;
	padding: .3rem .8rem; min-height: 2.4rem; }
button { cursor: pointer; } button:hover { border-color: var(--ink); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: end; padding: .8rem; border: 1px solid var(--line); border-radius: 8px; }
form label { display: grid; gap: .2rem; flex: 1 1 14rem; } form p { margin: 0; flex: 1 1 100%; color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .6rem; margin: 0; }
.tiles div { background: var(--band); border-radius: 8px; padding: .5rem .8rem; min-width: 0; }
.tiles dt { color: var(--soft); font-size: .85rem; }
.tiles dd { margin: 0; font-size: 1.3rem; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem .3rem 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child, .words { text-align: left; } td.words { white-space: normal; min-width: 7rem; }
thead th { color: var(--soft); font-weight: 600; font-size: .85rem; vertical-align: bottom; white-space: normal; }
tbody th { font-weight: 600; }
.leader { color: var(--good); font-weight: 600; } .bad { color: var(--bad); font-weight: 600; } .warm { color: var(--warm); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1.2rem; }
.chart { min-width: 0; } .plot { min-height: 14rem; }
.u-legend { font-size: 13px; color: var(--ink); text-align: left; } .u-legend th, .u-legend td { border: 0; padding: 0 .2rem; }
.u-legend .u-value { min-width: 4.5em; text-align: left; display: inline-block; }
.bar { position: relative; min-width: 5rem; } .bar i { display: block; height: .8rem; background: var(--c0); border-radius: 2px; }
.quiet { color: var(--soft); margin: .2rem 0; } footer { margin-top: 2rem; color: var(--soft); font-size: .85rem; }
#replicas .wide { position: relative; }
@media (max-width: 48rem) {
	body { padding: .6rem .6rem 2rem; font-size: 14px; }
	.tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); } .tiles dd { font-size: 1.1rem; }
	#replicas thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
	#replicas tbody, #replicas table { display: block; }
	#replicas tr { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0 1rem; padding: .6rem .7rem; margin-bottom: .6rem;
		background: var(--band); border-radius: 8px; }
	#replicas th, #replicas td { display: flex; justify-content: space-between; gap: .5rem; border: 0; padding: .1rem 0; white-space: normal; }
	#replicas td.words { min-width: 0; text-align: right; }
	#replicas td.broad { grid-column: 1 / -1; }
	#replicas td::before { content: attr(data-label); color: var(--soft); }
	#stages .bar, #stages .place, #stages th:last-child { display: none; } #stages td:first-child { white-space: normal; }
}
@media (prefers-reduced-motion: no-preference) { .bar i { transition: width .3s; } }
`;
