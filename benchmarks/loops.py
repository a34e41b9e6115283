"""What the benchmarks compare `fit` with: the least that training needs, and the loop that most tutorials write."""

import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from PIL import Image
from torch import nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import ToTensor

from aelib.data import Batch, ImageSet
from aelib.training.phases import Modules, Objective


class Recipe(NamedTuple):
    """A network, the name that its objective calls it by, and the objective."""

    make: Callable[[], nn.Module]
    name: str
    objective: Objective

    def network(self, seed: int = 0) -> nn.Module:
        torch.manual_seed(seed)
        return self.make()


class Pictures(Dataset):
    """What torchvision.datasets.MNIST(transform=ToTensor()) does with an image, from bytes in memory."""

    def __init__(self, images: ImageSet) -> None:
        self.images, self.transform = images.x[:, 0].numpy(), ToTensor()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.transform(Image.fromarray(self.images[index]))


def bare_epoch(recipe: Recipe, images: ImageSet, batch_size: int, rate: float = 1e-3) -> None:
    """One epoch of a new network, in six lines over the tensors in memory: the least that training needs."""
    model = recipe.network().train()
    optimizer = torch.optim.Adam(model.parameters(), rate, fused=True)
    for index in torch.randperm(len(images)).split(batch_size):
        x = images.x[index].to(torch.float32).div_(255)
        loss = recipe.objective({recipe.name: model}, Batch(x, None))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def usual_epoch(nets: Modules, objective: Objective, optimizer: Optimizer, loader: DataLoader) -> float:
    """One epoch as most tutorials write it; the mean of the batches' losses."""
    total = 0.0
    for x in loader:
        loss = objective(nets, Batch(x, None))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader)


def seconds(work: Callable[..., object], *arguments: object) -> float:
    """How long a call takes."""
    began = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - began
