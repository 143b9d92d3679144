"""What the standard asks for and neither photographs nor packages say: settings of an export."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.camtrap_dp import CAPTURE_METHODS, SAMPLING_DESIGNS
from pipeline.errors import ExportError

_LICENCE_NAME = re.compile(r"[-a-zA-Z0-9._]+")  # as the Data Package standard writes an id of SPDX


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the user says of a package. Raises ExportError for a value that the standard does not know."""

    timezone: str | None = None  # of deployments without one
    taxa: Mapping[str, str] = field(default_factory=dict, hash=False)  # category to scientific name
    title: str | None = None
    contributor: str | None = None  # the contact
    sampling_design: str | None = None  # one of SAMPLING_DESIGNS
    capture_methods: tuple[str, ...] = ()  # of CAPTURE_METHODS; a single one is that of every medium
    data_licence: str | None = None  # an id of SPDX such as CC0-1.0, or a URL
    media_licence: str | None = None

    def __post_init__(self) -> None:
        if self.sampling_design not in (None, *SAMPLING_DESIGNS):
            raise ExportError(
                f"the sampling design {self.sampling_design!r} is unknown",
                remedy=f"choose one of {', '.join(SAMPLING_DESIGNS)}",
            )
        unknown = sorted({*self.capture_methods} - {*CAPTURE_METHODS})
        if unknown:
            raise ExportError(
                f"the capture method {unknown[0]!r} is unknown",
                remedy=f"choose of {', '.join(CAPTURE_METHODS)}",
            )
        for licence in (self.data_licence, self.media_licence):
            if licence is not None and not ("://" in licence or _LICENCE_NAME.fullmatch(licence)):
                raise ExportError(
                    f"{licence!r} is neither the id of a licence nor a URL",
                    remedy="write it as SPDX does, such as CC-BY-4.0",
                )

    def licences(self) -> Iterator[dict[str, Any]]:
        """The licences as the standard writes them."""
        for scope, licence in (("data", self.data_licence), ("media", self.media_licence)):
            if licence is not None:
                yield {"path" if "://" in licence else "name": licence, "scope": scope}
