"""What a training sees: crops split by place, balanced batches of them, augmented."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset
from torchvision.transforms import v2

from pipeline.embedder_training.augmentation import Infrared, MotionBlur
from pipeline.embedder_training.corpus import JUDGED, Corpus, corpus
from pipeline.embedder_training.reader import Augmented, Read, batches
from pipeline.embedder_training.sampler import Balanced
from pipeline.errors import SourceError
from tests.helpers.labelled_crops import SMALL, changed, listed, written

NOWHERE = Path("nowhere")


def places_of(cropped: Corpus, rows: NDArray[np.intp]) -> set[str | None]:
    return {cropped.crops[row].location for row in rows}


def test_whole_places_are_held_out() -> None:
    cropped = corpus(NOWHERE, listed(places=6), seed=0)
    assert cropped.by == "location"
    assert len(cropped.learned) + len(cropped.queries) == len(cropped.crops)
    assert places_of(cropped, cropped.queries).isdisjoint(places_of(cropped, cropped.learned))
    assert set(cropped.gallery) <= set(cropped.learned)


def test_a_sequence_that_reaches_into_the_held_out_part_is_not_learned_from() -> None:
    crops = listed(places=6)
    before = corpus(NOWHERE, crops, seed=0)
    seen, kept = before.crops[before.queries[0]], before.crops[before.learned[0]]
    reaching = [changed(one, sequence=seen.sequence) if one == kept else one for one in crops]
    after = corpus(NOWHERE, reaching, seed=0)
    names = {after.crops[row].file_name for row in after.learned}
    assert kept.file_name not in names
    assert len(after.learned) == len(before.learned) - 1


def test_a_species_of_held_out_places_alone_is_not_asked_about() -> None:
    strangers = [
        changed(listed()[0], file_name=f"{name}.png", species=name, sequence=name, location=place)
        for name, place in (("lynx", "place 0"), ("wolf", "place 1"))
    ]
    cropped = corpus(NOWHERE, [*listed(places=2), *strangers], seed=0)
    held_out, learned = (
        ("lynx", "wolf") if cropped.crops[cropped.queries[0]].location == "place 0" else ("wolf", "lynx")
    )
    assert learned in {cropped.crops[row].species for row in cropped.learned}
    assert held_out not in {cropped.crops[row].species for row in (*cropped.queries, *cropped.learned)}


def test_each_species_has_its_share_of_the_crops_that_judge() -> None:
    common = [
        changed(one, file_name=f"{turn}{one.file_name}", sequence=f"{turn}{one.sequence}")
        for turn in range(300)
        for one in listed(species=1, places=6, each=3)
    ]
    rare = [one for one in listed(places=6, each=1) if one.species != "deer"]
    cropped = corpus(NOWHERE, [*common, *rare], seed=0)
    assert len(cropped.gallery) == JUDGED
    answering = Counter(cropped.crops[row].species for row in cropped.gallery)
    learned = Counter(cropped.crops[row].species for row in cropped.learned)
    assert {name: answering[name] for name in ("fox", "frog", "jay")} == {
        name: learned[name] for name in ("fox", "frog", "jay")
    }


def test_the_digest_tells_other_crops_from_the_same_in_another_order(tmp_path: Path) -> None:
    crops = written(tmp_path, listed(places=3, each=1))
    first, others = crops[0], crops[1:]
    digest = corpus(tmp_path, crops, seed=0).digest
    assert corpus(tmp_path, crops[::-1], seed=5).digest == digest
    for other in (
        changed(first, species="fox"),
        changed(first, location="place 2"),
        changed(first, sequence=crops[1].sequence),
    ):
        assert corpus(tmp_path, [other, *others], seed=0).digest != digest
    (tmp_path / first.file_name).write_bytes(b"shorter")
    assert corpus(tmp_path, crops, seed=0).digest != digest


def test_the_same_crops_in_another_order_are_split_alike() -> None:
    crops = listed(places=6)
    one, other = corpus(NOWHERE, crops, seed=3), corpus(NOWHERE, crops[::-1], seed=3)
    assert [one.crops[row] for row in one.queries] == [other.crops[row] for row in other.queries]


def test_too_few_species_are_refused_with_what_would_do() -> None:
    with pytest.raises(SourceError, match="12 crops of 1 species are too few to train on") as caught:
        corpus(NOWHERE, listed(species=1), seed=0)
    assert "at least two species" in str(caught.value)


def test_species_of_one_place_each_are_refused_with_what_would_do() -> None:
    crops = [
        one for one in listed(species=2, places=2) if (one.species == "fox") == ("0" in str(one.location))
    ]
    with pytest.raises(SourceError, match="whole locations held out, too few of the 2 species") as caught:
        corpus(NOWHERE, crops, seed=0)
    assert "from several locations" in str(caught.value)


def sampler(
    species: list[int], sequences: list[int] | None = None, *, p: int, k: int, seed: int = 0, first: int = 0
) -> Balanced:
    return Balanced(
        np.arange(len(species)),
        np.array(species, np.intp),
        np.array(range(len(species)) if sequences is None else sequences, np.intp),
        species_per_batch=p,
        crops_per_species=k,
        seed=seed,
        first=first,
        last=first + 200,
    )


def test_a_batch_is_so_many_species_with_so_many_crops_each() -> None:
    species = [row % 7 for row in range(90)]
    for batch in sampler(species, p=3, k=4):
        assert sorted(Counter(species[row] for row, _ in batch).values()) == [4, 4, 4]
        assert len({row for row, _ in batch}) == 12
        assert len({seed for _, seed in batch}) == 12


def test_other_sequences_come_before_further_frames_and_these_before_repeats() -> None:
    # Of the first species three sequences: two of them long; of the second four frames of one sequence.
    sequences = [0, 0, 0, 1, 1, 1, 2, 3, 3, 3, 3, 4, 5]
    species = [0] * 7 + [1] * 4 + [2] * 2
    for batch in sampler(species, sequences, p=3, k=3):
        rows = [row for row, _ in batch]
        assert sorted(sequences[row] for row in rows if species[row] == 0) == [0, 1, 2]
        assert len({row for row in rows if species[row] == 1}) == 3
        assert sorted(Counter(row for row in rows if species[row] == 2).values()) == [1, 2]
    for batch in sampler(species, sequences, p=3, k=5):
        rows = [row for row, _ in batch if species[row] == 0]
        assert sorted(Counter(sequences[row] for row in rows).values()) == [1, 2, 2]


def test_a_batch_is_a_function_of_the_seed_and_its_number_alone() -> None:
    species = [row % 5 for row in range(60)]
    whole = list(sampler(species, p=3, k=4))
    late = sampler(species, p=3, k=4, first=37)
    assert list(late)[:163] == whole[37:]
    assert len(late) == 200
    assert whole[0] != whole[1]
    assert sampler(species, p=3, k=4, seed=1).batch(0) != whole[0]


def test_fewer_species_than_asked_for_fill_the_batch() -> None:
    species = [row % 3 for row in range(90)]
    batch = sampler(species, p=16, k=4).batch(0)
    assert Counter(species[row] for row, _ in batch) == {0: 22, 1: 22, 2: 22}


def test_species_are_drawn_by_the_square_root_of_their_crops() -> None:
    species = [0] * 900 + [1] * 100 + [2] * 25 + [3] * 4
    drawn = Counter(species[sampler(species, p=2, k=2).batch(number)[0][0]] for number in range(1000))
    # The first of the species of a batch: 30, 10, 5 and 2 in 47.
    for one, root in enumerate((30, 10, 5, 2)):
        assert drawn[one] / 1000 == pytest.approx(root / 47, abs=0.04)


SIDE = replace(SMALL, side=224)  # large enough that torch would share the work among threads


@pytest.fixture
def crops(tmp_path: Path) -> Corpus:
    return corpus(tmp_path, written(tmp_path, listed(places=2, each=1)), seed=0)


def drawn(data: Dataset[Read], draws: list[tuple[int, int]], workers: int = 0) -> list[torch.Tensor]:
    read = batches(data, workers, pinned=False, batch_sampler=[[draw] for draw in draws])
    return [batch.pixels[0] for batch in read]


def test_augmentation_is_a_function_of_the_crop_and_the_seed_alone(crops: Corpus) -> None:
    data, draws = Augmented(crops, SIDE), [(row, seed) for seed in range(4) for row in range(5)]
    there = drawn(data, draws)
    torch.manual_seed(9)
    np.random.seed(9)
    back = drawn(data, draws[::-1])[::-1]
    assert all(torch.equal(one, other) for one, other in zip(there, back, strict=True))
    in_workers = drawn(data, draws, workers=2)
    assert all(torch.equal(one, other) for one, other in zip(there, in_workers, strict=True))
    assert len({one.numpy().tobytes() for one in there}) == len(draws)
    assert {(one.shape, one.dtype) for one in there} == {((3, 224, 224), torch.uint8)}


def test_augmentation_leaves_the_generator_of_the_process_alone(crops: Corpus) -> None:
    data = Augmented(crops, SMALL)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert isinstance(data[0, 1][1], torch.Tensor)
    assert torch.equal(torch.get_rng_state(), before)


def test_infrared_pictures_are_grey_and_darker_away_from_the_flash() -> None:
    torch.manual_seed(0)
    picture = torch.tensor([200, 90, 30], dtype=torch.uint8)[:, None, None].expand(3, 64, 64)
    night = Infrared()(picture)
    assert night.dtype == torch.uint8
    assert torch.equal(night[0], night[1])
    assert torch.equal(night[1], night[2])
    lit = Infrared().transform(picture, {"spot": (0.25, 0.25), "dark": 0.7, "noise": 2.0}).float()
    assert lit[0, :32, :32].mean() > 1.5 * lit[0, 32:, 32:].mean()
    assert lit[0, :8, :8].std() > 0.5


def blurred(picture: torch.Tensor, length: float, angle: float) -> torch.Tensor:
    done: torch.Tensor = MotionBlur(15).transform(picture, {"length": length, "angle": angle})
    return done


def test_motion_blur_smears_along_its_line_only() -> None:
    dot = torch.zeros(3, 41, 41, dtype=torch.uint8)
    dot[:, 20, 20] = 240
    level = blurred(dot, 10, 0.0)
    assert level[:, :20].sum() == level[:, 21:].sum() == 0
    assert (level[0, 20] > 0).nonzero().flatten().tolist() == list(range(15, 26))
    steep = blurred(dot, 10, np.pi / 4)
    rows, columns = (steep[0] > 0).nonzero().T
    assert torch.equal(rows, columns)
    assert len(rows) > 5


@pytest.mark.parametrize("angle", [0.0, 0.4, -1.2])
def test_motion_blur_keeps_the_mean(angle: float) -> None:
    noise = v2.functional.gaussian_blur(
        torch.randint(0, 256, (3, 64, 64), generator=torch.Generator().manual_seed(0), dtype=torch.uint8), 9
    )
    done = blurred(noise, 9, angle)
    assert done.float().mean() == pytest.approx(noise.float().mean(), abs=1)
    assert done.float().std() < noise.float().std()
