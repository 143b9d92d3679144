"""What packages and the user say of an export as a whole: contributors, licences, the project."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipeline.camtrap_dp import (
    CAPTURE_METHODS,
    DESCRIPTOR,
    FILES,
    ROLES,
    SAMPLING_DESIGNS,
    SCOPES,
    TABLES,
    paths_of,
)
from pipeline.exporters.camtrap_dp.settings import Settings
from pipeline.exporters.source import ExportReport

NO_LICENCES = "package without licences, which GBIF asks for: --data-licence and --media-licence"
NO_CONTRIBUTOR = "package without a contributor, called unknown: --contributor"

_OWN = ("id", "version", "bibliographicCitation", "doi")  # of one package and no other


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """The descriptors of the packages in an export, and the settings that complete them."""

    packages: Sequence[Mapping[str, Any]]
    others: bool  # whether there are photographs of no package
    answered: bool  # whether people or the current version answered anything
    methods: Sequence[str]  # the captureMethods of the media, as packages say
    settings: Settings

    @cached_property
    def base(self) -> dict[str, Any]:
        """The properties of the packages; where they differ, only lists, which are joined."""
        agreed = _agreed(self.packages, is_whole=self.is_whole)
        return {name: value for name, value in agreed.items() if name != FILES}

    @property
    def is_whole(self) -> bool:
        """Whether the export is one package and nothing else."""
        return len(self.packages) == 1 and not self.others

    @property
    def contributors(self) -> list[Any]:
        """Those of the packages and of the user; one called unknown if there are none."""
        named = [
            {name: value for name, value in each.items() if name != "role" or value in ROLES}
            for each in _mappings(self.base.get("contributors"))
            if isinstance(each.get("title"), str)
        ]
        user = self.settings.contributor
        if user is not None and user not in [each["title"] for each in named]:
            named.append({"title": user, "role": "contact"})
        return named or [{"title": "unknown"}]

    @property
    def licences(self) -> list[Any]:
        """The licences, the user's before those of packages; none unless there is one for each scope."""
        known = self._known_licences
        return known if {each["scope"] for each in known} == {*SCOPES} else []

    @property
    def project(self) -> dict[str, Any]:
        """The project of the packages, as far as they agree, with sampling design and capture methods."""
        said = _agreed(self._projects)
        design = self.settings.sampling_design or said.get("samplingDesign")
        listed = [each for each in _texts(said.get("captureMethod")) if each in CAPTURE_METHODS]
        known = self.settings.capture_methods or dict.fromkeys([*listed, *self.methods])
        return {
            **said,
            "samplingDesign": design if design in SAMPLING_DESIGNS else None,
            "captureMethod": list(known),
            "individualAnimals": any(each.get("individualAnimals") is True for each in self._projects),
        }

    @property
    def method_of_others(self) -> str:
        """The captureMethod of media of no package, empty if nobody said it."""
        methods = self.settings.capture_methods
        return methods[0] if len(methods) == 1 else ""

    @property
    def resources(self) -> list[Mapping[str, Any]]:
        """Further resources of the packages: in the descriptor, at a URL, or in one of the `files`."""
        files = self.files
        return [
            each
            for each in self._further
            if "data" in each or all(_is_remote(path) or path in files for path in paths_of(each))
        ]

    @cached_property
    def files(self) -> dict[str, bytes]:
        """The files of further resources, by their paths in the package."""
        own = {DESCRIPTOR, *(f"{table}.csv" for table in TABLES)}
        files: dict[str, bytes] = {}
        for package in self.packages:
            for path, content in package.get(FILES, {}).items():
                if path not in own:
                    files.setdefault(path, base64.b64decode(content))
        return files

    def problems(self) -> Iterator[tuple[str, str]]:
        """What the standard needs and nobody said, with the remedy."""
        project = self.project
        if project["samplingDesign"] is None:
            yield (
                "the standard needs the sampling design of the project",
                f"give it with --sampling-design: {', '.join(SAMPLING_DESIGNS)}",
            )
        if not project["captureMethod"]:
            yield (
                "the standard needs the capture method of the project",
                f"give it with --capture-method: {', '.join(CAPTURE_METHODS)}, or both",
            )
        scopes = {licence["scope"] for licence in self._known_licences}
        is_asked = next(self.settings.licences(), None) is not None
        for absent in [each for each in SCOPES if each not in scopes] if is_asked else ():
            yield (
                f"the standard needs a licence of the {absent} too",
                f"give it with --{absent}-licence, such as CC-BY-4.0",
            )

    def note(self, report: ExportReport) -> None:
        """Count what users should know."""
        if not self.licences:
            report.note(NO_LICENCES)
        if self.contributors == [{"title": "unknown"}]:
            report.note(NO_CONTRIBUTOR)
        for resource in self._further:
            if resource not in self.resources:
                report.note(f"further resources of packages left out, such as {resource['name']}")

    @property
    def _known_licences(self) -> list[Any]:
        chosen = list(self.settings.licences())
        scopes = [licence["scope"] for licence in chosen]
        return chosen + [
            each
            for each in _mappings(self.base.get("licenses"))
            if each.get("scope") in SCOPES
            and each["scope"] not in scopes
            and (each.get("name") or each.get("path"))
        ]

    @property
    def _projects(self) -> list[Mapping[str, Any]]:
        return [each["project"] for each in self.packages if isinstance(each.get("project"), Mapping)]

    @cached_property
    def _further(self) -> list[Mapping[str, Any]]:
        """The resources beside the three tables, each name once."""
        named: dict[str, Mapping[str, Any]] = {}
        for each in _mappings(self.base.get("resources")):
            if isinstance(each.get("name"), str) and each["name"] not in TABLES:
                named.setdefault(each["name"], each)
        return list(named.values())


def _agreed(said: Sequence[Mapping[str, Any]], *, is_whole: bool = True) -> dict[str, Any]:
    """The properties on which all agree that say them; lists are joined.

    Those of one package alone, such as its id, are left out unless it is the whole.
    """
    agreed: dict[str, Any] = {}
    for name in dict.fromkeys(name for each in said for name in each):
        values = [each[name] for each in said if name in each]
        if all(isinstance(value, list) for value in values):
            agreed[name] = _joined(values)
        elif all(value == values[0] for value in values) and (is_whole or name not in _OWN):
            agreed[name] = values[0]
    return agreed


def _joined(lists: Iterable[Iterable[Any]]) -> list[Any]:
    joined: list[Any] = []
    for one in lists:
        joined += [each for each in one if each not in joined]
    return joined


def _mappings(given: Any) -> list[Mapping[str, Any]]:
    return [each for each in given if isinstance(each, Mapping)] if isinstance(given, list) else []


def _texts(given: Any) -> list[str]:
    return [each for each in given if isinstance(each, str)] if isinstance(given, list) else []


def _is_remote(path: str) -> bool:
    return path.startswith(("http://", "https://"))
