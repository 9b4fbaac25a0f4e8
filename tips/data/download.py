"""Downloads one file; an interrupted transfer continues where it stopped."""

import shutil
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

from tips.data.archives import ArchiveError

TIMEOUT: Final = 60  # seconds without a byte
TRIES: Final = 3
CHUNK: Final = 1 << 20


def download(url: str, path: Path) -> None:
    """Fetches a file into `path`.part, which an interrupted transfer leaves, then renames it.

    Args:
        url: address of the file; if it is https, it must not lead to another kind.
        path: where it is stored; it appears only when complete. Its content is not checked here,
            but when it is unpacked.

    Raises:
        ArchiveError: if there is no connection, or if it broke off.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    if part.is_symlink() or (part.exists() and not part.is_file()):
        part.unlink()  # nothing that a transfer left: it could lead our writing elsewhere
    reason = ""
    for _ in range(TRIES):
        try:
            _transfer(url, part)
            break
        except ArchiveError:
            raise
        except (OSError, HTTPException, ValueError) as error:  # a bad address or number: ValueError
            if getattr(error, "errno", None) is not None and not _of_network(error):
                raise
            reason = str(getattr(error, "reason", error)) or type(error).__name__
    else:
        raise ArchiveError(
            f"cannot download {url}: {reason}; run again to go on from there, or put the file into "
            f"{path.parent}"
        )
    part.replace(path)


def _of_network(error: BaseException) -> bool:
    return isinstance(error, urllib.error.URLError | ConnectionError | TimeoutError)


def _transfer(url: str, part: Path) -> None:
    """Fetches the missing part of the file. Raises OSError or HTTPException."""
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = OPENER.open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if have and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            if error.headers.get("Content-Range") == f"bytes */{have}":
                return  # nothing is missing
            part.unlink()  # the next try begins anew
        raise
    with answer:
        resumed = answer.status == HTTPStatus.PARTIAL_CONTENT
        begins = answer.headers.get("Content-Range", "").partition("-")[0]
        if resumed and begins != f"bytes {have}":
            part.unlink()  # the next try begins anew
            raise ConnectionError(f"answers with '{begins}' to 'bytes {have}'")
        length = answer.headers.get("Content-Length")
        with part.open("ab" if resumed else "wb") as stream:
            shutil.copyfileobj(answer, stream, CHUNK)
    found = part.stat().st_size - (have if resumed else 0)
    if length is not None and found != int(length):
        raise ConnectionError(f"broke off after {found} of {length} bytes")


class _Secure(urllib.request.HTTPRedirectHandler):
    """Follows an https address to https addresses only, at every step."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise ArchiveError(
                f"{req.full_url} leads to {newurl}, which is not https, so anyone on the way could "
                "change it; fetch it by hand from a place that you trust"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


OPENER: Final = urllib.request.build_opener(_Secure)
