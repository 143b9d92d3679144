"""A species list of taxa, and labels that came in under other names of them."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from importers.sources.coco import import_coco
from importers.sources.megadetector import import_results
from pipeline.cli import wildloop
from pipeline.errors import SourceError
from pipeline.exporters import coco, labels_csv, megadetector
from pipeline.label_studio.config import offered
from pipeline.label_studio.species import parse_species
from pipeline.records import ProjectRecord, Taxon
from pipeline.steps.datasets.export import StoreExport
from pipeline.steps.labelling.project import create_project
from pipeline.steps.labelling.propose import propose_species
from pipeline.steps.labelling.species import add_species, rename_species
from pipeline.store import categories, projects, taxa
from pipeline.store.database import Database
from pipeline.workspace import Workspace
from tests.helpers.coco_rules import assert_valid
from tests.helpers.fake_label_studio import FakeLabelStudio
from tests.helpers.labelled_workspace import make_workspace
from tests.helpers.megadetector_rules import broken_rules
from tests.helpers.photographs import encoded, put, scene

pytestmark = pytest.mark.one_database  # rules: what is stored is the concern of tests of the store

LIST = """\
common name,scientific name,rank,taxon id,parent
red fox | fox,Vulpes vulpes,,5219243,Canidae
deer sp.,Cervidae,,,Mammalia
"""


class LabelStudio(FakeLabelStudio):
    """Has no project until one is created."""

    def __init__(self) -> None:
        super().__init__()
        self.created: list[dict[str, Any]] = []

    def projects(self, title: str) -> list[dict[str, Any]]:
        return [each for each in self.created if each["title"] == title]

    def create_project(self, **fields: Any) -> dict[str, Any]:
        self.fields.update(fields)
        self.created = [self.fields]
        return self.fields

    def add_local_storage(self, project_id: int, *, path: str, title: str) -> dict[str, Any]:
        self.storages.append({"path": path, "title": title})
        return self.storages[-1]


@pytest.fixture
def workspace(database: Database, tmp_path: Path) -> Workspace:
    for number in range(6):
        put(tmp_path / "photos" / "A" / f"{number}.jpg", encoded(scene(seed=number)))
    return make_workspace(database, tmp_path / "data")


def label(workspace: Workspace, folder: Path, *names: str, source: str = "set") -> None:
    """Import a COCO file with a box of each of these categories, on a photograph of its own."""
    path = folder / f"{source}.json"
    distinct = list(dict.fromkeys(names))
    document = {
        "info": {"version": "1", "description": source},
        "images": [{"id": str(number), "file_name": f"A/{number}.jpg"} for number in range(len(names))],
        "annotations": [
            {
                "id": f"a{number}",
                "image_id": str(number),
                "category_id": distinct.index(name) + 1,
                "bbox_relative": [0.2, 0.2, 0.4, 0.4],
            }
            for number, name in enumerate(names)
        ],
        "categories": [{"id": number, "name": name} for number, name in enumerate(distinct, start=1)],
    }
    path.write_text(json.dumps(document))
    import_coco(workspace, [path], str(folder / "photos"), detector=None)


def create(
    workspace: Workspace, text: str = LIST, client: LabelStudio | None = None, **options: Any
) -> list[str]:
    """Create or update a project with this list; returns what changed."""
    client = client or LabelStudio()
    listed = parse_species(text, "list.csv")
    options = {"title": "Park", "embedder_id": "e", "connect_backend": False}
    return create_project(workspace, client, species=listed, **options)[1]


def answers(workspace: Workspace) -> list[str | None]:
    """The label of every detection, as exports have it, by photograph."""
    photographs = sorted(StoreExport(workspace, None).photographs(), key=lambda one: one.image.file_name)
    return [detection.answer.category for one in photographs for detection in one.detections]


@pytest.mark.parametrize("list_first", [True, False])
def test_labels_count_as_the_choice_whether_the_list_or_the_import_comes_first(
    workspace: Workspace, tmp_path: Path, list_first: bool
) -> None:
    said = ("Vulpes vulpes", "fox", "Red Fox", "Cervidae", "lynx")
    if list_first:
        create(workspace)
        label(workspace, tmp_path, *said)
    else:
        label(workspace, tmp_path, *said)
        changes = create(workspace)
        assert "labels vulpes vulpes count as red fox" in changes
        assert "labels cervidae count as deer sp." in changes
    assert answers(workspace) == ["red fox", "red fox", "red fox", "deer sp.", "lynx"]


def test_labels_of_whole_photographs_follow_as_those_of_boxes_do(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "whole.json"
    document = {
        "info": {"version": "1", "description": "whole"},
        "images": [{"id": "0", "file_name": "A/0.jpg"}],
        "annotations": [{"id": "a", "image_id": "0", "category_id": 1}],
        "categories": [{"id": 1, "name": "Vulpes vulpes"}],
    }
    path.write_text(json.dumps(document))
    for _ in range(2):
        import_coco(workspace, [path], str(tmp_path / "photos"), detector=None)
        create(workspace)
        (one,) = StoreExport(workspace, None).photographs()
        assert [label.category for label in one.labels] == ["red fox"]


def test_the_screen_shows_what_is_known_of_a_choice(workspace: Workspace) -> None:
    with workspace.database.write() as conn:
        taxa.save(conn, [Taxon(category="lynx", scientific_name="Lynx lynx", source="camtrap-dp:x")])
    client = LabelStudio()
    create(workspace, LIST + "lynx,,,,\n", client)
    shown = re.findall('value="[^"]* · ([^"]*)"', client.fields["label_config"])
    assert shown[:3] == ["Vulpes vulpes", "Cervidae (family)", "Lynx lynx"]


def test_the_same_list_again_changes_nothing(workspace: Workspace, tmp_path: Path) -> None:
    label(workspace, tmp_path, "fox", "lynx")
    client = LabelStudio()
    create(workspace, client=client)
    assert create(workspace, client=client) == []
    assert answers(workspace) == ["red fox", "lynx"]


def test_a_list_never_separates_what_is_one_category_and_says_how_to(
    workspace: Workspace, tmp_path: Path
) -> None:
    label(workspace, tmp_path, "fox", "red fox")
    client = LabelStudio()
    create(workspace, client=client)
    assert create(workspace, "red fox\nfox\n", client) == [
        "species removed: deer sp.",
        'fox stays another name of red fox: `wildloop project species add "fox"` parts them',
    ]
    assert answers(workspace) == ["red fox", "red fox"]
    assert list(offered(client.fields["label_config"])) == ["red fox", "empty", "unsure"]

    add_species(workspace, client, 7, ["fox"])
    assert answers(workspace) == ["fox", "red fox"]


def test_an_old_list_changes_nothing_after_a_species_was_renamed(
    workspace: Workspace, tmp_path: Path
) -> None:
    label(workspace, tmp_path, "vulpes vulpes", "fox")
    client = LabelStudio()
    create(workspace, client=client)
    rename_species(workspace, client, 7, "red fox", "reynard")
    assert answers(workspace) == ["reynard", "reynard"]
    assert create(workspace, client=client) == []
    assert answers(workspace) == ["reynard", "reynard"]
    assert list(offered(client.fields["label_config"])) == ["reynard", "deer sp.", "empty", "unsure"]


def test_a_category_with_the_scientific_name_of_a_choice_is_the_choice(
    workspace: Workspace, tmp_path: Path
) -> None:
    def taxon(category: str, scientific: str) -> Taxon:
        return Taxon(category=category, scientific_name=scientific, source="speciesnet:p")

    label(workspace, tmp_path, "reynard", "wolf", "goupil", "lynx")
    with workspace.database.write() as conn:
        taxa.save(conn, [taxon("reynard", "Vulpes vulpes"), taxon("wolf", "Canis lupus")])
    create(workspace)
    assert answers(workspace) == ["red fox", "wolf", "goupil", "lynx"]
    with workspace.database.write() as conn:
        assert taxa.save(conn, [taxon("goupil", "vulpes vulpes")]) == {"goupil": "red fox"}
    assert answers(workspace) == ["red fox", "wolf", "red fox", "lynx"]


def test_a_choice_that_is_a_scientific_name_is_that_taxon(workspace: Workspace, tmp_path: Path) -> None:
    label(workspace, tmp_path, "red fox")
    with workspace.database.write() as conn:
        taxa.save(conn, [Taxon(category="red fox", scientific_name="Vulpes vulpes", source="speciesnet:p")])
    assert "labels red fox count as vulpes vulpes" in create(workspace, "vulpes vulpes\nlynx\n")
    assert answers(workspace) == ["vulpes vulpes"]


def test_what_another_project_offers_is_not_taken_from_it(workspace: Workspace) -> None:
    with workspace.database.write() as conn:
        projects.save(conn, ProjectRecord(id=3, title="Forest", embedder="e", choices=["Fox", "empty"]))
    client = LabelStudio()
    with pytest.raises(
        SourceError, match=r"'fox', another name of 'red fox'.*choice of project 3 \(Forest\)"
    ):
        create(workspace, client=client)
    assert client.created == []
    create(workspace, LIST.replace(" | fox", ""))
    with workspace.database.write() as conn:
        fox = Taxon(category="fox", scientific_name="Vulpes vulpes", source="x")
        assert taxa.save(conn, [fox]) == {}


def test_what_imports_know_completes_what_the_list_says(workspace: Workspace) -> None:
    found = Taxon(
        category="reynard",
        scientific_name="Vulpes vulpes",
        taxon_id="uuid",
        lineage={"class": "Mammalia", "order": "Carnivora", "family": "Canidae", "genus": "Vulpes"},
        source="speciesnet:p",
    )
    with workspace.database.write() as conn:
        taxa.save(conn, [found])
    create(workspace)
    with workspace.database.read() as conn:
        (fox,) = [taxon for taxon in taxa.all(conn).values() if taxon.scientific_name == "Vulpes vulpes"]
    assert (fox.category, fox.taxon_id, fox.source) == ("red fox", "5219243", None)
    assert fox.lineage == found.lineage


def test_exports_write_taxa_without_a_second_file(workspace: Workspace, tmp_path: Path) -> None:
    create(workspace)
    label(workspace, tmp_path, "vulpes vulpes", "deer sp.", "lynx")
    source = StoreExport(workspace, None)

    labels_csv.write(tmp_path / "labels.csv", source)
    with (tmp_path / "labels.csv").open(newline="") as file:
        rows = [
            (row["category"], row["scientific_name"], row["taxon_rank"], row["taxon_id"])
            for row in csv.DictReader(file)
            if row["category"]
        ]
    assert sorted(rows) == [
        ("deer sp.", "Cervidae", "family", ""),
        ("lynx", "", "", ""),
        ("red fox", "Vulpes vulpes", "species", "5219243"),
    ]

    coco.write(tmp_path / "coco.json", source)
    named = {each.pop("name"): each for each in assert_valid(tmp_path / "coco.json")["categories"]}
    known = {"scientific_name": "Vulpes vulpes", "rank": "species", "taxon_id": "5219243"}
    assert {**named["red fox"], "id": 0} == {"id": 0, **known}
    assert named["lynx"].keys() == {"id"}

    megadetector.write(tmp_path / "md.json", source)
    results = json.loads((tmp_path / "md.json").read_text())
    assert broken_rules(results) == []
    described = {
        results["classification_categories"][id_]: text
        for id_, text in results["classification_category_descriptions"].items()
    }
    assert described["red fox"] == "5219243;;;canidae;vulpes;vulpes;red fox"
    assert described["deer sp."] == ";;;cervidae;;;deer sp."
    assert described["lynx"] == ";;;;;;lynx"
    assert described["empty"] == ";;;;;;blank"


def test_taxa_of_a_results_file_come_in_with_its_classes(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "md.json"
    box = {"category": "1", "conf": 0.9, "bbox": [0.3, 0.3, 0.3, 0.3]}
    document = {
        "info": {"format_version": "1.6", "classifier": "net"},
        "detection_categories": {"1": "animal"},
        "classification_categories": {
            "0": "fox",
            "1": "x;mammalia;cetartiodactyla;cervidae;;;deer",
            "2": "car",
        },
        "classification_category_descriptions": {
            "0": "5;mammalia;carnivora;canidae;vulpes;vulpes;red fox",
            "1": "",
            "2": ";;;;;;vehicle",
        },
        "images": [
            {"file": f"A/{number}.jpg", "detections": [box | {"classifications": [[str(number), 0.9]]}]}
            for number in range(3)
        ],
    }
    path.write_text(json.dumps(document))
    import_results(workspace, path, tmp_path / "photos", classifications=True)
    assert answers(workspace) == ["fox", "deer", "car"]
    with workspace.database.read() as conn:
        known = {taxon.category: taxon for taxon in taxa.all(conn).values()}
    assert known.keys() == {"fox", "deer"}
    assert (known["fox"].scientific_name, known["fox"].source) == ("Vulpes vulpes", "megadetector:net")
    assert (known["deer"].scientific_name, known["deer"].rank) == ("Cervidae", "family")


def test_a_list_is_proposed_from_what_came_in(workspace: Workspace, tmp_path: Path) -> None:
    label(workspace, tmp_path, "blank", "Vulpes vulpes", "fox", "deer", "deer", "human")
    with workspace.database.write() as conn:
        fox = Taxon(category="fox", scientific_name="Vulpes vulpes", rank="species", source="x")
        taxa.save(conn, [fox, Taxon(category="boar", scientific_name="Sus scrofa", source="x")])
    proposal = propose_species(workspace, "COCO")
    assert [(each.names, each.photographs) for each in proposal.species] == [(("deer",), 2), (("fox",), 2)]
    assert dict(proposal.left_out) == {"empty": 1, "human": 1}
    assert proposal.rare == ()
    assert list(proposal.listed.names) == ["deer", "fox"]
    assert dict(proposal.listed.other_names) == {"vulpes vulpes": "fox"}


def test_species_on_few_photographs_are_comments_of_a_proposed_list(
    workspace: Workspace, tmp_path: Path
) -> None:
    label(workspace, tmp_path, *["deer"] * 4, "lynx")
    proposal = propose_species(workspace, "all")
    assert proposal.table.splitlines() == [
        "common_name,scientific_name,rank,parent,taxon_id,photographs",
        "deer,,,,,4",
        "# on fewer than 3 photographs; remove the # to offer one of them",
        "#lynx,,,,,1",
    ]
    assert list(proposal.listed.names) == ["deer"]
    uncommented = proposal.table.replace("#lynx", "lynx")
    assert parse_species(uncommented, "s.csv").names == ["deer", "lynx"]


def test_categories_that_are_scientific_names_are_proposed_as_people_call_them(
    workspace: Workspace, tmp_path: Path
) -> None:
    label(workspace, tmp_path, "vulpes vulpes")
    names = {"nld": "vos", "eng": "Red fox"}
    taxon = Taxon(
        category="vulpes vulpes", scientific_name="Vulpes vulpes", vernacular_names=names, source="x"
    )
    with workspace.database.write() as conn:
        taxa.save(conn, [taxon])
    listed = propose_species(workspace, "coco:set").listed
    assert (listed.names, dict(listed.other_names)) == (["red fox"], {"vulpes vulpes": "red fox"})


def test_a_source_that_named_no_species_is_an_error_with_the_sources(
    workspace: Workspace, tmp_path: Path
) -> None:
    with pytest.raises(SourceError) as raised:
        propose_species(workspace, "all")
    assert "import labels first" in (raised.value.remedy or "")
    label(workspace, tmp_path, "deer")
    with pytest.raises(SourceError, match="no label of 'speciesnet' names a species") as raised:
        propose_species(workspace, "speciesnet")
    assert raised.value.remedy == "choose one of coco:set, or all"


@pytest.fixture
def label_studio(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabelStudio:
    """The commands see the workspace, in the folder of the photographs, and this Label Studio."""
    client = LabelStudio()
    monkeypatch.setattr(Workspace, "label_studio", lambda _: client)
    monkeypatch.setenv("WILDLOOP_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return client


def say(*words: str) -> Result:
    return CliRunner().invoke(
        wildloop,
        ["project", "create", "--title", "Park", "--embedder", "descriptor", "--no-backend", *words],
    )


def test_the_command_proposes_a_list_that_people_can_edit(
    workspace: Workspace, tmp_path: Path, label_studio: LabelStudio
) -> None:
    label(workspace, tmp_path, *["Deer"] * 3, *["lynx"] * 2)
    done = say("--species-from", "coco:set")
    assert done.exit_code == 0, done.output
    assert "1 species named by coco:set, now in species.csv" in done.stderr
    assert "rare, as comments in the file: lynx (2)" in done.stderr
    assert list(offered(label_studio.fields["label_config"])) == ["deer", "empty", "unsure"]
    assert say("--species-from", "coco:set").exit_code == 0  # once more changes nothing

    edited = (tmp_path / "species.csv").read_text().replace("#lynx", "lynx")
    (tmp_path / "species.csv").write_text(edited)
    refused = say("--species-from", "coco:set")
    assert "species.csv exists, and differs" in str(refused.exception)
    assert (tmp_path / "species.csv").read_text() == edited
    assert say("--species", "species.csv").exit_code == 0
    assert list(offered(label_studio.fields["label_config"])) == ["deer", "lynx", "empty", "unsure"]


def test_the_command_needs_a_list_or_a_source() -> None:
    done = say()
    assert done.exit_code == 2
    assert "--species FILE" in done.stderr
    assert "--species-from SOURCE" in done.stderr


def test_categories_of_a_list_exist_before_any_label(workspace: Workspace) -> None:
    create(workspace, "Fox\nlynx\n")
    with workspace.database.read() as conn:
        assert categories.names(conn) == {0: "empty", 1: "fox", 2: "lynx"}
