"""Objects in whatever fsspec knows, read in threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ddfast.errors import MissingPackageError, StorageOptionError
from ddfast.storage.backends.local import beyond_end
from ddfast.storage.backends.threaded import ThreadedStorage
from ddfast.storage.base import Span, Stat, paired
from ddfast.storage.failures import of_any, shortened
from ddfast.storage.urls import shown

# What file systems call that which changes with an object, the most telling first.
VERSIONS = (
    "ETag", "etag", "e_tag", "generation", "VersionId", "version_id", "md5", "md5Hash", "content_md5",
    "mtime", "LastModified", "last_modified", "modified", "updated", "created",
)  # fmt: skip


def open_file_system(url: str, options: dict[str, Any]) -> tuple[Any, str]:
    """The file system of fsspec that a URL means, and the path in it.

    Raises:
        StorageOptionError: no file system has this scheme, or it does not take these options.
        MissingPackageError: fsspec, or what it needs for this scheme, is not installed.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise MissingPackageError(
            f"{shown(url)} is read with fsspec, which is not installed: pip install 'ddfast[remote]'"
        ) from error
    try:
        # One of its own: those that fsspec keeps may come from before a fork.
        file_system, path = url_to_fs(
            url, **{"skip_instance_cache": True, "use_listings_cache": False, **options}
        )
    except ImportError as error:
        raise MissingPackageError(f"{shown(url)} needs a package that is not installed: {error}") from error
    except (TypeError, ValueError) as error:
        raise StorageOptionError(f"{shown(url)} cannot be opened with these options: {error}") from error
    except Exception as error:
        raise of_any(error, shown(url), None) from error
    return file_system, path


class AnyStorage(ThreadedStorage):
    """An object that fsspec reads.

    Of the version, only `stat` knows; reads see whether as many bytes come as were asked for.

    Parameters:
        url: of the object, with a scheme of fsspec or a chain of them.
        options: those of `fsspec.open`.

    Raises:
        StorageOptionError: no file system has this scheme, or it does not take these options.
        MissingPackageError: fsspec, or what it needs for this scheme, is not installed.
    """

    def __init__(self, url: str, *, _file_system: Any = None, **options: Any) -> None:
        super().__init__(url, **options)
        if _file_system is None:
            self._fs, self._path = open_file_system(url, options)
        else:
            self._fs, self._path = _file_system, _file_system._strip_protocol(url)

    def stat(self) -> Stat:
        """Size and version, as far as the file system tells."""
        self.check_usable()
        try:
            info = self._fs.info(self._path)
            version = next((str(info[name]) for name in VERSIONS if info.get(name) is not None), None)
            size = self._fs.size(self._path) if info.get("size") is None else info["size"]
        except Exception as error:
            raise of_any(error, self.name, None) from error
        return self.note(Stat(int(size), version))

    def read(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """Read one span after the other."""
        self.check_usable()
        for span, target in paired(spans, into):
            try:
                content = self._fs.cat_file(self._path, start=span[0], end=span[1])
            except Exception as error:
                raise of_any(error, self.name, span) from error
            if len(content) != span[1] - span[0]:
                self._refuse_beyond(span)
                raise shortened(self.name, span, len(content))
            target[:] = content

    def beside(self, suffix: str) -> AnyStorage:
        """Another object of the same file system."""
        self.check_usable()
        if "::" in self.url:  # the suffix belongs to the first of the chain, and changes all of it
            first, _, rest = self.url.partition("::")
            return type(self)(
                f"{first}{suffix}::{rest}" if "://" in first else self.url + suffix, **self.options
            )
        return type(self)(self.url + suffix, _file_system=self._fs, **self.options)

    def _refuse_beyond(self, span: Span) -> None:
        size = self.stat().size
        if span[1] > size:
            raise beyond_end(self, span, size)
