"""What the parts of the package ask of one another, in one place.

A measure names what it needs of a model, a training loop what it needs of a data set, and neither imports one. Any
object with these methods will do; nothing has to be inherited.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn


class Batch(NamedTuple):
    """Images, or sentences, and their labels, as models and objectives take them.

    What makes another batch of one keeps what it does not change: ``batch._replace(x=...)``.
    """

    x: Tensor  # (B, C, H, W) float32 in [0, 1], or (B, T) int64 word numbers
    y: Tensor | None  # (B,) int64
    # (), float: how much of the training is done, in epochs, the running one's part included; None in evaluation
    epoch: Tensor | None = None


class Data(Protocol):
    """A data set to train on; :class:`aelib.data.ImageSet` is one."""

    def __len__(self) -> int: ...
    def to(self, device: torch.device) -> "Data": ...
    def batch(self, index: Tensor) -> Batch: ...


@runtime_checkable
class Particular(Protocol):
    """A model that cannot be of all numbers, as one whose output is a sigmoid: ``fit`` asks it before training."""

    def check_values(self, x: Tensor) -> None: ...  # ValueError for a batch (B, ...) that it cannot be of


class Examples(Protocol):
    """A data set to measure on: batches in any order, on the set's own device."""

    def __len__(self) -> int: ...
    def batch(self, index: Tensor) -> Batch: ...


class Prior(Protocol):
    """A distribution of codes that one can draw from. It consists of equally likely parts; a plain one has one."""

    @property
    def parts(self) -> int: ...
    def sample(self, part: Tensor) -> Tensor: ...  # (N,) int64, which part each draw is from -> (N, latent)


class Evaluated(Protocol):
    """What every measure asks of a model: modules with a mode, and parameters on one device. Any ``nn.Module``."""

    def eval(self) -> object: ...
    def modules(self) -> Iterator[nn.Module]: ...
    def parameters(self) -> Iterator[nn.Parameter]: ...


class Coder(Evaluated, Protocol):
    """A model that encodes and decodes."""

    def encode(self, x: Tensor) -> Tensor: ...  # (B, C, H, W) -> (B, latent)
    def decode(self, z: Tensor) -> Tensor: ...  # (B, latent) -> (B, C, H, W)


class Likelihood(Protocol):
    """A distribution of images given what a decoder says, its *parameters*, of the shape of the images.

    With several samples of the code the parameters have an axis of samples in front, (k, B, C, H, W).
    """

    def check(self, x: Tensor) -> None: ...  # ValueError for pixels that cannot be
    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor: ...  # -> (B,) or (k, B), nats
    def nll(self, parameters: Tensor, x: Tensor) -> Tensor: ...  # -> (), nats per example
    def mean(self, parameters: Tensor) -> Tensor: ...  # -> the shape of the parameters
    def sample(self, parameters: Tensor) -> Tensor: ...  # -> the shape of the parameters
    def output(self) -> nn.Module: ...  # the mean as a layer


class LatentOutput(Protocol):
    """What a latent-variable model makes of a batch; with several samples, z and logits have them in front."""

    @property
    def logits(self) -> Tensor: ...  # (B, C, H, W) or (samples, B, C, H, W), the likelihood's parameters
    @property
    def z(self) -> Tensor: ...  # (B, latent) or (samples, B, latent), drawn from the posterior
    @property
    def mu(self) -> Tensor: ...  # (B, latent)
    @property
    def logvar(self) -> Tensor: ...  # (B, latent)
    @property
    def likelihood(self) -> Likelihood: ...  # of the images given the code


class LatentModel(Coder, Protocol):
    """A model of p(x | z) and q(z | x): a call draws codes and decodes them."""

    def __call__(self, x: Tensor, samples: int | None = None) -> LatentOutput: ...


class Classifier(Evaluated, Protocol):
    """A module whose output has ``logits`` (B, classes)."""

    def __call__(self, x: Tensor) -> Any: ...


class SymbolCoder(Evaluated, Protocol):
    """A model whose code is a grid of indices into a codebook."""

    @property
    def codebook(self) -> Tensor: ...  # (K, dim)
    def indices(self, x: Tensor) -> Tensor: ...  # (B, C, H, W) -> (B, h, w), int64


class SymbolPrior(Evaluated, Protocol):
    """A distribution of grids of symbols: its output has ``logits`` (B, K, h, w), each place given those before it."""

    def __call__(self, indices: Tensor) -> Any: ...


class SequenceCoder(Evaluated, Protocol):
    """A model that writes sentences from what it read."""

    def reconstruct(self, x: Tensor, max_length: int, width: int) -> Tensor: ...
