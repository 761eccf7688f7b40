"""Files from the web, complete and checked before they get their names.

What has arrived is in ``NAME.part``, and ``NAME.part.json`` says of which version of the file that is a part, in the
words of the server (RFC 9110, If-Range), so that parts of different versions are never glued together. Whoever
writes holds a lock on the former.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ddfast.errors import ChecksumError, DownloadError, MissingPackageError
from ddfast.format.files import path_append
from ddfast.tools.hashing import hash_md5hex
from ddfast.tools.progress import DOWNLOAD_BAR, make_printer

if TYPE_CHECKING:
    import requests
    import tenacity

CHUNK = 64 * 1024  # bytes that are written at a time
ATTEMPTS = 6  # failures in a row that did not bring a whole chunk
BACKOFF = 1.0  # seconds before the second attempt, about; twice that before the third, and so on
LONGEST_BACKOFF = 60.0
CONNECT_TIMEOUT = 30.0
READ_TIMEOUT = 60.0
LOCK_TIMEOUT = 3600.0  # seconds without growth of what another process downloads; digests take a while
LOCK_POLL = 0.5

_TEMPORARY = {408, 425, 429, 500, 502, 503, 504}
_OK, _PARTIAL, _UNSATISFIABLE = 200, 206, 416


class _Interrupted(Exception):  # noqa: N818  # no error until there are too many
    """An attempt has failed in a way that the next one may not."""


def download_if_not_found(url: str, path: str | os.PathLike[str], md5: str | None = None) -> None:
    """Download a file unless there is something of that name.

    The folder is made as well. Certificates are verified. A download that breaks off goes on where it was, in this
    call and in the next, if the server says that the file is still the same. Of several processes that want
    the same file, one downloads it and the others wait.

    Parameters:
        url: where it is; ``http``, ``https``, or on Google Drive, which needs gdown.
        path: where it goes.
        md5: digest that the file must have to get its name, in hexadecimal digits.

    Raises:
        DownloadError: the server does not give the file.
        ChecksumError: the file has another digest. It stays as ``path`` with ``.bad`` behind it.
        MissingPackageError: gdown is needed and not installed.
    """
    file = Path(path)
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    print("downloading", file.name, "-->", os.fspath(path))
    with _locked(file) as part:
        if part is not None:  # no other process was faster
            on_drive = urlsplit(url).hostname == "drive.google.com"
            source = _from_drive(url, part) if on_drive else _Download(url, part).run()
            _publish(source, file, md5)
    print()


def _publish(source: Path, path: Path, md5: str | None) -> None:
    """Give a complete download its final name if its digest is right, and another one if it is not."""
    if md5 is not None:
        print("Verifying", path.name)
        got = hash_md5hex(source, progress=True)
        if got != md5.lower():
            bad = path_append(path, ".bad")
            source.replace(bad)
            advice = f"Remove it and try again, or rename it to {path.name} if it is what you want."
            raise ChecksumError(str(bad), md5, got, advice)
    with source.open("rb") as file:
        os.fsync(file.fileno())
    source.replace(path)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[Path | None]:
    """The name of the part of a file, for this process alone; ``None`` if another one has completed the file."""
    part = path_append(path, ".part")
    with _lock(part) as locked:
        if not locked:  # a file system without locks: nobody else takes this name
            part = path_append(path, f".{socket.gethostname()}-{os.getpid()}-{threading.get_ident()}.part")
        if path.exists():
            part.unlink(missing_ok=True)
            yield None
            return
        try:
            yield part
        finally:
            if not part.exists() or part.stat().st_size == 0:  # nothing is left to go on with
                part.unlink(missing_ok=True)
                _origin_of(part).unlink(missing_ok=True)


@contextlib.contextmanager
def _lock(part: Path) -> Iterator[bool]:
    """Lock a file, which is made if it is missing; false where the file system has no locks.

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
                print(f"waiting for another process that downloads {part.stem}", file=sys.stderr)
            state, deadline = (status.st_size, status.st_mtime_ns), time.monotonic() + LOCK_TIMEOUT
        elif time.monotonic() > deadline:
            raise DownloadError(
                f"Another process has locked {part}, which has not grown for {LOCK_TIMEOUT:.0f} s. "
                "End that process and try again."
            )
        time.sleep(LOCK_POLL)


def _from_drive(url: str, part: Path) -> Path:
    """Download a file from Google Drive; returns where it is."""
    try:
        import gdown
    except ImportError as error:
        raise MissingPackageError(f"Downloading {url} needs gdown: pip install ddfast[download]") from error
    target = path_append(part, ".drive")
    try:
        gdown.download(url, str(target), timeout=(CONNECT_TIMEOUT, READ_TIMEOUT), retries=ATTEMPTS - 1)
    except Exception as error:  # of its own, of requests, of the system
        raise DownloadError(f"{url} could not be downloaded: {error}") from error
    if not target.is_file():
        raise DownloadError(f"{url} could not be downloaded: gdown gave no file")
    return target


class _Download:
    """A file that comes by HTTP.

    Parameters:
        url: where it is.
        part: where it goes; what is there already is gone on with, if it is of the same version.
    """

    def __init__(self, url: str, part: Path) -> None:
        self.url = url
        self.part = part
        self.origin = _origin_of(part)

    def run(self) -> Path:
        """Download all of it; rounds of attempts go on as long as each brings a chunk at least."""
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
            session.headers["Accept-Encoding"] = "identity"  # ranges and digests are of the file as it is
            while True:
                before = self.size()
                try:
                    attempts(self.attempt, session)
                    return self.part
                except _Interrupted as error:
                    if self.size() < before + CHUNK:
                        advice = f". The next try goes on with {self.part}" if self.size() else ""
                        raise DownloadError(f"{self.url} could not be downloaded: {error}{advice}") from error

    def attempt(self, session: requests.Session) -> None:
        """Ask for what is missing and write it.

        Raises:
            _Interrupted: something failed that may be better the next time.
            DownloadError: something failed that will not.
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
                    return  # it was complete
                if not same or code == _UNSATISFIABLE or start != size:
                    self.reset(None)
                    raise _Interrupted("the server's file is not the one that a part was there of")
            elif code == _OK:
                self.reset(_version(response.headers))
                total = _number(response.headers.get("Content-Length"))
            else:
                error = _Interrupted if code in _TEMPORARY else DownloadError
                raise error(f"the server answers {code} {response.reason} to a request for {self.url}")
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
            try:
                for chunk in response.raw.stream(CHUNK, decode_content=False):
                    file.write(chunk)
                    printer.update(len(chunk))
            except urllib3.exceptions.HTTPError as error:
                raise _Interrupted(f"the connection broke off: {error}") from error
        if total is not None and self.size() != total:
            raise _Interrupted(f"the connection ended after {self.size():,} of {total:,} bytes")

    def size(self) -> int:
        """Bytes that are there."""
        return self.part.stat().st_size if self.part.exists() else 0

    def version(self) -> str | None:
        """Of which version of the file the part is, if that is known."""
        try:
            origin = json.loads(self.origin.read_text())
            version = origin["version"] if origin["url"] == self.url else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return version if isinstance(version, str) and version.isprintable() else None

    def reset(self, version: str | None) -> None:
        """Start again, with another version of the file."""
        self.part.open("wb").close()  # first: an empty part is of every version
        self.origin.write_text(json.dumps({"url": self.url, "version": version}))


def _origin_of(part: Path) -> Path:
    return path_append(part, ".json")


def _get(session: requests.Session, url: str, headers: dict[str, str]) -> requests.Response:
    """Ask for a file; errors that the next attempt will meet as well are told from those that it may not."""
    import requests

    try:
        return session.get(url, headers=headers, stream=True, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT))
    except requests.exceptions.SSLError as error:
        raise DownloadError(f"{url} could not be downloaded, no secure connection: {error}") from error
    except (requests.ConnectionError, requests.Timeout) as error:
        raise _Interrupted(str(error)) from error
    except requests.RequestException as error:
        raise DownloadError(f"{url} could not be downloaded: {error}") from error


def _version(headers: Mapping[str, str]) -> str | None:
    """What a server calls this version of a file, if it can be asked for it again: weak tags cannot."""
    tag = headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")


def _content_range(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """First byte of the range in a response and size of the file, as far as they are told."""
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", headers.get("Content-Range", ""))
    return (_number(match[1]), _number(match[2])) if match else (None, None)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _announce(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    print(f"{error}; trying again in {state.upcoming_sleep:.0f} s", file=sys.stderr)
