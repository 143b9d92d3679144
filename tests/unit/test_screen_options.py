"""The options of a project: what the command line says, and what follows in Label Studio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pipeline.cli.screen_options import changed
from pipeline.errors import LabelStudioError, SettingsError, SourceError, StoreError
from pipeline.label_studio import config
from pipeline.label_studio.screen import controls
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.records import Taxon
from pipeline.render.project import screen_options
from pipeline.steps.labelling.instructions import write_instructions
from pipeline.steps.labelling.options import change_options
from pipeline.store import projects, taxa
from pipeline.store.database import Database
from pipeline.store.schema import project
from pipeline.workspace import Workspace
from tests.helpers.fake_label_studio import FakeLabelStudio
from tests.helpers.labelled_workspace import PROJECT, SPECIES, make_workspace, populate


def test_options_of_the_command_line_change_what_they_name_alone() -> None:
    present = ScreenOptions(sex=True, stock=500, behaviour=("feeding",))
    assert changed(present) == present
    wanted = changed(present, more="count, Comment", less="sex", suggest_from=0.7, boards=False)
    assert wanted == ScreenOptions(
        count=True, comment=True, stock=500, behaviour=("feeding",), suggest_from=0.7, boards=False
    )
    assert changed(present, behaviours=" resting,  on  guard,resting").behaviour == ("resting", "on guard")
    assert changed(present, less="behaviour").behaviour == ()


@pytest.mark.parametrize(
    ("said", "error", "told"),
    [
        ({"more": "weight"}, SettingsError, r"no option 'weight' \(choose among count, sex"),
        ({"more": "behaviour"}, SettingsError, "behaviour comes with --behaviours"),
        ({"more": "sex", "less": "sex"}, SettingsError, "sex cannot be asked and not asked"),
        ({"behaviours": " , "}, SettingsError, "`--without behaviour` asks for none"),
        ({"behaviours": ",".join("abcdefghij")}, SettingsError, "10 words, and there are keys for 9"),
        ({"behaviours": "feeding,$resting"}, SourceError, r"begins with \$"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_the_remedy(
    said: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        changed(ScreenOptions(), **said)


@pytest.fixture
def server() -> FakeLabelStudio:
    return FakeLabelStudio(PROJECT, {1: "d0000"}, species=SPECIES)


@pytest.fixture
def workspace(sqlite_database: Database, tmp_path: Path, server: FakeLabelStudio) -> Workspace:
    populate(sqlite_database, options=ScreenOptions().to_json())
    with sqlite_database.write() as conn:
        taxa.save(conn, [Taxon(category="fox", scientific_name="Vulpes vulpes")])
    made = make_workspace(sqlite_database, tmp_path)
    write_instructions(made, server, PROJECT)
    return made


def stored(workspace: Workspace) -> ScreenOptions:
    with workspace.database.read() as conn:
        return ScreenOptions.from_json(projects.get(conn, PROJECT).options)


def test_options_reach_the_screen_the_store_and_the_instructions(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    keys = config.offered(server.fields["label_config"])
    wanted = ScreenOptions(sex=True, behaviour=("feeding", "resting"), stock=100)
    assert change_options(workspace, server, PROJECT, wanted)
    screen = server.fields["label_config"]
    assert {"sex_{{idx}}", "behaviour_{{idx}}"} <= config.controls(screen)
    assert "age_{{idx}}" not in config.controls(screen)
    assert config.offered(screen) == keys
    assert "Vulpes vulpes" in screen
    assert stored(workspace) == wanted
    assert "feeding, resting" in server.fields["expert_instruction"]
    assert not change_options(workspace, server, PROJECT, wanted)
    assert "feeding, resting" in screen_options(wanted)


def test_what_annotations_have_stays_asked(workspace: Workspace, server: FakeLabelStudio) -> None:
    change_options(workspace, server, PROJECT, ScreenOptions(sex=True))
    female = {"choices": ["female"]}
    result = {"from_name": controls.SEX, "to_name": "crop_0", "type": "choices", "value": female}
    server.submit(1, [result])
    with pytest.raises(LabelStudioError, match=r"the option sex \(1\).*renew --project 4 --without sex"):
        change_options(workspace, server, PROJECT, ScreenOptions(stock=7))
    assert stored(workspace) == ScreenOptions(sex=True)
    change_options(workspace, server, PROJECT, ScreenOptions(sex=True, stock=7))
    assert stored(workspace).stock == 7


def test_a_replaced_project_keeps_its_options(workspace: Workspace, server: FakeLabelStudio) -> None:
    with workspace.database.write() as conn:
        conn.execute(sa.update(project).values(replaced_by=9))
    with pytest.raises(StoreError, match="replaced by project 9"):
        change_options(workspace, server, PROJECT, ScreenOptions(count=True))
