"""What a step of training makes smaller, and how large it is."""

from __future__ import annotations

import pytest
import torch

from pipeline.embedder_training.objectives import Objective
from pipeline.embedder_training.recipe import LOSSES, Recipe
from pipeline.embedder_training.trainer import rate_at
from pipeline.errors import EmbedderError


def objective(loss: str) -> tuple[Objective, torch.Tensor]:
    """The loss of three species in three dimensions, and a direction for each: its vector, if it has one."""
    torch.manual_seed(0)
    made = Objective(Recipe(loss=loss, dimension=3), 3)
    directions = torch.eye(3)
    for own in made.parameters():
        own.data = directions.clone()
    return made, directions


def around(directions: torch.Tensor, species: torch.Tensor) -> torch.Tensor:
    noise = 0.2 * torch.randn(len(species), 3, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.normalize(directions[species] + noise, dim=1)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_is_lower_where_species_are_apart(loss: str) -> None:
    made, directions = objective(loss)
    species = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2])
    apart = made(around(directions, species), species)
    mixed = made(around(directions, species), species[torch.tensor([0, 3, 6, 1, 4, 7, 2, 5, 8])])
    assert apart.shape == ()
    assert float(apart.detach()) < 0.7 * float(mixed.detach())


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_pulls_a_crop_towards_its_own_species(loss: str) -> None:
    made, directions = objective(loss)
    species = torch.tensor([0, 0, 0, 1, 1, 1])
    vectors = around(directions, species)
    vectors[0] = around(directions, torch.tensor([1]))[0]  # lies among the other species
    vectors.requires_grad_()
    made(vectors, species).backward()
    assert vectors.grad is not None
    downhill = -vectors.grad[0]
    assert downhill @ directions[0] > 0.01
    assert downhill @ directions[1] < downhill @ directions[0]


def test_a_loss_that_nobody_knows_is_refused_with_those_that_are_there() -> None:
    with pytest.raises(EmbedderError, match="supcon"):
        Recipe(loss="hinge")


@pytest.mark.parametrize("sizes", [{"species_per_batch": 1}, {"crops_per_species": 1}])
def test_a_batch_with_nothing_to_compare_is_refused(sizes: dict[str, int]) -> None:
    with pytest.raises(EmbedderError, match="has nothing to compare"):
        Recipe(**sizes)  # type: ignore[arg-type]


def test_the_rate_rises_in_a_line_and_falls_along_a_cosine() -> None:
    recipe = Recipe(rate=0.8, warm_up=0.1)
    rates = [rate_at(step, 100, recipe) for step in range(100)]
    assert rates[:10] == pytest.approx([0.08 * turn for turn in range(1, 11)])
    assert rates[10] == pytest.approx(0.8)
    assert rates[55] == pytest.approx(0.4)  # half of the way down
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[99] < 0.001


def test_the_shortest_training_has_a_rate() -> None:
    assert rate_at(0, 1, Recipe(rate=0.8)) == 0.8
