"""How often a trained classifier is right."""

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import nn

from aelib.data import ImageSet
from aelib.metrics.probes import Accuracy


class HasLogits(Protocol):
    """What :func:`accuracy` asks of a classifier: a module whose output has ``logits`` (B, classes)."""

    def __call__(self, x: torch.Tensor) -> Any: ...
    def eval(self) -> object: ...
    def parameters(self) -> Iterator[nn.Parameter]: ...


@torch.inference_mode()
def accuracy(classifier: HasLogits, images: ImageSet, batch_size: int = 2000) -> Accuracy:
    """Percentage of the images whose largest logit is their label's; the classifier is put in evaluation mode.

    Raises:
        ValueError: there is no image.
    """
    if len(images) == 0:
        raise ValueError("accuracy needs at least one image; the set is empty.")
    classifier.eval()
    device = next(classifier.parameters()).device
    right = 0
    for part in torch.arange(len(images)).split(batch_size):
        batch = images.batch(part)
        assert batch.y is not None
        right += int((classifier(batch.x.to(device)).logits.argmax(1).cpu() == batch.y.cpu()).sum())
    p = right / len(images)
    return Accuracy(100 * p, 100 * (p * (1 - p) / len(images)) ** 0.5)
