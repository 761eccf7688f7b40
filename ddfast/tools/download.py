"""Downloads, which are complete and verified before they get their final names.

``NAME.part`` contains the bytes received so far. ``NAME.part.json`` records the version of the file as the server names
it (RFC 9110, If-Range), so that parts of different versions are never combined. The process that writes holds a lock
on ``NAME.part``.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from ddfast._util.secrets import Secrets, calling, shown
from ddfast.errors import ChecksumError, DownloadError, MissingPackageError
from ddfast.format.files import path_append
from ddfast.tools.hashing import hash_md5hex
from ddfast.tools.progress import DOWNLOAD_BAR, make_printer

if TYPE_CHECKING:
    import requests
    import tenacity

E = TypeVar("E", bound=Exception)

CHUNK = 64 * 1024  # bytes that are written at a time
ATTEMPTS = 6  # consecutive failures without a complete chunk
BACKOFF = 1.0  # approximate seconds before the second attempt; doubled for each further attempt
LONGEST_BACKOFF = 60.0
CONNECT_TIMEOUT = 30.0
READ_TIMEOUT = 60.0
LOCK_TIMEOUT = (
    3600.0  # seconds without growth of the file that another process downloads; digests take a while
)
LOCK_POLL = 0.5

_TEMPORARY = {408, 425, 429, 500, 502, 503, 504}
_OK, _PARTIAL, _UNSATISFIABLE = 200, 206, 416


class _Interrupted(Exception):  # noqa: N818  # becomes an error after too many
    """An attempt has failed temporarily."""


def download_if_not_found(url: str, path: str | os.PathLike[str], md5: str | None = None) -> None:
    """Download a file, unless a file of that name exists.

    The function creates the folder and verifies TLS certificates. An interrupted download continues where it stopped,
    in this call and in later ones, if the file on the server is unchanged. If several processes need the same file,
    one downloads it and the others wait.

    Parameters:
        url: URL of the file: ``http``, ``https``, or Google Drive, which needs gdown.
        path: path of the downloaded file.
        md5: expected MD5 digest in hexadecimal digits; None to skip the check.

    Raises:
        DownloadError: the download failed.
        ChecksumError: the file has another digest. It is kept as ``path`` with the suffix ``.bad``.
        MissingPackageError: gdown is needed but not installed.
    """
    file = Path(path)
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    print("downloading", file.name, "-->", os.fspath(path))
    with _locked(file) as part:
        if part is not None:  # not downloaded by another process
            on_drive = urlsplit(url).hostname == "drive.google.com"
            source = _from_drive(url, part) if on_drive else _Download(url, part).run()
            _publish(source, file, md5)
    print()


def _publish(source: Path, path: Path, md5: str | None) -> None:
    """Give a complete download its final name, or the suffix ``.bad`` if its digest is wrong."""
    if md5 is not None:
        print("Verifying", path.name)
        got = hash_md5hex(source, progress=True)
        if got != md5.lower():
            bad = path_append(path, ".bad")
            source.replace(bad)
            advice = f"Remove it and try again, or rename it to {path.name} to use it anyway."
            raise ChecksumError(str(bad), md5, got, advice)
    with source.open("rb") as file:
        os.fsync(file.fileno())
    source.replace(path)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[Path | None]:
    """The path of the partial file, locked for this process; ``None`` if another process has completed the file."""
    part = path_append(path, ".part")
    with _lock(part) as locked:
        if not locked:  # a file system without locks: use a unique name
            part = path_append(path, f".{socket.gethostname()}-{os.getpid()}-{threading.get_ident()}.part")
        if path.exists():
            part.unlink(missing_ok=True)
            yield None
            return
        try:
            yield part
        finally:
            if not part.exists() or part.stat().st_size == 0:  # nothing to continue from
                part.unlink(missing_ok=True)
                _origin_of(part).unlink(missing_ok=True)


@contextlib.contextmanager
def _lock(part: Path) -> Iterator[bool]:
    """Lock a file, which is created if necessary. Yields False if the file system has no locks.

    Raises:
        DownloadError: another process holds the lock, and the file has not grown for ``LOCK_TIMEOUT``.
    """
    state: tuple[int, int] | None = None
    deadline = 0.0
    while True:
        with part.open("ab") as file:
            status = os.fstat(file.fileno())
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            except OSError:
                if status.st_size == 0:
                    part.unlink(missing_ok=True)
                yield False
                return
            else:
                # Another process may have renamed or removed it between opening and locking.
                if not part.exists() or not os.path.samestat(status, part.stat()):
                    continue
                yield True
                return
        if (status.st_size, status.st_mtime_ns) != state:
            if state is None:
                print(f"waiting for another process to download {part.stem}", file=sys.stderr)
            state, deadline = (status.st_size, status.st_mtime_ns), time.monotonic() + LOCK_TIMEOUT
        elif time.monotonic() > deadline:
            raise DownloadError(
                f"Another process has locked {part}, which has not grown for {LOCK_TIMEOUT:.0f} s. "
                "End that process and try again."
            )
        time.sleep(LOCK_POLL)


def _from_drive(url: str, part: Path) -> Path:
    """Download a file from Google Drive. Returns its path."""
    try:
        import gdown
    except ImportError as error:
        message = f"Downloading {shown(url)} needs gdown: pip install ddfast[download]"
        raise MissingPackageError(message) from error
    target = path_append(part, ".drive")
    calling(  # errors of gdown, of requests, or of the system
        lambda: gdown.download(
            url, str(target), timeout=(CONNECT_TIMEOUT, READ_TIMEOUT), retries=ATTEMPTS - 1
        ),
        lambda error: _explained(DownloadError, f"{shown(url)} could not be downloaded: ", error, url),
    )
    if not target.is_file():
        raise DownloadError(f"{shown(url)} could not be downloaded: gdown wrote no file")
    return target


class _Download:
    """A download by HTTP.

    Parameters:
        url: URL of the file.
        part: path of the partial file; an existing one is continued if it has the same version.
    """

    def __init__(self, url: str, part: Path) -> None:
        self.url = url
        self.part = part
        self.origin = _origin_of(part)

    def run(self) -> Path:
        """Download the whole file; rounds of attempts continue as long as each receives at least one chunk."""
        import requests
        import tenacity

        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Interrupted),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_exponential(BACKOFF, LONGEST_BACKOFF) + tenacity.wait_random(0, BACKOFF),
            before_sleep=_announce,
            reraise=True,
        )
        with requests.Session() as session:
            session.headers["Accept-Encoding"] = (
                "identity"  # ranges and digests refer to the uncompressed file
            )
            while True:
                before = self.size()
                try:
                    attempts(self.attempt, session)
                    return self.part
                except _Interrupted as error:
                    if self.size() < before + CHUNK:
                        advice = f". The next attempt continues from {self.part}" if self.size() else ""
                        raise DownloadError(
                            f"{shown(self.url)} could not be downloaded: {error}{advice}"
                        ) from error

    def attempt(self, session: requests.Session) -> None:
        """Request the missing bytes and write them.

        Raises:
            _Interrupted: a temporary failure.
            DownloadError: a permanent failure.
        """
        size = self.size()
        version = self.version() if size else None
        headers = {} if version is None else {"Range": f"bytes={size}-", "If-Range": version}
        with _get(session, self.url, headers) as response:
            code = response.status_code
            if code in (_PARTIAL, _UNSATISFIABLE):
                start, total = _content_range(response.headers)
                same = version is not None and _version(response.headers) in (version, None)
                if same and code == _UNSATISFIABLE and total == size:
                    return  # already complete
                if not same or code == _UNSATISFIABLE or start != size:
                    self.reset(None)
                    raise _Interrupted("the file on the server has changed since the partial download")
            elif code == _OK:
                self.reset(_version(response.headers))
                total = _number(response.headers.get("Content-Length"))
            else:
                error = _Interrupted if code in _TEMPORARY else DownloadError
                raise error(
                    f"the server answered {code} {response.reason} to a request for {shown(self.url)}"
                )
            self.write(response, total)

    def write(self, response: requests.Response, total: int | None) -> None:
        """Append the body of a response.

        Raises:
            _Interrupted: it ends early.
        """
        import urllib3

        printer = make_printer(
            initial=self.size(), bar_format=DOWNLOAD_BAR, total=total, unit_scale=True, unit="B"
        )
        with printer, self.part.open("ab") as file:
            interrupted: _Interrupted | None = None
            try:
                for chunk in response.raw.stream(CHUNK, decode_content=False):
                    file.write(chunk)
                    printer.update(len(chunk))
            except urllib3.exceptions.HTTPError as error:
                interrupted = _explained(_Interrupted, "the connection was interrupted: ", error, self.url)
            if interrupted is not None:
                raise interrupted
        if total is not None and self.size() != total:
            raise _Interrupted(f"the connection ended after {self.size():,} of {total:,} bytes")

    def size(self) -> int:
        """Number of bytes received so far."""
        return self.part.stat().st_size if self.part.exists() else 0

    def version(self) -> str | None:
        """Version of the file that the partial file belongs to, if known."""
        try:
            origin = json.loads(self.origin.read_text())
            version = origin["version"] if origin["url"] == _digest(self.url) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return version if isinstance(version, str) and version.isprintable() else None

    def reset(self, version: str | None) -> None:
        """Start again with another version of the file."""
        self.part.open("wb").close()  # first, because an empty part is valid for every version
        self.origin.write_text(json.dumps({"url": _digest(self.url), "version": version}))


def _origin_of(part: Path) -> Path:
    return path_append(part, ".json")


def _get(session: requests.Session, url: str, headers: dict[str, str]) -> requests.Response:
    """Request a file; raises `DownloadError` for permanent errors and `_Interrupted` for temporary ones."""
    import requests

    def explain(error: Exception) -> Exception:
        if isinstance(error, requests.exceptions.SSLError):
            what = f"{shown(url)} could not be downloaded: no secure connection: "
            return _explained(DownloadError, what, error, url)
        if isinstance(error, requests.ConnectionError | requests.Timeout):
            return _explained(_Interrupted, "", error, url)
        return _explained(DownloadError, f"{shown(url)} could not be downloaded: ", error, url)

    return calling(
        lambda: session.get(url, headers=headers, stream=True, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT)),
        explain,
    )


def _explained(kind: type[E], what: str, error: Exception, url: str) -> E:
    """An error with the text of another, which becomes its cause, without the secrets of the URL."""
    secrets = Secrets(url)
    explained = kind(what + secrets.hide(str(error)))
    explained.__cause__ = secrets.removed_from(error)
    return explained


def _digest(url: str) -> str:
    """Identifies a URL, without its secrets."""
    return hashlib.sha256(url.encode()).hexdigest()


def _version(headers: Mapping[str, str]) -> str | None:
    """The server's name of this version of a file for If-Range, which cannot be a weak tag."""
    tag = headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")


def _content_range(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """First byte of the range in a response, and size of the file; None if unknown."""
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", headers.get("Content-Range", ""))
    return (_number(match[1]), _number(match[2])) if match else (None, None)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _announce(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    print(f"{error}; retrying in {state.upcoming_sleep:.0f} s", file=sys.stderr)
