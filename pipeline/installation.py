"""The installed distribution: whether Python finds its packages, and whether the others fit it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement

from pipeline.errors import InstallationError

DISTRIBUTION = "wildloop"
PACKAGES = ("backend", "importers", "pipeline", "wildloop")
ROOT = Path(__file__).resolve().parents[1]  # holds the packages: site-packages, or a checkout


def shadowed_packages(root: Path = ROOT) -> dict[str, Path]:
    """Wildloop's packages that Python would import from outside `root`, with the place where it finds them.

    A folder or module with such a name in the working directory (`python -m`, notebooks, `rq worker`) or
    on PYTHONPATH comes before an installed package.
    """
    shadowed = {}
    for name in PACKAGES:
        spec = find_spec(name)
        if spec is None:
            continue
        places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
        if places and root not in Path(places[0]).resolve().parents:
            shadowed[name] = Path(places[0])
    return shadowed


def check_packages(root: Path = ROOT) -> None:
    """Raises InstallationError if another package hides one of Wildloop's."""
    shadowed = shadowed_packages(root)
    if shadowed:
        found = ", ".join(f"{name} from {place}" for name, place in shadowed.items())
        raise InstallationError(
            f"Python imports {found}, not from {root}, where {DISTRIBUTION} lies",
            remedy="start in another working directory, or rename that folder or take it off PYTHONPATH; "
            "start workers with `wildloop worker`, not `rq worker`",
        )


def unmet_requirements(
    requirements: Iterable[str], version_of: Callable[[str], str] = version
) -> list[tuple[str, str | None]]:
    """Requirements, without those of extras, that the environment does not meet.

    Each comes with the release that is installed, such as ("flask>=3.1", "1.1.2"), or None.
    """
    unmet: list[tuple[str, str | None]] = []
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        installed: str | None
        try:
            installed = version_of(requirement.name)
        except PackageNotFoundError:
            installed = None
        if installed is None or not requirement.specifier.contains(installed, prereleases=True):
            unmet.append((f"{requirement.name}{requirement.specifier}", installed))
    return unmet
