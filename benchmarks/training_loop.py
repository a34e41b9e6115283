"""Ratios of `fit` to two other loops over the same networks and batches, all in one run.

`python benchmarks/training_loop.py` on a quiet machine trains each of the book's kinds of network on MNIST by

- fit: this package's loop,
- bare: a loop of six lines over the same tensors in memory, the least that training needs,
- usual: torchvision's dataset with ToTensor in a DataLoader, as most tutorials write it,

in turn, several times over, and keeps the medians of the ratios: absolute seconds depend on the machine, ratios
hardly do.
"""

import argparse

import torch
from keeping import keep, measure
from loops import Pictures, Recipe, bare_epoch, seconds, usual_epoch
from recipes import BATCH, RECIPES
from torch.utils.data import DataLoader

from aelib.data import ImageSet, mnist
from aelib.training import fit
from aelib.training.optimizers import adam
from aelib.training.phases import Phase

WHAT = (
    "One epoch on MNIST digits in batches of 128: this package's fit, a bare loop over the same tensors in memory, and "
    "the usual loop, a DataLoader over images that ToTensor converts singly. Model, objective and optimizer are equal."
)


def ours(recipe: Recipe, images: ImageSet) -> None:
    phase = Phase(recipe.objective, adam(1e-3))
    fit({recipe.name: recipe.network()}, phase, images, epochs=1, batch_size=BATCH)


def bare(recipe: Recipe, images: ImageSet) -> None:
    bare_epoch(recipe, images, BATCH)


def usual(recipe: Recipe, images: ImageSet) -> None:
    model = recipe.network().train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    nets, loader = {recipe.name: model}, DataLoader(Pictures(images), BATCH, shuffle=True)
    usual_epoch(nets, recipe.objective, optimizer, loader)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="how often each loop runs, in turn (default 5)")
    parser.add_argument("--images", type=int, default=20_000, help="training images of an epoch (default 20,000)")
    options = parser.parse_args()
    images, loops, measures = mnist().train[: options.images], (ours, bare, usual), {}
    for label, recipe in RECIPES.items():
        for loop in loops:
            loop(recipe, images[:1000])  # warm up
        rounds = [{loop.__name__: seconds(loop, recipe, images) for loop in loops} for _ in range(options.rounds)]
        for other, target in (("bare", "≤ 1.03"), ("usual", "")):
            name = f"{label}: fit over the {other} loop"
            measures[name] = measure([r["ours"] / r[other] for r in rounds], "×", target)
        measures[f"{label}: an epoch of {len(images):,} by fit"] = measure([r["ours"] for r in rounds], "s")
    keep("training_loop", "An epoch by fit", WHAT, options.rounds, measures)


if __name__ == "__main__":
    main()
