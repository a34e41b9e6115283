"""Ratios of `fit` to two other loops over the same dense autoencoder and batches, all in one run.

`python benchmarks/training_loop.py` on a quiet machine trains the 784-512-256-128-64 autoencoder on MNIST by

- fit: this package's loop,
- bare: a loop of six lines over the same tensors in memory, the least that training needs,
- usual: torchvision's dataset with ToTensor in a DataLoader, as most tutorials write it,

in turn, several times over, and prints the medians of the ratios: absolute seconds depend on the machine, ratios
hardly do.
"""

import argparse
import time
from collections.abc import Callable

import torch
from PIL import Image
from record import keep, measure
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import ToTensor

from aelib.data import ImageSet, mnist
from aelib.models.autoencoder import Autoencoder, SquaredError
from aelib.optimizers import adam
from aelib.training import Phase, fit

BATCH = 128
WHAT = (
    "One epoch of the dense autoencoder 784-512-256-128-64 on MNIST in batches of 128: this package's fit, a bare "
    "loop over the same tensors in memory, and the usual loop, a DataLoader over images that ToTensor converts singly."
)


class Pictures(Dataset):
    """What torchvision.datasets.MNIST(transform=ToTensor()) does with an image, from bytes in memory."""

    def __init__(self, images: ImageSet) -> None:
        self.images, self.transform = images.x[:, 0].numpy(), ToTensor()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.transform(Image.fromarray(self.images[index]))


def network() -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder((784, 512, 256, 128, 64), nn.ReLU)


def ours(images: ImageSet) -> None:
    fit({"ae": network()}, Phase(SquaredError(), adam(1e-3)), images, epochs=1, batch_size=BATCH)


def bare(images: ImageSet) -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    for index in torch.randperm(len(images)).split(BATCH):
        x = images.x[index].to(torch.float32).div_(255)
        loss = nn.functional.mse_loss(model(x).x_hat, x, reduction="sum") / len(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def usual(images: ImageSet) -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    total = 0.0
    for x in DataLoader(Pictures(images), BATCH, shuffle=True):
        loss = nn.functional.mse_loss(model(x).x_hat, x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()


def seconds(loop: Callable[[ImageSet], None], images: ImageSet) -> float:
    began = time.perf_counter()
    loop(images)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="how often each loop runs, in turn (default 7)")
    parser.add_argument("--images", type=int, default=60_000, help="training images of an epoch (default: all)")
    options = parser.parse_args()
    images = mnist().train[: options.images]
    for loop in (ours, bare, usual):
        loop(images[:2000])  # warm up
    rounds = [{loop.__name__: seconds(loop, images) for loop in (ours, bare, usual)} for _ in range(options.rounds)]
    pairs = {
        "fit over a bare loop": (lambda r: r["ours"] / r["bare"], "≤ 1.03"),
        "fit over the usual loop": (lambda r: r["ours"] / r["usual"], ""),
    }
    measures = {name: measure([ratio(r) for r in rounds], "×", target) for name, (ratio, target) in pairs.items()}
    measures |= {f"seconds, {name}": measure([r[name] for r in rounds], "s") for name in rounds[0]}
    keep("training_loop", WHAT, options.rounds, measures)


if __name__ == "__main__":
    main()
