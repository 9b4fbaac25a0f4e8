"""The frame of the page. It loads no script, font or picture from elsewhere."""

CSS = """
:root { --ink: #111827; --soft: #4b5563; --line: #e5e7eb; --paper: #ffffff; --tint: #f8fafc;
  --link: #1d4ed8; --good: #047857; --bad: #b91c1c; --pale: #6b7280; }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; }
body { margin: 0; color: var(--ink); background: var(--paper);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
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
h3 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p, li { max-width: 48rem; }
a { color: var(--link); }
code { font-size: .875em; background: var(--tint); padding: .1em .3em; border-radius: 3px; }
img { max-width: 100%; height: auto; display: block; margin: 1rem 0 .25rem; }
p:has(> img) + p > em:only-child { color: var(--soft); font-size: .875rem; }
details { margin: .75rem 0; }
details > summary { cursor: pointer; color: var(--link); }
.scroll { overflow-x: auto; margin: .75rem 0; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; width: 100%; font-size: .875rem;
  font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th { background: var(--tint); font-weight: 600; white-space: nowrap; }
td { min-width: 3rem; }
td:first-child { white-space: nowrap; }
td:nth-child(2):not(.number) { min-width: 9rem; }
th, td { padding: .4rem .55rem; }
td.number { white-space: nowrap; }
tbody tr:last-child td { border-bottom: 0; }
tbody tr:hover { background: var(--tint); }
.unbroken { white-space: nowrap; }
.word { white-space: nowrap; font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); }
.pale { color: var(--pale); font-weight: 400; }
@media (max-width: 56rem) {
  .layout { display: block; }
  nav { max-height: 60vh; border-right: 0; border-bottom: 1px solid var(--line);
    background: var(--paper); padding: .6rem 1rem; z-index: 1; }
  nav summary { margin: 0; }
  main { padding: 1rem 1rem 4rem; }
  html { scroll-padding-top: 3.5rem; }
}
@media (min-width: 56rem) {
  nav details::details-content { content-visibility: visible; display: block; block-size: auto; }
  nav summary { list-style: none; cursor: default; }
  nav summary::-webkit-details-marker { display: none; }
}
@media print { nav { display: none; } .layout { display: block; } }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e5e7eb; --soft: #9ca3af; --line: #374151; --paper: #111827; --tint: #1f2937;
    --link: #93c5fd; --good: #6ee7b7; --bad: #fca5a5; --pale: #9ca3af; }
  img { background: #ffffff; border-radius: 6px; }
}
"""

# What a browser may load for the page: the pictures and the style that are written in it.
POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'"
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{css}</style>
</head>
<body>
<div class="layout">
<nav><details><summary>Contents</summary>
{contents}
</details></nav>
<main>
{body}
</main>
</div>
</body>
</html>
"""

# Words that a reader looks for in a cell, and the style that marks each.
WORDS = {
    "same sign": "good",
    "shown": "good",
    "above": "good",
    "opposite sign": "bad",
    "opposite": "bad",
    "below": "bad",
    "failed": "bad",
    "stale": "bad",
    "not separable": "pale",
    "undecided": "pale",
    "unknown": "pale",
    "missing": "pale",
    "partial": "pale",
    "published only": "pale",
}
