r"""The Parzen-window estimate of a log-likelihood: a Gaussian on each sample of a model, and the density of images.

.. math:: \log \hat p(x) = \log \frac1n \sum_{j=1}^{n} N(x; s_j, \sigma^2 I)

Used by Goodfellow et al. (2014) and Makhzani et al. (2016, table 1) for models that have samples and no density. It
is a poor guide in hundreds of dimensions: Theis, van den Oord & Bethge, "A note on the evaluation of generative
models" (2016), section 3.2. Chapter 6 shows why.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

CHUNK = 1000  # images compared with all samples at a time


@torch.no_grad()
def parzen_log_likelihoods(samples: Tensor, x: Tensor, bandwidths: Sequence[float]) -> Tensor:
    r"""The estimate for each image, in nats, with each of several bandwidths :math:`\sigma`.

    Args:
        samples: shape (n, ...), drawn from the model.
        x: shape (N, ...), the images that are scored, of the samples' shape.
        bandwidths: standard deviations of the Gaussian on each sample, in gray levels from 0 to 1.

    Returns:
        Shape (len(bandwidths), N). It is a log *density*, so it can be positive.

    Raises:
        ValueError: shapes that differ, nothing to compare, or a bandwidth that is not positive.
        TypeError: samples and images are not floats of one type.
    """
    if samples.shape[1:] != x.shape[1:] or samples.ndim < 2 or len(samples) == 0 or len(x) == 0:
        raise ValueError(
            "A Parzen estimate compares non-empty samples (n, ...) with images (N, ...) of their shape; "
            f"they are {tuple(samples.shape)} and {tuple(x.shape)}."
        )
    if not bandwidths or min(bandwidths) <= 0:
        raise ValueError(f"Bandwidths must be positive numbers, at least one; they are {tuple(bandwidths)}.")
    if not samples.is_floating_point() or samples.dtype != x.dtype:
        raise TypeError(f"A Parzen estimate takes floats of one type; it got {samples.dtype} and {x.dtype}.")
    samples, x = samples.flatten(1), x.flatten(1)
    rows = []
    for part in x.split(CHUNK):
        # Exact differences would need n · N · d numbers; the matrix product's error is about 1e-5 of the norms.
        distances = (part.square().sum(1)[:, None] - 2 * part @ samples.T + samples.square().sum(1)).clamp_min(0)
        rows.append(torch.stack([torch.logsumexp(distances / (-2 * s * s), 1) for s in bandwidths]))
    constant = torch.tensor([0.5 * x.shape[1] * math.log(2 * math.pi * s * s) for s in bandwidths])
    return torch.cat(rows, 1) - math.log(len(samples)) - constant.to(x.device)[:, None]


def parzen_bandwidth(samples: Tensor, x: Tensor, bandwidths: Sequence[float]) -> float:
    """The one of *bandwidths* under which the validation images *x* are likeliest on average.

    Raises:
        ValueError: as :func:`parzen_log_likelihoods`, or the best is the smallest or the largest: widen the range.
    """
    means = parzen_log_likelihoods(samples, x, bandwidths).mean(1)
    best = bandwidths[int(means.argmax())]
    if len(bandwidths) > 1 and best in (min(bandwidths), max(bandwidths)):
        raise ValueError(f"The best bandwidth, {best:g}, is at the end of the range {tuple(bandwidths)}; widen it.")
    return best
