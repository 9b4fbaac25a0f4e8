"""Downloads against a server that says what it wants."""

import os
import urllib.request
from collections.abc import Callable, Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tips.data.archives import ArchiveError
from tips.data.download import OPENER, download

CONTENT = bytes(range(256)) * 8
Answer = tuple[int, dict[str, str], bytes]
Server = Callable[..., str]


@pytest.fixture
def server() -> Iterator[Server]:
    """Serves given answers in order, the last one again and again; gives the address."""
    answers: list[Answer] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, headers, body = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        Thread(target=served.serve_forever, daemon=True).start()

        def serve(*given: Answer) -> str:
            answers[:] = given
            return f"http://127.0.0.1:{served.server_port}/a.zip"

        yield serve
        served.shutdown()


def whole(body: bytes = CONTENT) -> Answer:
    return 200, {"Content-Length": str(len(body))}, body


def rest(begin: int, said: str) -> Answer:
    return (
        206,
        {"Content-Range": said, "Content-Length": str(len(CONTENT) - begin)},
        CONTENT[begin:],
    )


@pytest.mark.parametrize(
    ("have", "answers"),
    [
        (0, [whole()]),
        (5, [whole()]),  # a server that knows no ranges
        (5, [rest(5, f"bytes 5-{len(CONTENT) - 1}/{len(CONTENT)}")]),
        (len(CONTENT), [(416, {"Content-Range": f"bytes */{len(CONTENT)}"}, b"")]),
        (5, [(416, {"Content-Range": f"bytes */{len(CONTENT)}"}, b""), whole()]),
        (5, [(416, {}, b""), whole()]),
        (5, [rest(9, f"bytes 9-{len(CONTENT) - 1}/{len(CONTENT)}"), whole()]),  # another part
        (5, [rest(5, ""), whole()]),
        (0, [(200, {"Content-Length": "abc"}, CONTENT), whole()]),
        (0, [(200, {"Content-Length": "2048"}, b"x"), whole()]),
    ],
)
def test_whatever_is_answered_the_file_is_whole(
    tmp_path: Path, server: Server, have: int, answers: list[Answer]
) -> None:
    if have:
        (tmp_path / "a.zip.part").write_bytes(CONTENT[:have])
    download(server(*answers), tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert [one.name for one in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize(
    "answer",
    [
        (302, {"Location": "http://[bad"}, b""),
        (200, {"Content-Length": "-1"}, CONTENT),
        (404, {}, b""),
        (302, {"Location": "file:///etc/hostname"}, b""),
    ],
)
def test_an_answer_of_no_use_is_one_line(tmp_path: Path, server: Server, answer: Answer) -> None:
    with pytest.raises(ArchiveError, match=r"cannot download .*; run again"):
        download(server(answer), tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


@pytest.mark.parametrize("kind", ["link", "pipe", "device"])
def test_what_lies_where_it_writes_is_not_followed(
    tmp_path: Path, server: Server, kind: str
) -> None:
    outside, part = tmp_path / "outside", tmp_path / "a.zip.part"
    outside.write_text("mine")
    {
        "link": lambda: part.symlink_to(outside),
        "pipe": lambda: os.mkfifo(part),
        "device": lambda: part.symlink_to("/dev/zero"),
    }[kind]()
    download(server(whole()), tmp_path / "a.zip")
    assert outside.read_text() == "mine"
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert not (tmp_path / "a.zip").is_symlink()


@pytest.mark.parametrize("target", ["http://example.org/a.zip", "ftp://example.org/a.zip"])
def test_an_https_address_leads_to_https_alone(target: str) -> None:
    (handler,) = (
        one for one in OPENER.handlers if isinstance(one, urllib.request.HTTPRedirectHandler)
    )
    request = urllib.request.Request("https://example.org/a.zip")
    with pytest.raises(ArchiveError, match="which is not https"):
        handler.redirect_request(request, None, 302, "", Message(), target)  # type: ignore[arg-type]
    followed = handler.redirect_request(
        request,
        None,
        302,
        "",
        Message(),
        "https://example.org/b.zip",  # type: ignore[arg-type]
    )
    assert followed is not None
    assert followed.full_url == "https://example.org/b.zip"
