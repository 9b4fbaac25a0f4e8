"""The frame of the page. It loads no script, font or picture from elsewhere."""

from typing import Final

from tips.reporting.script import SCRIPT, digest

CSS: Final = """
:root { color-scheme: light dark;
  --ink: light-dark(#111827, #e5e7eb); --soft: light-dark(#4b5563, #9ca3af);
  --line: light-dark(#e5e7eb, #374151); --paper: light-dark(#ffffff, #111827);
  --tint: light-dark(#f8fafc, #1f2937); --link: light-dark(#1d4ed8, #93c5fd);
  --good: light-dark(#047857, #6ee7b7); --bad: light-dark(#b91c1c, #fca5a5);
  --even: light-dark(#1d4ed8, #93c5fd); --pale: light-dark(#6b7280, #9ca3af);
  --mark: light-dark(#fef9c3, #3f3a12); }
:root[data-colours=light] { color-scheme: light; }
:root[data-colours=dark] { color-scheme: dark; }
* { box-sizing: border-box; }
html { scroll-padding-top: 4rem; }
body { margin: 0; color: var(--ink); background: var(--paper);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 3px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: .5rem; z-index: 3; padding: .3rem .6rem; background: var(--paper); }
.layout { display: grid; grid-template-columns: 17rem minmax(0, 1fr); max-width: 90rem;
  margin: 0 auto; }
nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow-y: auto;
  padding: 1.5rem 1rem 1.5rem 1.25rem; border-right: 1px solid var(--line); font-size: .875rem; }
nav summary { font-weight: 600; cursor: pointer; margin-bottom: .5rem; }
nav a { display: block; padding: .2rem 0; color: var(--soft); text-decoration: none; }
nav a:hover { color: var(--link); }
main { padding: 1.5rem 2.5rem 5rem; min-width: 0; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.25rem; margin: 3rem 0 .75rem; padding-top: .75rem;
  border-top: 1px solid var(--line); }
h1 + h2 { margin-top: 1.5rem; }
h3 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p, li { max-width: 48rem; overflow-wrap: anywhere; }
a { color: var(--link); }
code, pre { font-size: .875em; background: var(--tint); border-radius: 3px; }
code { padding: .1em .3em; }
pre { padding: .6rem .8rem; line-height: 1.45; white-space: pre-wrap; overflow-wrap: anywhere; }
pre code { font-size: 1em; padding: 0; }
figure { margin: 1rem 0 1.5rem; content-visibility: auto; contain-intrinsic-size: auto 30rem; }
figcaption { color: var(--soft); font-size: .875rem; max-width: 48rem; margin-top: .35rem; }
.picture { overflow-x: auto; }
img { max-width: 100%; height: auto; display: block; background: #ffffff; border-radius: 6px; }
details { margin: .75rem 0; }
details > summary { cursor: pointer; color: var(--link); }
.scroll { overflow-x: auto; margin: .75rem 0; border: 1px solid var(--line); border-radius: 6px; }
.scroll.empty table { display: none; }
.scroll.empty::after { content: "no row matches"; display: block; padding: .4rem .8rem;
  color: var(--soft); font-size: .875rem; }
table { border-collapse: collapse; width: 100%; font-size: .875rem;
  font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .4rem .55rem;
  border-bottom: 1px solid var(--line); }
.r { text-align: right; } .c { text-align: center; }
th { background: var(--tint); font-weight: 600; white-space: nowrap; }
td { min-width: 3rem; }
td:first-child { white-space: nowrap; }
td:nth-child(2):not(.n) { min-width: 9rem; }
.n { white-space: nowrap; }
.w { min-width: 20rem; }
tbody tr:last-child td { border-bottom: 0; }
tbody tr:hover { background: var(--tint); }
tr:target, tr:target:hover { background: var(--mark); }
td a { text-decoration-color: var(--line); text-underline-offset: .2em; }
.word { white-space: nowrap; font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); } .even { color: var(--even); }
.pale { color: var(--pale); font-weight: 400; }
.tools, dialog:not([open]) { display: none; }
.working .tools { display: flex; flex-wrap: wrap; gap: .4rem 1rem; align-items: center;
  position: sticky; top: 0; z-index: 2; background: var(--paper); font-size: .875rem;
  padding: .5rem 0; margin-bottom: .5rem; border-bottom: 1px solid var(--line); }
.tools label { display: flex; gap: .4rem; align-items: center; }
.tools label:has([type=search]) { flex: 1 1 13rem; max-width: 22rem; }
.tools [type=search] { width: 100%; min-width: 5rem; }
.tools output { color: var(--soft); margin-right: auto; white-space: nowrap; }
button, input[type=search] { font: inherit; color: inherit; background: var(--tint);
  border: 1px solid var(--line); border-radius: 4px; padding: .15rem .5rem; }
button { cursor: pointer; }
button[aria-pressed=true] { border-color: var(--link); color: var(--link); }
th button { all: unset; box-sizing: border-box; cursor: pointer; width: 100%; min-height: 1.2em; }
th button:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
th button::after { content: "\\2195"; color: var(--pale); opacity: 0; margin-left: .25em; }
th button:hover::after, th button:focus-visible::after { opacity: 1; }
th[aria-sort=ascending] button::after { content: "\\2191"; opacity: 1; color: var(--link); }
th[aria-sort=descending] button::after { content: "\\2193"; opacity: 1; color: var(--link); }
.working tbody td:first-child { padding-left: 1.4rem; position: relative; }
.sign { text-decoration: none; opacity: 0; font-weight: 400; padding: 0 .25em; }
.sign::before { content: "#"; }
td > .sign { position: absolute; left: .2rem; padding: 0 .15rem; }
.sign:focus-visible, :is(h2, h3, tr, figure):hover .sign { opacity: 1; }
dialog { width: min(60rem, calc(100vw - 2rem)); max-height: 85vh; color: var(--ink);
  background: var(--paper); border: 1px solid var(--line); border-radius: 8px; padding: 1rem; }
dialog::backdrop { background: rgb(0 0 0 / .45); }
dialog h2 { margin: 0 0 .5rem; padding: 0; border: 0; font-size: 1.1rem; }
dialog p { overflow-wrap: anywhere; }
dialog form { text-align: right; margin: 0; }
@media (max-width: 56rem) {
  .layout { display: block; }
  nav { position: static; max-height: none; border-right: 0; border-bottom: 1px solid var(--line);
    padding: .6rem 1rem; }
  nav summary { margin: 0; }
  main { padding: 1rem 1rem 4rem; }
  html { scroll-padding-top: 6rem; }
  .picture img.wide { max-width: none; width: 44rem; }
}
@media (min-width: 56rem) {
  nav details::details-content { content-visibility: visible; display: block; block-size: auto; }
  nav summary { list-style: none; cursor: default; }
  nav summary::-webkit-details-marker { display: none; }
}
@media print { nav, .tools { display: none !important; } .layout { display: block; } }
"""

# What a browser may load and run for the page: the pictures and the style that are written in it,
# and the one script whose digest stands here.
POLICY: Final = (
    f"default-src 'none'; script-src '{digest()}'; img-src data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{css}</style>
</head>
<body>
<a class="skip" href="#report">Skip to the report</a>
<div class="layout">
<nav aria-label="Contents"><details><summary>Contents</summary>
{contents}
</details></nav>
<main id="report" tabindex="-1">
<div class="tools">
<label>Filter <input type="search" id="filter" placeholder="words in a row (key /)"></label>
<output id="count"></output>
<label><input type="checkbox" id="decided"> hide undecided</label>
<button type="button" id="dark" aria-pressed="false">Dark</button>
</div>
{body}
</main>
</div>
<dialog id="chain" aria-labelledby="chain-title">
<form method="dialog"><button>Close</button></form>
<h2 id="chain-title"></h2>
<p><code></code> <button type="button" class="copy">Copy</button> <output></output></p>
<pre></pre>
</dialog>
<script>{script}</script>
</body>
</html>
"""

# Words that a reader looks for in a cell, and the style that marks each.
VERDICTS: Final = {
    "same sign": "good",
    "shown": "good",
    "above": "good",
    "opposite sign": "bad",
    "opposite": "bad",
    "below": "bad",
    "equivalent": "even",
    "not separable": "pale",
    "undecided": "pale",
    "unknown": "pale",
}
STATES: Final = {
    "failed": "bad",
    "stale": "bad",
    "missing": "pale",
    "partial": "pale",
    "published only": "pale",
}


def frame(title: str, contents: str, body: str, policy: str = POLICY) -> str:
    """Writes the page around its parts, which are HTML."""
    return _PAGE.format(
        title=title, policy=policy, css=CSS, contents=contents, body=body, script=SCRIPT
    )
