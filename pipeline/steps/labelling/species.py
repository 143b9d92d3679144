"""Changes of a project's species list while people label. No label is lost by any of them.

The store changes first, then the label config in Label Studio: if that fails, the former words still stand
for the right categories, and the command can be run again. Annotations in Label Studio keep the word that
they were given, which is another name of the new category from then on; the label config keeps such words
for them, hidden from everybody else. Label Studio would let go of them (1.23.2), and then show these
annotations without an answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.errors import StoreError
from pipeline.label_studio import config
from pipeline.label_studio.choices import with_added, with_replaced
from pipeline.label_studio.roles import SpeciesClient
from pipeline.label_studio.screen.controls import LISTED
from pipeline.label_studio.species import check_name
from pipeline.records import EMPTY, Taxon, category_name
from pipeline.steps.labelling.ask import ask, planned_again
from pipeline.steps.labelling.instructions import renew_instructions
from pipeline.steps.labelling.parking import park
from pipeline.steps.labelling.stock import StockReport, top_up
from pipeline.steps.labelling.stock_plan import asks_first
from pipeline.steps.learning.activate import refill
from pipeline.store import acceptances, categories, choices, oracle, projects, tasks, taxa
from pipeline.vocabulary import category_of
from pipeline.workspace import Workspace

LIST = "see `wildloop project species list`"


@dataclass(frozen=True, kw_only=True)
class ListedSpecies:
    """A category that a project offers, or that labels in it have although it does not."""

    name: str  # the word of the choice
    hotkey: str | None
    labels: int  # current labels that count in the project
    other_names: Sequence[str]  # labels were given under these, too
    offered: bool
    proposed: bool  # annotators typed its name, because it is not in the list


@dataclass(frozen=True, kw_only=True)
class SpeciesChange:
    """What a change of the species list did."""

    offered: Sequence[str]  # the choices of the project now
    relabelled: int  # labels that have another category now
    stock: StockReport | None  # with the new suggestions; None if nothing is suggested in the project
    doubled: Mapping[int, Mapping[str, Sequence[str]]]  # by other project: `store.choices.doubled`


@dataclass(frozen=True, kw_only=True)
class _Present:
    """The choices of a project, and how names relate to them."""

    project_id: int
    label_config: str
    numbers: Mapping[str, int]  # of every name of a category
    names: Mapping[int, str]

    @property
    def keys(self) -> dict[str, str]:
        """The hotkey of each choice."""
        return config.offered(self.label_config)

    def category(self, name: str) -> str | None:
        """The category that `name` stands for now; None if it names no species."""
        own = category_of(name)
        return self.names[self.numbers[own]] if own is not None and own in self.numbers else own

    def choice(self, name: str) -> str | None:
        """The choice of the category of `name`; None if the project does not offer it.

        Of several, which one category has after an interrupted merge, the one with this very name.
        """
        wanted = self.category(name)
        words = [word for word in self.keys if self.category(word) == wanted]
        return min(words, key=lambda word: category_name(word) != category_name(name), default=None)

    def unknown(self, name: str) -> StoreError:
        offered = ", ".join(self.keys)
        return StoreError(f"project {self.project_id} offers no {name!r}, only {offered}", remedy=LIST)


def list_species(workspace: Workspace, client: SpeciesClient, project_id: int) -> list[ListedSpecies]:
    """What the project offers, in its order, then labels that it does not offer. Raises LabelStudioError."""
    present = _read(workspace, client, project_id)
    with workspace.database.read() as conn:
        offered, counts = choices.offered(conn, project_id), oracle.label_counts(conn)
        proposed = choices.proposed(conn, project_id)
    words = offered | {number: present.names[number] for number in counts if number not in offered}
    return [
        ListedSpecies(
            name=word,
            hotkey=present.keys.get(word) or None,
            labels=counts.get(number, 0),
            other_names=sorted(
                name
                for name, other in present.numbers.items()
                if other == number and name != category_name(word)
            ),
            offered=number in offered,
            proposed=word in proposed,
        )
        for number, word in words.items()
    ]


def add_species(
    workspace: Workspace, client: SpeciesClient, project_id: int, names: Sequence[str]
) -> SpeciesChange:
    """Offer further species. One that was merged into another is separated from it again.

    Raises StoreError for a name that is offered already, SourceError for one that cannot be a choice, and
    LabelStudioError.
    """
    words = list(map(_checked, names))
    present = _read(workspace, client, project_id)
    for word in words:
        choice = present.choice(word)
        if choice is not None and category_name(choice) == category_name(word):
            raise StoreError(f"project {project_id} offers {choice!r} already", remedy=LIST)
    separated = [category_name(word) for word in words if present.category(word) != category_name(word)]
    with workspace.database.write() as conn:
        relabelled = sum(_merge(conn, [], name) for name in separated)
    return _offer(workspace, client, present, with_added(present.label_config, words), relabelled)


def rename_species(
    workspace: Workspace, client: SpeciesClient, project_id: int, old: str, new: str
) -> SpeciesChange:
    """Give a choice another name; its labels follow, and its hotkey and place stay.

    Raises StoreError if the project does not offer `old`, or offers `new` already, SourceError if `new`
    cannot be a choice, and LabelStudioError.
    """
    word = _checked(new)
    present = _read(workspace, client, project_id)
    old_choice, other = present.choice(old), present.choice(word)
    if old_choice is None or category_of(old) in (None, EMPTY):
        raise present.unknown(old)
    if other not in (None, old_choice):
        raise StoreError(
            f"project {project_id} offers {other!r} already",
            remedy=f'`wildloop project species merge "{old}" --into "{other}"` makes them one',
        )
    return _replace(workspace, client, present, [old], word)


def merge_species(
    workspace: Workspace, client: SpeciesClient, project_id: int, former: Sequence[str], into: str
) -> SpeciesChange:
    """Make one species of several; their labels follow. `into` is offered afterwards, `former` are not.

    Each of `former` is offered, or the category of some label. Raises StoreError otherwise, SourceError if
    `into` cannot be a choice, and LabelStudioError.
    """
    present = _read(workspace, client, project_id)
    for name in former:
        is_known = present.choice(name) is not None or category_of(name) in present.numbers
        if not is_known or category_of(name) in (None, EMPTY):
            raise present.unknown(name)
    word = present.choice(into)
    is_name = category_name(into) == present.category(into)  # not another name of a choice
    if word is None or (is_name and category_name(word) != category_name(into)):
        word = EMPTY if category_of(into) == EMPTY else _checked(into)
    return _replace(workspace, client, present, former, word)


def _read(workspace: Workspace, client: SpeciesClient, project_id: int) -> _Present:
    """The choices as they are in Label Studio at this moment; the store sees them, too."""
    label_config = str(client.project(project_id)["label_config"])
    with workspace.database.write() as conn:
        choices.see(conn, project_id, list(config.offered(label_config)))
        return _Present(
            project_id=project_id,
            label_config=label_config,
            numbers=categories.numbers(conn),
            names=categories.names(conn),
        )


def _checked(name: str) -> str:
    """The name with single spaces, as a choice. Raises SourceError if it cannot be one."""
    word = " ".join(name.split())
    check_name(word, "species")
    if category_of(word) in (None, EMPTY):
        raise StoreError(f"{word!r} names no species", remedy="`empty` and `unsure` are always offered")
    return word


def _replace(
    workspace: Workspace, client: SpeciesClient, present: _Present, former: Sequence[str], word: str
) -> SpeciesChange:
    """Let `word` stand for the categories of `former`, in Label Studio and in the store."""
    merged = {category for name in former if (category := present.category(name)) is not None}
    gone = [choice for choice in present.keys if present.category(choice) in merged and choice != word]
    used = client.used_choices(present.project_id, LISTED)
    hidden = [choice for choice in gone if used.get(choice)]
    target, relabelled = category_of(word) or word, 0
    if merged != {target}:  # else only the spelling changes
        with workspace.database.write() as conn:
            relabelled = _merge(conn, sorted(merged), target)
    label_config = with_replaced(present.label_config, gone, word, used=hidden)
    return _offer(workspace, client, present, label_config, relabelled)


def _merge(conn: sa.Connection, former: Sequence[str], into: str) -> int:
    """Merge categories in the store; returns how many detections with a label are concerned."""
    numbers, names = categories.numbers(conn), categories.names(conn)
    stood_for = numbers.get(into)  # None: a new name
    is_rename = len(former) == 1 and (stood_for is None or names[stood_for] == former[0])
    had_labels = stood_for is not None and bool(oracle.labelled_as(conn, {stood_for}))
    merged = categories.merge(conn, former, into)
    target = categories.numbers(conn)[into]
    if not is_rename:
        # Probabilities of several categories are added up, or were until now: no guarantee covers that.
        acceptances.withdraw(conn, {*merged, target, target if stood_for is None else stood_for})
    if not is_rename and (len(former) > 1 or had_labels):  # parts of a group, not other names of one taxon
        taxa.save(conn, [Taxon(category=name, parent=into) for name in former])
    concerned = oracle.labelled_as(conn, {*merged, target})
    oracle.update_labels(conn, concerned)
    return len(oracle.labelled_as(conn, merged or {target}))


def _ask_anew(workspace: Workspace, client: SpeciesClient, project_id: int, version: str | None) -> None:
    """Take tasks out of the stream that suggest a species which is another one now, or is offered no more.

    Answers of whoever has one open count as what the word stands for now. What the queue asks, a top-up asks
    anew; what somebody asked for on purpose is asked anew here.
    """
    with workspace.database.read() as conn:
        offered, every = choices.offered(conn, project_id), tasks.open_tasks(conn, project_id)
    suggested = [(task, (task.details or {}).get("suggested")) for task in every]
    outdated = [task for task, number in suggested if number is not None and number not in offered]
    wanted = [planned_again(task) for task in outdated if not asks_first(task)]
    if wanted:
        ask(workspace, client, project_id, wanted, version=version)
    park(workspace, client, project_id, [task.task_id for task in outdated])


def _offer(
    workspace: Workspace, client: SpeciesClient, present: _Present, label_config: str, relabelled: int
) -> SpeciesChange:
    """Offer the choices of `label_config`; if that changes suggestions, what suggests is asked anew."""
    project_id, words = present.project_id, list(config.offered(label_config))
    with workspace.database.write() as conn:
        choices.see(conn, project_id, words)  # first, or the webhook reports the change as somebody's
        project = projects.get(conn, project_id)
    version = project.current_model
    if not config.same(label_config, present.label_config):
        client.update_project(project_id, label_config=label_config)
    stock = None
    if project.replaced_by is None and not config.is_earlier(config.parsed(label_config)):
        _ask_anew(workspace, client, project_id, version)
        if version is not None:
            if relabelled:
                refill(workspace, project_id, version)
            stock = top_up(workspace, client, project_id)
        renew_instructions(workspace, client, project_id)
    with workspace.database.read() as conn:
        others = [record.id for record in projects.active(conn) if record.id != project_id]
        doubled = {number: found for number in others if (found := choices.doubled(conn, number))}
    return SpeciesChange(offered=words, relabelled=relabelled, stock=stock, doubled=doubled)
