"""Static files straight from `dashboard/static`, under names that carry a hash of the content.

`css/app.css` is served as `/static/css/app.<12 hex>.css` and may be cached for ever. The hashes are taken when a
process first names a file: there is no step between a checkout and a running gateway that could be forgotten.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage
from servestatic.middleware import ServeStaticMiddleware

_HASH = re.compile(r"\.[0-9a-f]{12}(?=\.\w+$)")
HEX_DIGITS = 12  # what ServeStatic recognises as a name that never changes its content


class HashedStaticFiles(StaticFilesStorage):
    """`{% static %}`: a name that is not there raises, so that a typing error shows in tests."""

    def url(self, name: str | None, force: bool = False) -> str:
        return super().url(hashed_name(name or ""))


class StaticFilesMiddleware(ServeStaticMiddleware):
    """Serves each file under its plain and its hashed name.

    They are looked for once in a process, however often Django's stack is built there: tests build one for each client.
    """

    _found: ClassVar[dict[str, Any]] = {}

    def add_files_from_finders(self) -> None:
        if not self._found:
            super().add_files_from_finders()
            for url in list(self.files):
                name = url.removeprefix(self.static_prefix)
                self.add_file_to_dictionary(self.static_prefix + hashed_name(name), _path(name))
            self._found.update(self.files)
        self.files.update(self._found)


@cache
def hashed_name(name: str) -> str:
    """`css/app.css` -> `css/app.0123456789ab.css`. Raises `ValueError` where there is no such file."""
    stem, extension = posixpath.splitext(name)
    digest = hashlib.sha256(Path(_path(name)).read_bytes()).hexdigest()[:HEX_DIGITS]
    return f"{stem}.{digest}{extension}"


def content_of(url: str) -> bytes:
    """Of the file under that plain or hashed name. Raises `ValueError` where there is none."""
    name = url.removeprefix(settings.STATIC_URL)
    return Path(_path(name if finders.find(name) else _HASH.sub("", name))).read_bytes()


def _path(name: str) -> str:
    path = finders.find(name)
    if not isinstance(path, str):
        raise ValueError(f"there is no static file {name!r}")
    return path
