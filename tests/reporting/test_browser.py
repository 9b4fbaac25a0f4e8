"""A report full of hostile names in a real browser: nothing runs, nothing is asked for."""

import html
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from check_skips import browser

from tips.reporting import page, style
from tips.tables import markdown
from tips.tables.sheet import Section

pytestmark = pytest.mark.skipif(browser() is None, reason="no chromium")
HOST = "somewhere.test"
RAN = "it ran"
SCRIPT = f"document.title=`{RAN}`"
# Each would run a script, or ask the address in braces for something.
ACTIVE = (
    f"<script>{SCRIPT}</script>",
    f'<img src=x onerror="{SCRIPT}">',
    f'"><svg onload="{SCRIPT}">',
    f'</td></table><body onpageshow="{SCRIPT}">',
    f"</title><script>{SCRIPT}</script>",
    f"<details open ontoggle={SCRIPT}>",
    f"<iframe srcdoc='<script>parent.{SCRIPT}</script>'></iframe>",
    "<img src={}/picture>",
    "<link rel=stylesheet href={}/style>",
    "<style>@import url({}/import); * {{ background: url({}/background) }}</style>",
    "<iframe src={}/frame></iframe>",
    "<object data={}/object></object>",
    "<video poster={}/poster src={}/video></video>",
    "<script src={}/script></script>",
    "<script>fetch('{}/fetch')</script>",
)
# These a policy does not stop: only text that stays text is safe.
MOVING = ("<meta http-equiv=refresh content='0;url={}/moved'>", "<base href={}/base/>")
WRITTEN = (
    "![x]({}/markdown)",
    "[x](javascript:alert(1))",
    "<{}/auto>",
    "`<b>` **x** __y__ ~~z~~ $a$ &lt;i&gt; [a][b] [c]: {}/definition",
    "x | y \\| z \\ ``` ` ``",
    "</details><details><summary>a</summary>",
)


class Visit(NamedTuple):
    """What came of opening a page."""

    dom: str
    asked: list[str]  # paths that the page asked for
    console: list[str]

    @property
    def title(self) -> str:
        return re.findall(r"<title>(.*?)</title>", self.dom, re.DOTALL)[0]


class Listener(ThreadingHTTPServer):
    """Answers everything, and remembers it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_GET(self) -> None:
        if self.headers["Host"].startswith(HOST):  # the browser itself asks its maker for the time
            self.server.asked.append(self.path)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def visit(content: str, folder: Path, listener: Listener) -> Visit:
    """Opens a page as a reader does, from a file; every host is the listener."""
    file = folder / "index.html"
    file.write_text(content, encoding="utf-8")
    command = [
        *(str(browser()), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
        *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
        *("--enable-logging=stderr", "--v=0", "--virtual-time-budget=2000"),
        f"--user-data-dir={folder / 'browser'}",
        f"--host-resolver-rules=MAP * 127.0.0.1:{listener.server_port}",
        file.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return Visit(done.stdout, list(listener.asked), console)


def raw(payloads: tuple[str, ...], address: str, policy: str) -> str:
    """A page that has the payloads as they are."""
    body = "\n".join(one.replace("{}", address) for one in payloads)
    return style.frame("x", "", body, policy)


def test_without_the_mend_it_would_run_and_ask(tmp_path: Path, listener: Listener) -> None:
    seen = visit(raw(ACTIVE, listener.address, ""), tmp_path, listener)
    assert seen.title == RAN
    assert {"/picture", "/style", "/frame", "/script", "/fetch"} <= set(seen.asked)


def test_the_policy_alone_lets_nothing_run_or_ask(tmp_path: Path, listener: Listener) -> None:
    seen = visit(raw(ACTIVE, listener.address, style.POLICY), tmp_path, listener)
    assert seen.title == "x"
    assert 'class="working"' in seen.dom  # the page's own script ran
    assert seen.asked == []
    assert seen.console
    assert all("Content Security Policy" in line for line in seen.console)


def test_hostile_text_stays_text(tmp_path: Path, listener: Listener) -> None:
    payloads = [one.replace("{}", listener.address) for one in (*ACTIVE, *MOVING, *WRITTEN)]
    body = [
        markdown.table(("what", *payloads), [[str(k), one] for k, one in enumerate(payloads)]),
        markdown.bullets(f"said: {markdown.text(one)}" for one in payloads),
        markdown.bullets(f"code: {markdown.code(one)}" for one in payloads),
        *("\n" + markdown.link(one, one) + "\n" for one in payloads),
        *(markdown.folded(one, "inside") for one in payloads),
    ]
    (tmp_path / "a.svg").write_text(f"<svg xmlns='http://www.w3.org/2000/svg'>{ACTIVE[0]}</svg>")
    body += [markdown.image(one, "a.svg") for one in payloads]
    # Whoever forgets to escape a sentence still cannot do harm.
    body += [one for one in payloads if not one.startswith("![")]
    text = page.source(payloads[0], [Section(one, "\n\n".join(body)) for one in payloads[1:3]])
    bare = page.render(text, tmp_path).replace(style.POLICY, "")
    own = re.compile("<script>.*?</script>", re.DOTALL)
    seen = visit(own.sub("", bare), tmp_path, listener)
    with_script = visit(bare, tmp_path, listener)
    assert (with_script.title, with_script.asked) == (seen.title, seen.asked)
    assert with_script.console == []
    assert 'class="working"' in with_script.dom
    assert seen.title == html.escape(payloads[0], quote=False)
    assert seen.asked == []
    assert seen.console == []
    for one in payloads:
        shown = html.escape(" ".join(one.split()), quote=False)
        assert re.search(rf"<td[^>]*>{re.escape(shown)}</td>", seen.dom), one
        assert f">said: {shown}</" in seen.dom
        assert f">code: <code>{shown}</code></" in seen.dom
