"""Secrets in URLs and options, and messages and errors without them.

A secret is the password and the query of a URL, the value of an option whose name says so, and the value of an
environment variable from which object stores take credentials. Client libraries quote all of these in their errors.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, unquote

__all__ = ["CHAIN", "HTTP", "Secrets", "calling", "shown"]

T = TypeVar("T")

HIDDEN = "..."
HTTP = ("http", "https")

# A URL in a text, up to a character that no URL contains. One that was made a path has a single slash.
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/[^\s\"'`<>|\\]+")
PARTS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//?)(.*)", re.DOTALL)
# Where the URLs of a chain of file systems meet.
CHAIN = re.compile(r"::(?=[A-Za-z][A-Za-z0-9+.-]+(?::/|::))")
# A query in URLs without queries, where a question mark is a wildcard or part of a name.
QUERY = re.compile(r"\?(?=[\w.~%-]+=)")
HOST = re.compile(r"(\[[^\[\]]*\]?|[^:]*)(:\d*|:\.{3})?")
PUNCTUATION = ").,;:]}"

# Elements of the error documents of S3 that repeat parts of the request.
REPEATED = re.compile(r"<(Token|StringToSign|Canonical|SignatureProvided)([^<>]*)>[^<]*")

SECRET = re.compile(r"key|secret|token|passw|pwd|sas|credential|auth|header|cookie|bearer", re.IGNORECASE)
PLAIN = re.compile(r"skip|file|path|application_credentials", re.IGNORECASE)
PROVIDERS = ("AWS_", "AZURE_", "GOOGLE_")
# Shorter values are not replaced, because any text has them; those shorter than `WORD` only as whole words.
SHORTEST, WORD = 4, 8
# Causes of an error that are looked at; further ones are dropped.
LONGEST_CHAIN = 64


def shown(url: str) -> str:
    """A URL for messages, without passwords and query, also of each URL in a chain. Anything else unchanged."""
    return "::".join(map(_shown_link, CHAIN.split(url))) if ":/" in url else url


def _shown_link(link: str) -> str:
    found = PARTS.fullmatch(link)
    if found is None:
        return link
    scheme, slashes, rest = found.groups()
    rest, query = _split_query(scheme, rest)
    root, slash, key = rest.partition("/")
    user, at, host = root.rpartition("@")
    if ":" in user:
        root = f"{user.partition(':')[0]}:{HIDDEN}@{host}"
    elif at and scheme.lower() in HTTP:  # a token; in abfs://container@account it is the container
        root = f"{HIDDEN}@{host}"
    elif not at and HOST.fullmatch(root) is None:  # a password with a slash or a question mark
        root, key = f"{root.partition(':')[0]}:{HIDDEN}", key.rpartition("@")[2] if "@" in key else HIDDEN
    return f"{scheme}:{slashes}{root}{slash}{key}{f'?{HIDDEN}' if query else ''}"


def _split_query(scheme: str, rest: str) -> tuple[str, str]:
    if scheme.lower() in HTTP:
        whole, _, query = rest.partition("#")[0].partition("?")
        return whole, query
    if rest.endswith(f"?{HIDDEN}"):  # hidden before
        return rest.removesuffix(f"?{HIDDEN}"), HIDDEN
    found = QUERY.search(rest)
    return (rest, "") if found is None else (rest[: found.start()], rest[found.end() :])


def calling(function: Callable[[], T], explain: Callable[[Exception], Exception]) -> T:
    """The result of a function. If it raises an exception, the one that explains it is raised instead.

    That happens after the first was handled: so it, which may contain secrets, does not become the context.
    """
    try:
        return function()
    except Exception as error:
        failure = explain(error)
    raise failure


class Secrets:
    """The secrets of a URL and of the options with which it is opened.

    Parameters:
        url: of an object.
        options: as for `ddfast.storage.open_storage`.
    """

    def __init__(self, url: str = "", options: Mapping[str, Any] | None = None) -> None:
        found = {*_of_url(url), *_of_value(options or {}), *_of_environment()}
        forms = {
            form for value in found for form in (value, quote(value, safe=""), quote(value), unquote(value))
        }
        self._values = sorted((form for form in forms if len(form) >= SHORTEST), key=len, reverse=True)

    def hide(self, text: str) -> str:
        """A text without these secrets, and without passwords and queries of any URLs."""
        text = URL.sub(lambda match: _shown_in_text(match[0]), text)
        for value in self._values:
            if value not in text:
                continue
            if len(value) >= WORD:
                text = text.replace(value, HIDDEN)
            else:
                text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", HIDDEN, text)
        return REPEATED.sub(rf"<\1\2>{HIDDEN}", text)

    def removed_from(self, error: BaseException) -> BaseException:
        """An error of a client library without secrets in it and in its causes.

        It is the error itself, changed where necessary, or a stand-in with its class name and text.
        """
        return self._cleaned(error, {})

    def _cleaned(self, error: BaseException, known: dict[int, BaseException]) -> BaseException:
        if id(error) in known:
            return known[id(error)]
        known[id(error)] = error
        self._clean_causes(error, known)
        if self._are_in(error):
            self._change(error)
            if self._are_in(error):
                known[id(error)] = self._stand_in(error)
        return known[id(error)]

    def _clean_causes(self, error: BaseException, known: dict[int, BaseException]) -> None:
        is_suppressed = error.__suppress_context__
        for link in ("__context__", "__cause__"):
            if (other := getattr(error, link)) is not None:
                setattr(error, link, self._cleaned(other, known) if len(known) < LONGEST_CHAIN else None)
        error.__suppress_context__ = is_suppressed

    def _are_in(self, error: BaseException) -> bool:
        return any(self.hide(text) != text for text in _texts(error))

    def _change(self, error: BaseException) -> None:
        error.args = tuple(map(self._hidden, error.args))
        if isinstance(error, OSError):
            for name in ("strerror", "filename", "filename2"):
                setattr(error, name, self._hidden(getattr(error, name)))
        if hasattr(error, "__notes__"):
            error.__notes__ = list(map(self._hidden, error.__notes__))

    def _hidden(self, value: Any) -> Any:
        text = value if isinstance(value, str) else repr(value)
        hidden = self.hide(text)
        return value if hidden == text else hidden

    def _stand_in(self, error: BaseException) -> BaseException:
        kind = type(error)
        names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
        other: Exception = type(kind.__name__, (Exception,), names)(self.hide(str(error)))
        other.__context__, other.__cause__ = error.__context__, error.__cause__
        other.__suppress_context__ = error.__suppress_context__
        return other.with_traceback(error.__traceback__)


def _shown_in_text(url: str) -> str:
    end = len(url.rstrip(PUNCTUATION))
    return shown(url[:end]) + url[end:]


def _texts(error: BaseException) -> Iterator[str]:
    """What tracebacks show of an error, without its causes."""
    yield str(error)
    yield repr(error)
    yield from map(str, getattr(error, "__notes__", ()))
    for member in getattr(error, "exceptions", ()):
        if isinstance(member, BaseException):
            yield from _texts(member)


def _of_url(url: str) -> Iterator[str]:
    for link in CHAIN.split(url):
        found = PARTS.fullmatch(link)
        if found is None:
            continue
        rest, query = _split_query(found[1], found[3])
        yield query
        yield from (value for _, value in parse_qsl(query))
        user, at, _ = rest.partition("/")[0].rpartition("@")
        if not at and HOST.fullmatch(rest.partition("/")[0]) is None:
            user = found[3].rpartition("@")[0]
        name, colon, password = user.partition(":")
        if colon:
            yield password
            yield b64encode(unquote(f"{name}:{password}").encode()).decode()
        elif found[1].lower() in HTTP:
            yield name


def _of_value(value: Any, is_secret: bool = False) -> Iterator[str]:
    """The secrets in the value of an option; the option is a secret, or may contain URLs with secrets."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _of_value(each, is_secret or _is_secret(str(name)))
    elif isinstance(value, str):
        yield from _of_url(value)
        if is_secret:
            yield value
    elif isinstance(value, bytes):
        yield from _of_value(value.decode("utf-8", "replace"), is_secret)
    elif isinstance(value, Sequence):
        for each in value:
            yield from _of_value(each, is_secret)


def _of_environment() -> Iterator[str]:
    yield from _of_value({name: value for name, value in os.environ.items() if name.startswith(PROVIDERS)})


def _is_secret(name: str) -> bool:
    return SECRET.search(name) is not None and PLAIN.search(name) is None
