"""Reconstruction errors in both of the field's units, and the two usual measures of image quality.

The squared error of an image is a sum over its pixels (the unit of Hinton & Salakhutdinov, 2006) or a mean over
them (``nn.MSELoss``'s): for 784 pixels the first is 784 times the second.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from aelib.extras import extra
from aelib.interfaces import Coder, Examples
from aelib.nets import evaluating


def image_batches(images: Examples, batch_size: int, device: torch.device) -> Iterator[Tensor]:
    """All images in order, in batches on the device.

    Raises:
        ValueError: there is no image, or no room for one in a batch.
    """
    if len(images) == 0:
        raise ValueError("A model is evaluated on at least one image; the set is empty.")
    if batch_size < 1:
        raise ValueError(f"A batch has room for one image or more; batch_size is {batch_size}.")
    for part in torch.arange(len(images)).split(batch_size):
        yield images.batch(part).x.to(device)


def codes(model: Coder, images: Examples, batch_size: int = 2000) -> Tensor:
    """The codes of all images, shape (N, latent), on the CPU; computed in evaluation mode, without gradients."""
    with evaluating(model) as device:
        return torch.cat([model.encode(x).cpu() for x in image_batches(images, batch_size, device)])


def reconstructions(model: Coder, images: Examples, batch_size: int = 2000) -> Tensor:
    """The reconstructions of all images, (N, C, H, W), on the CPU; computed in evaluation mode, without gradients."""
    with evaluating(model) as device:
        return torch.cat([model.decode(model.encode(x)).cpu() for x in image_batches(images, batch_size, device)])


def image_errors(x_hat: Tensor, x: Tensor) -> Tensor:
    r"""Squared error of each image, :math:`\sum_i (\hat x_i - x_i)^2`.

    Args:
        x_hat, x: shape (N, ...), the same for both, at least one image.

    Returns:
        Shape (N,), in squared gray levels (a gray level runs from 0 to 1) summed over pixels.

    Raises:
        ValueError: the shapes differ or there is no image.
        TypeError: they are no floats.
    """
    if x_hat.shape != x.shape or x.ndim < 2 or x.numel() == 0:
        raise ValueError(
            f"Errors compare two non-empty batches of one shape; they are {tuple(x_hat.shape)} and {tuple(x.shape)}."
        )
    if not x_hat.is_floating_point() or not x.is_floating_point():
        # Differences of bytes would wrap around.
        raise TypeError(f"Errors compare floating-point images in [0, 1]; they are {x_hat.dtype} and {x.dtype}.")
    return (x_hat - x).square().flatten(1).sum(1)


def per_image(x_hat: Tensor, x: Tensor) -> float:
    r"""Mean over images of the squared error summed over pixels: the unit of Hinton & Salakhutdinov (2006)."""
    return image_errors(x_hat, x).mean().item()


def per_pixel(x_hat: Tensor, x: Tensor) -> float:
    """Mean over images and pixels of the squared error: the unit of ``nn.MSELoss``."""
    return per_image(x_hat, x) / x[0].numel()


def psnr(x_hat: Tensor, x: Tensor) -> float:
    r"""Peak signal-to-noise ratio in decibels, :math:`-10 \log_{10} \text{MSE}` for a peak of 1, averaged over images.

    Infinite if an image is reproduced exactly.
    """
    mse = image_errors(x_hat, x) / x[0].numel()
    return (-10 * mse.log10()).mean().item()


def ssim(x_hat: Tensor, x: Tensor) -> float:
    """Structural similarity (Wang et al. 2004) by scikit-image, gray images in [0, 1], averaged; 1 is identity.

    Raises:
        ValueError: the images are not of shape (N, 1, H, W), or smaller than its window of 7 × 7.
    """
    with extra("metrics"):
        from skimage.metrics import structural_similarity

    image_errors(x_hat, x)  # its checks
    if x.ndim != 4 or x.shape[1] != 1 or min(x.shape[2:]) < 7:
        raise ValueError(f"ssim takes gray images of shape (N, 1, H, W), H and W 7 or more; they are {tuple(x.shape)}.")
    pairs = zip(x_hat[:, 0].numpy(), x[:, 0].numpy(), strict=True)
    values = [structural_similarity(a, b, data_range=1.0) for a, b in pairs]
    return float(sum(values) / len(values))
