"""How often a trained classifier is right."""

from typing import Any, Protocol

import torch

from aelib.data import ImageSet
from aelib.metrics.probes import Accuracy
from aelib.metrics.reconstruction import Evaluated, image_batches


class HasLogits(Evaluated, Protocol):
    """What :func:`accuracy` asks of a classifier: a module whose output has ``logits`` (B, classes)."""

    def __call__(self, x: torch.Tensor) -> Any: ...


@torch.inference_mode()
def accuracy(classifier: HasLogits, images: ImageSet, batch_size: int = 2000) -> Accuracy:
    """Percentage of the images whose largest logit is their label's; the classifier is put in evaluation mode.

    Raises:
        ValueError: there is no image.
    """
    found = [classifier(x).logits.argmax(1).cpu() for x in image_batches(classifier, images, batch_size)]
    p = int((torch.cat(found) == images.y.cpu()).sum()) / len(images)
    return Accuracy(100 * p, 100 * (p * (1 - p) / len(images)) ** 0.5)
