"""How good a model is: reconstruction errors, and probes on codes."""

from aelib.metrics.classification import accuracy
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
from aelib.metrics.sparsity import activity, dead_units, l0, refit, unexplained

__all__ = [
    "Accuracy",
    "accuracy",
    "activity",
    "codes",
    "dead_units",
    "image_errors",
    "knn",
    "l0",
    "logistic_regression",
    "per_image",
    "per_pixel",
    "psnr",
    "reconstructions",
    "refit",
    "retrieval_precision",
    "ssim",
    "svm",
    "unexplained",
]
