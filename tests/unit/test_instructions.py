"""The instructions that annotators read: examples from the surest labels, renewed when they change."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from pipeline.label_studio.instructions import (
    SpeciesExamples,
    example_crops,
    guidance,
    has_guidance,
    with_guidance,
)
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.records import Taxon
from pipeline.steps.labelling.instructions import renew_instructions, write_instructions
from pipeline.steps.labelling.species_examples import EACH
from pipeline.steps.labelling.sync import sync
from pipeline.steps.learning.train import train
from pipeline.store import audits, categories, choices, taxa
from pipeline.store.database import Database
from pipeline.store.schema import project
from pipeline.workspace import Workspace
from tests.helpers.fake_label_studio import FakeLabelStudio
from tests.helpers.labelled_workspace import PROJECT, detection, forest, make_workspace, populate, species

LABELLED = 60
OWN = "<p>Ask Ada if you are <b>not</b> sure.</p>"
FOX = SpeciesExamples(word="red fox", scientific_name="Vulpes vulpes", crops=[("d1", "/crops/d1.jpg")])


@pytest.fixture
def workspace(sqlite_database: Database, tmp_path: Path) -> Workspace:
    populate(sqlite_database)
    with sqlite_database.write() as conn:
        conn.execute(sa.update(project).values(options=ScreenOptions(count=True).to_json()))
        choices.see(conn, PROJECT, ["deer", "fox", "boar", "empty", "unsure"])
        taxa.save(conn, [Taxon(category="fox", scientific_name="Vulpes vulpes")])
    return make_workspace(sqlite_database, tmp_path, top_k=60)


@pytest.fixture
def server(workspace: Workspace) -> FakeLabelStudio:
    """A Label Studio in which people have labelled the first crops by the truth, and a version of them."""
    made = forest(120)
    for number in range(LABELLED):
        made.annotate(number + 1, species(number))
    learn(workspace, made)
    return made


def learn(workspace: Workspace, server: FakeLabelStudio) -> None:
    sync(workspace, server, PROJECT)
    train(workspace, PROJECT)


def shown(server: FakeLabelStudio) -> list[str]:
    return example_crops(server.fields["expert_instruction"])


def test_what_a_manager_wrote_stays_around_the_block() -> None:
    block = guidance([FOX], ScreenOptions())
    once = with_guidance(OWN, block)
    assert once is not None
    assert once.startswith(OWN)
    assert with_guidance(once, block) is None
    after = f"{once}\n<p>Thank you</p>"
    renewed = with_guidance(after, guidance([], ScreenOptions()))
    assert renewed is not None
    assert renewed.startswith(OWN)
    assert renewed.endswith("<p>Thank you</p>")
    assert "red fox" not in renewed
    assert renewed.count("What is asked") == 1


def test_instructions_name_the_keys_of_what_the_project_asks() -> None:
    asked = guidance([], ScreenOptions(sex=True, behaviour=("feeding",)))
    assert "female, male" not in guidance([], ScreenOptions())
    assert "female, male" in asked
    assert "feeding" in asked


def test_names_are_escaped() -> None:
    deer = SpeciesExamples(word="deer & <co>", scientific_name=None, crops=[("a&b", "/crops/a&b.jpg")])
    block = guidance([deer], ScreenOptions())
    assert "<b>deer &amp; &lt;co&gt;</b>" in block
    assert example_crops(block) == ["a&b"]


def test_examples_are_sure_labels_of_people_from_different_places(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    assert write_instructions(workspace, server, PROJECT)
    text = server.fields["expert_instruction"]
    assert server.fields["show_instruction"]
    assert "<i>Vulpes vulpes</i>" in text
    crops = shown(server)
    assert len(crops) == EACH * 3
    assert [species(int(crop[1:])) for crop in crops] == ["deer"] * EACH + ["fox"] * EACH + ["boar"] * EACH
    for first in range(0, len(crops), EACH):
        sites = {int(crop[1:]) // 3 % 4 for crop in crops[first : first + EACH]}
        assert len(sites) == EACH


def test_an_audit_crop_is_no_example(workspace: Workspace, server: FakeLabelStudio) -> None:
    write_instructions(workspace, server, PROJECT)
    crop = shown(server)[0]
    with workspace.database.write() as conn:
        audits.draw(conn, PROJECT, [crop], 1)
    assert renew_instructions(workspace, server, PROJECT)
    assert crop not in shown(server)


def test_instructions_are_renewed_only_when_an_example_is_no_more(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    write_instructions(workspace, server, PROJECT)
    before = shown(server)
    for number in range(LABELLED, LABELLED + 30):
        server.annotate(number + 1, species(number))
    learn(workspace, server)
    assert not renew_instructions(workspace, server, PROJECT)
    assert shown(server) == before

    wrong = int(before[0][1:])
    server.annotate(wrong + 1, "fox", by=2)  # somebody disagrees: nobody knows what it is
    sync(workspace, server, PROJECT)
    assert renew_instructions(workspace, server, PROJECT)
    assert detection(wrong) not in shown(server)
    assert shown(server)[EACH:] == before[EACH:]


def test_instructions_that_somebody_took_out_stay_out(workspace: Workspace, server: FakeLabelStudio) -> None:
    write_instructions(workspace, server, PROJECT)
    server.fields["expert_instruction"] = OWN
    assert not renew_instructions(workspace, server, PROJECT)
    assert server.fields["expert_instruction"] == OWN


def test_before_the_first_version_the_instructions_have_no_examples(workspace: Workspace) -> None:
    server = forest(120)
    assert write_instructions(workspace, server, PROJECT)
    assert has_guidance(server.fields["expert_instruction"])
    assert shown(server) == []


def test_a_project_with_the_earlier_screen_keeps_its_instructions(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    with workspace.database.write() as conn:
        conn.execute(sa.update(project).values(options=None))
        assert categories.names(conn)
    assert not write_instructions(workspace, server, PROJECT)
    assert server.fields["expert_instruction"] == ""
