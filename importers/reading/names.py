r"""The names that sources give to photographs, in one form for all the ways to write them.

Everything here is text: `./a//b.jpg` is `a/b.jpg` on every machine, and `D:\Photos` is absolute on every one.
"""

from __future__ import annotations

import posixpath
import re

_ROOT = re.compile(r"//(?!/)|[A-Za-z]:|[A-Za-z][A-Za-z0-9+.-]+://")  # a share, a drive, a URL
_UNTIDY = re.compile(r"//|(?:^|/)\.{0,2}(?:/|$)")
_WINDOWS = re.compile(r"[A-Za-z]:|[\\/]{2}(?![\\/])")  # a drive, or a share: \\server\share
_SEPARATOR = r"[\\/]+(?:\.[\\/]+)*"


def is_absolute(name: str) -> bool:
    """Whether the name begins at a root: of this computer, of a drive or share of Windows, or a URL's."""
    return name.startswith("/") or _ROOT.match(name) is not None


def normal(name: str) -> str:
    """The name with forward slashes, without `.`, double slashes, and `..` where a folder precedes it."""
    if not _UNTIDY.search(name):
        return name
    root = _ROOT.match(name)
    if root is None:
        return posixpath.normpath(name)
    start, rest = root[0], name[root.end() :]
    slash = "/" if start.endswith(":") else ""
    return f"{start}{slash}{posixpath.normpath('/' + rest.lstrip('/')).lstrip('/')}"


def relative_to(base: str, name: str) -> str | None:
    """The name below the folder `base`; None if it is not there. Both are absolute, `name` in normal form.

    Windows does not distinguish letter case.
    """
    base = base.replace("\\", "/").rstrip("/") if _WINDOWS.match(base) else base.rstrip("/")
    start, rest = name[: len(base) + 1], name[len(base) + 1 :]
    if _WINDOWS.match(base):
        base, start = base.casefold(), start.casefold()
    return rest if rest and start == f"{base}/" else None


def prefix_pattern(prefix: str) -> re.Pattern[str]:
    r"""A pattern that matches `prefix` at the start of a name, however its separators are written.

    It ends where a folder ends: `D:\Photos` is no prefix of `D:\Photos 2\a.jpg`. Letter case counts, except
    on Windows. Something is left of every name that it matches.
    """
    parts = [part for part in re.split(r"[\\/]+", prefix) if part not in ("", ".")]
    begins = _SEPARATOR if prefix[:1] in ("/", "\\") else r"(?:\.[\\/]+)*"
    # Label Studio's addresses end with `?d=`, which precedes a name without a separator.
    ends = rf"(?:{_SEPARATOR})?" if not parts or prefix.endswith("=") else _SEPARATOR
    flags = re.IGNORECASE if _WINDOWS.match(prefix) else 0
    return re.compile(f"{begins}{_SEPARATOR.join(map(re.escape, parts))}{ends}(?=.)", flags | re.DOTALL)
