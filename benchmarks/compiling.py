"""What `fit(..., compile=True)` costs and gains on this machine, for each of the book's kinds of network.

`python benchmarks/compiling.py` trains each on MNIST in batches of 128, without and with, in one run, and keeps the
ratio of the epochs' times and the seconds that the first epoch took longer.
"""

import argparse
import statistics

from keeping import keep, measure
from loops import Recipe
from recipes import BATCH, RECIPES

from aelib.data import ImageSet, mnist
from aelib.training import Phase, fit
from aelib.training.optimizers import adam

WHAT = (
    "Epochs on MNIST digits in batches of 128 with fit(..., compile=True) over epochs without, from the second on, and "
    "what the first takes longer than the others: there torch.compile works."
)


def epochs(recipe: Recipe, images: ImageSet, number: int, compile: bool | str) -> list[float]:
    phase = Phase(recipe.objective, adam(1e-3))
    nets = {recipe.name: recipe.network()}
    return fit(nets, phase, images, epochs=number, batch_size=BATCH, compile=compile).attrs["seconds"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="epochs measured of each, after the first (default 5)")
    parser.add_argument("--images", type=int, default=128 * 80, help="training images of an epoch (default 10,240)")
    options = parser.parse_args()
    images, measures = mnist().train[: options.images], {}
    for label, recipe in RECIPES.items():
        plain, compiled = (epochs(recipe, images, 1 + options.rounds, compile) for compile in (False, True))
        ratios = [c / p for c, p in zip(compiled[1:], plain[1:], strict=True)]
        measures[f"{label}: an epoch compiled over one without"] = measure(ratios, "×")
        measures[f"{label}: to compile"] = measure([compiled[0] - statistics.median(compiled[1:])], "s")
    keep("compiling", "Compiling", WHAT, options.rounds, measures)


if __name__ == "__main__":
    main()
