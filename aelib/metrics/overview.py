"""What an autoencoder is asked for, all at once: reconstruction, structure of the code, robustness, and samples."""

from typing import Any

import torch
from torch import Tensor

from aelib.data import ImageSet
from aelib.metrics.interpolation import interpolation, journey
from aelib.metrics.kmeans import clustering
from aelib.metrics.probes import logistic_regression
from aelib.metrics.reconstruction import codes, image_batches, per_pixel, reconstructions, ssim
from aelib.metrics.robustness import error_under, missing_patch, noise, shift
from aelib.metrics.rounding import Rounded
from aelib.nets import evaluating
from aelib.priors import FittedGaussian, draw


def overview(model: Any, train: ImageSet, test: ImageSet, bits: int = 9, quick: int = 2000) -> dict[str, float]:
    """Numbers for a table of models, from gray test images in [0, 1].

    Args:
        model: encodes to (B, latent) and decodes; or, with a ``quantizer``, to grids (B, dim, h, w).
        train: training images with labels: a probe learns from their codes.
        test: the images that everything is measured on.
        bits: a number, for the error after rounding. A quantized code is not rounded again.
        quick: how many of the test images the slower measures see.

    Returns:
        ``"error"``, squared, per pixel; ``"error, rounded"``, of the code rounded to so many bits a number;
        ``"SSIM"``; ``"probe"``, accuracy of logistic regression on the codes in percent; ``"NMI"`` and ``"ARI"`` of ten
        k-means clusters with the labels; ``"in use"``, how many numbers or places of the code vary by a hundredth of
        the most variable one's variance; ``"half-way"``, the distance to the nearest training image half-way between
        two codes, over that at the ends; ``"noise"`` (0.3) and ``"missing square"`` (of 8 pixels), error against the
        clean image; ``"shift"`` (by 2 pixels), error against the shifted one.
    """
    part, x = test[:quick], test.images()
    x_hat = reconstructions(model, test)
    symbols = hasattr(model, "quantizer")
    rounded = x_hat if symbols else reconstructions(Rounded(model, train, bits), test)
    z, z_test = codes(model, train), codes(model, test)
    spread = (z_test.var(0).sum(0) if symbols else z_test.var(0)).flatten()
    groups = clustering(z_test[:quick].flatten(1), part.y)
    different = (part.y != part.y.roll(1)).nonzero()[:200, 0]
    ends = part[different].images(), part[different - 1].images()
    way = journey(interpolation(model, *ends, steps=3), train.images())
    return {
        "error": per_pixel(x_hat, x),
        "error, rounded": per_pixel(rounded, x),
        "SSIM": ssim(x_hat[:quick], x[:quick]),
        "probe": logistic_regression(z.flatten(1), train.y, z_test.flatten(1), test.y).percent,
        "NMI": float(groups.nmi),
        "ARI": float(groups.ari),
        "in use": int((spread > 0.01 * spread.max()).sum()),
        "half-way": way.halfway / way.ends,
        "noise": error_under(model, part, noise(0.3)),
        "missing square": error_under(model, part, missing_patch(8)),
        "shift": error_under(model, part, shift(2), "damaged"),
    }


def generated(model: Any, n: int, train: ImageSet, prior: bool = False, seed: int = 0) -> Tensor:
    """Images decoded from codes that are drawn: from N(0, I), or from a Gaussian fitted to the codes of images.

    What a quantized model encodes is fitted before it is quantized, and what is drawn is quantized then.

    Args:
        model: as for :func:`overview`.
        n: how many.
        train: training images, for the fit and for the shape of a code.
        prior: whether the model was trained with the prior N(0, I).
        seed: of the draws; the caller's random state is left as it was.

    Returns:
        Shape (n, C, H, W), on the CPU.
    """
    before, quantizer = getattr(model, "grid", model.encode), getattr(model, "quantizer", None)
    images = []
    with evaluating(model) as device:
        z = torch.cat([before(x).cpu() for x in image_batches(train, 2000, device)])
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            drawn = torch.randn(n, *z.shape[1:]) if prior else draw(FittedGaussian.fit(z.flatten(1)), n)
        for part in drawn.view(n, *z.shape[1:]).to(device).split(2000):
            images.append(model.decode(part if quantizer is None else quantizer.lookup(quantizer.indices(part))).cpu())
    return torch.cat(images)
