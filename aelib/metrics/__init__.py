"""How good a model is: reconstruction errors, and probes on codes."""

from aelib.metrics.probes import Accuracy, knn, logistic_regression, retrieval_precision, svm
from aelib.metrics.reconstruction import (
    codes,
    image_errors,
    per_image,
    per_pixel,
    psnr,
    reconstructions,
    ssim,
)

__all__ = [
    "Accuracy",
    "codes",
    "image_errors",
    "knn",
    "logistic_regression",
    "per_image",
    "per_pixel",
    "psnr",
    "reconstructions",
    "retrieval_precision",
    "ssim",
    "svm",
]
