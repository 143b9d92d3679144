"""Redirects: what a wrong LABEL_STUDIO_URL looks like, such as http:// where the server answers under https://.

HTTP clients follow the redirect of a write by a read, so that the write seems done; and a token must not
follow a redirect to another host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import LabelStudioError

if TYPE_CHECKING:
    import httpx

READS = ("GET", "HEAD")
# Extensions of a request:
MAY_LEAVE = "wildloop_may_leave"  # it may be redirected to another host, without the token
ASKED = "wildloop_asked"  # the redirect itself is the answer


def refuse(url: str, response: httpx.Response) -> None:
    """Raise LabelStudioError for a redirect of a write, or of a read to another address than `url`'s.

    Redirects of reads within the same server are followed.
    """
    request = response.request
    if not response.has_redirect_location or request.extensions.get(ASKED):
        return
    target = request.url.join(response.headers["Location"])
    same_host = target.host == request.url.host
    same_server = same_host and (target.scheme, target.port) == (request.url.scheme, request.url.port)
    elsewhere = not same_host or target.path != request.url.path  # else Label Studio itself has moved
    if request.method in READS and (same_server or (request.extensions.get(MAY_LEAVE) and elsewhere)):
        return
    raise LabelStudioError(
        f"Label Studio at {url} redirects to {target}, and a redirected {request.method} is not carried out",
        remedy=f"set LABEL_STUDIO_URL to {_base(url, str(request.url), str(target))}",
    )


def _base(url: str, requested: str, target: str) -> str:
    """The address that takes the place of `url`, which `requested` begins with."""
    path = requested.removeprefix(url)
    if target.endswith(path):
        return target.removesuffix(path)
    if target.rstrip("/").endswith(path.rstrip("/")):  # a slash added or taken away
        return target.rstrip("/").removesuffix(path.rstrip("/"))
    return "the address that a browser shows when you label"
