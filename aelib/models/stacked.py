"""From codes to labels: a classifier on an encoder, and the wrapper that trains one layer of a stack at a time.

What chapters share that pretrain layers without labels and then fine-tune the whole with them
(Hinton & Salakhutdinov 2006; Vincent et al. 2008, 2010).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aelib.data import Batch
from aelib.models.autoencoder import EncoderDecoder


class Classification(NamedTuple):
    """What a classifier makes of a batch."""

    logits: Tensor  # (B, classes), unnormalized log-probabilities
    z: Tensor  # (B, features), what the encoder passed on


class Classifier(nn.Module):
    r"""Softmax regression on an encoder: :math:`p(y \mid x) = \text{softmax}(W f(x) + b)`.

    *W* and *b* start at zero, so that the untrained classifier says 1/classes for every class.

    Args:
        encoder: *f*, from a batch of inputs to (B, features). Not copied: fine-tuning changes it.
        features: how many numbers it returns for an input.
        classes: how many labels there are.
    """

    def __init__(self, encoder: nn.Module, features: int, classes: int = 10) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(features, classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def encode(self, x: Tensor) -> Tensor:  # (B, ...) -> (B, features)
        """What the read-out sees."""
        return self.encoder(x)

    def forward(self, x: Tensor) -> Classification:
        """Logits and features of a batch of inputs."""
        z = self.encode(x)
        return Classification(self.head(z), z)


@dataclass(frozen=True)
class LabelCrossEntropy:
    r"""Negative log-likelihood of the labels, :math:`-\frac1B \sum_n \log p(y_n \mid x_n)`, in nats per example.

    Calls ``nets["classifier"]``. Reports beside the loss the ``error``, the percentage of wrong answers.

    Raises:
        ValueError: the batch has no labels.
    """

    def __call__(self, nets: Mapping[str, nn.Module], batch: Batch) -> dict[str, Tensor]:
        if batch.y is None:
            raise ValueError("LabelCrossEntropy needs labels, and this batch has none; make the data set with them.")
        logits = nets["classifier"](batch.x).logits
        with torch.no_grad():
            error = 100 * (logits.argmax(1) != batch.y).float().mean()
        return {"loss": F.cross_entropy(logits, batch.y), "error": error}


@dataclass(frozen=True)
class OnCodes:
    """Any objective, on the codes of the layers already trained: greedy layer-by-layer training.

    The objective sees ``nets["below"](x)`` in place of *x*. Nothing is learned below: no gradient goes there.

    Args:
        objective: called with the same modules and the batch of codes.
    """

    objective: Callable[[Mapping[str, nn.Module], Batch], dict[str, Tensor]]

    def __call__(self, nets: Mapping[str, nn.Module], batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            codes = nets["below"](batch.x)
        return self.objective(nets, batch._replace(x=codes))


def encoders(layers: Sequence[EncoderDecoder]) -> nn.Sequential:
    """The encoders of layers that were trained one upon the other, as one module from (B, ...) to (B, features).

    Args:
        layers: each with an ``encoder`` that flattens first and then codes, as
            :class:`~aelib.models.denoising.TiedAutoencoder`. Not copied. Without any the input is but flattened.
    """
    return nn.Sequential(nn.Flatten(), *[part for layer in layers for part in [*layer.encoder][1:]])
