"""How good a model is: reconstruction errors, likelihoods, and probes on codes."""

from aelib.metrics.classification import accuracy
from aelib.metrics.codebook import Usage, bits_per_symbol, code_grids, code_usage
from aelib.metrics.disentanglement import DCI, beta_vae_score, dci, factor_vae_score, mig, mutual_information
from aelib.metrics.frechet import frechet_distance, gaussian_frechet
from aelib.metrics.interpolation import Journey, interpolation, journey
from aelib.metrics.kmeans import Clustering, clustering
from aelib.metrics.likelihood import (
    Estimate,
    active_units,
    elbo,
    importance_bounds,
    log_likelihood,
    nll,
    unit_activity,
)
from aelib.metrics.manifold import PrecisionRecall, precision_recall
from aelib.metrics.overview import generated, overview
from aelib.metrics.probes import Accuracy, knn, linear_svm, logistic_regression, one_class, retrieval_precision, svm
from aelib.metrics.reconstruction import codes, image_errors, per_image, per_pixel, psnr, reconstructions, ssim
from aelib.metrics.robustness import damaged, error_under, missing_patch, noise, shift
from aelib.metrics.rounding import Rounded
from aelib.metrics.sequences import exact_matches, nats_per_word, rewritten, steps_to, word_accuracies
from aelib.metrics.sparsity import activity, dead_units, l0, refit, unexplained
from aelib.metrics.spectrum import participation_ratio

__all__ = [
    "DCI",
    "Accuracy",
    "Clustering",
    "Estimate",
    "Journey",
    "PrecisionRecall",
    "Rounded",
    "Usage",
    "accuracy",
    "active_units",
    "activity",
    "beta_vae_score",
    "bits_per_symbol",
    "clustering",
    "code_grids",
    "code_usage",
    "codes",
    "damaged",
    "dci",
    "dead_units",
    "elbo",
    "error_under",
    "exact_matches",
    "factor_vae_score",
    "frechet_distance",
    "gaussian_frechet",
    "generated",
    "image_errors",
    "importance_bounds",
    "interpolation",
    "journey",
    "knn",
    "l0",
    "linear_svm",
    "log_likelihood",
    "logistic_regression",
    "mig",
    "missing_patch",
    "mutual_information",
    "nats_per_word",
    "nll",
    "noise",
    "one_class",
    "overview",
    "participation_ratio",
    "per_image",
    "per_pixel",
    "precision_recall",
    "psnr",
    "reconstructions",
    "refit",
    "retrieval_precision",
    "rewritten",
    "shift",
    "ssim",
    "steps_to",
    "svm",
    "unexplained",
    "unit_activity",
    "word_accuracies",
]
