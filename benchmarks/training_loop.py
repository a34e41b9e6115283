"""Ratios of `fit` to two other loops over the same networks and batches, all in one run.

`python benchmarks/training_loop.py` on a quiet machine trains each of the book's kinds of network on MNIST by

- fit: this package's loop,
- bare: a loop of six lines over the same tensors in memory, the least that training needs,
- usual: torchvision's dataset with ToTensor in a DataLoader, as most tutorials write it,

in turn, several times over, and keeps the medians of the ratios: absolute seconds depend on the machine, ratios
hardly do.
"""

import argparse
import time
from collections.abc import Callable

import torch
from PIL import Image
from recipes import BATCH, RECIPES, Recipe
from record import keep, measure
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import ToTensor

from aelib.data import Batch, ImageSet, mnist
from aelib.optimizers import adam
from aelib.phases import Phase
from aelib.training import fit

WHAT = (
    "One epoch on MNIST digits in batches of 128: this package's fit, a bare loop over the same tensors in memory, and "
    "the usual loop, a DataLoader over images that ToTensor converts singly. Model, objective and optimizer are equal."
)


class Pictures(Dataset):
    """What torchvision.datasets.MNIST(transform=ToTensor()) does with an image, from bytes in memory."""

    def __init__(self, images: ImageSet) -> None:
        self.images, self.transform = images.x[:, 0].numpy(), ToTensor()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.transform(Image.fromarray(self.images[index]))


def ours(recipe: Recipe, images: ImageSet) -> None:
    phase = Phase(recipe.objective, adam(1e-3))
    fit({recipe.name: recipe.network()}, phase, images, epochs=1, batch_size=BATCH)


def bare(recipe: Recipe, images: ImageSet) -> None:
    model = recipe.network().train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    for index in torch.randperm(len(images)).split(BATCH):
        x = images.x[index].to(torch.float32).div_(255)
        loss = recipe.objective({recipe.name: model}, Batch(x, None))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def usual(recipe: Recipe, images: ImageSet) -> None:
    model = recipe.network().train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    total = 0.0
    for x in DataLoader(Pictures(images), BATCH, shuffle=True):
        loss = recipe.objective({recipe.name: model}, Batch(x, None))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()


def seconds(loop: Callable[[Recipe, ImageSet], None], recipe: Recipe, images: ImageSet) -> float:
    began = time.perf_counter()
    loop(recipe, images)
    return time.perf_counter() - began


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
    keep("training_loop", WHAT, options.rounds, measures)


if __name__ == "__main__":
    main()
