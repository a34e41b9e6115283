"""Autoencoders as scikit-learn estimators: one that transforms, one that detects anomalies.

They fit into pipelines and searches, and joblib keeps them: what is written of a network are its weights as
safetensors. The networks are those of :mod:`aelib.models.sized`, the training is :func:`aelib.training.fit`.
"""

import copy
from typing import Any, Self

import numpy as np
import safetensors.torch
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from aelib.extras import extra
from aelib.likelihoods.surprise import surprise
from aelib.models.autoencoder import EncoderDecoder, Reconstruct
from aelib.models.denoising import Denoising, GaussianNoise
from aelib.models.sized import row_autoencoder, row_vae, sequence_autoencoder
from aelib.models.vae import ELBO, VAE
from aelib.training import Phase, fit
from aelib.training.optimizers import adam
from aelib.training.phases import Objective

with extra("estimators"):
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, OutlierMixin, TransformerMixin
    from sklearn.preprocessing import StandardScaler
    from sklearn.utils import check_array, check_random_state
    from sklearn.utils.validation import check_is_fitted, validate_data

Floats = NDArray[np.float64]
KINDS = ("dense", "denoising", "variational", "sequence")


class _Estimator(BaseEstimator):
    """What both have in common: a network behind a ``StandardScaler``, trained on rows."""

    def __init__(
        self,
        kind: str = "dense",
        latent: int = 2,
        *,
        noise: float = 0.3,
        channels: int = 1,
        hidden: int = 32,
        epochs: int = 50,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.kind = kind
        self.latent = latent
        self.noise = noise
        self.channels = channels
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state

    def _train(self, X: ArrayLike) -> Floats:
        """Train on the rows; the rows as they were checked."""
        rows = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        if self.kind not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}; it is {self.kind!r}.")
        if self.kind == "sequence" and rows.shape[1] % self.channels:
            raise ValueError(
                f"A row of a sequence is its steps, one after the other, each of {self.channels} channels; these rows "
                f"have {rows.shape[1]} numbers."
            )
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.scaler_ = StandardScaler().fit(rows)
        self.architecture_ = (self.kind, self.latent, self.channels, self.hidden)
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            network = self._network()
        name = "vae" if self.kind == "variational" else "ae"
        phase = Phase(self._objective(), adam(self.learning_rate))
        x = self._tensor(rows).float()
        fit({name: network}, phase, x, epochs=self.epochs, batch_size=self.batch_size, seed=seed)
        # In double precision a row's answer does not depend on the rows beside it, to the digits that anybody prints.
        self.network_ = network.double()
        self.n_iter_ = self.epochs
        return rows

    def _objective(self) -> Objective:
        if self.kind == "variational":
            return ELBO()
        return Denoising(Reconstruct(), GaussianNoise(self.noise)) if self.kind == "denoising" else Reconstruct()

    def _network(self) -> EncoderDecoder | VAE:
        kind, latent, channels, hidden = self.architecture_
        width = self.n_features_in_
        if kind == "sequence":
            return sequence_autoencoder((width // channels, channels), latent, hidden=hidden, show=False)
        return (row_vae if kind == "variational" else row_autoencoder)(width, latent, show=False)

    def _tensor(self, rows: Floats) -> Tensor:
        x = torch.tensor(self.scaler_.transform(rows))
        kind, _, channels, _ = self.architecture_
        return x.unflatten(1, (-1, channels)) if kind == "sequence" else x

    def _checked(self, X: ArrayLike) -> Tensor:
        check_is_fitted(self)
        return self._tensor(validate_data(self, X, dtype=np.float64, reset=False))

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        network = state.pop("network_", None)
        if network is not None:
            state["weights_"] = safetensors.torch.save(network.state_dict())
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        weights = state.pop("weights_", None)
        super().__setstate__(state)
        if weights is not None:
            with torch.random.fork_rng([]):  # its first weights are drawn for nothing
                self.network_ = self._network().double().eval()
            self.network_.load_state_dict(safetensors.torch.load(weights))


class AutoencoderTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, _Estimator):
    """Rows to codes and back, as ``PCA`` does it: fit, transform, inverse_transform.

    Rows are standardized before, and given back in their own units.

    Args:
        kind: ``"dense"``; ``"denoising"``, which is trained on rows with noise; ``"variational"``, whose codes are the
            means; or ``"sequence"``, for rows that are the steps of a window one after the other.
        latent: size of the code.
        noise: standard deviation of what a denoising one is trained against, in units of the columns' own.
        channels: numbers of each step of a sequence.
        hidden: size of a sequence's LSTMs.
        epochs, batch_size, learning_rate: of the training, by Adam.
        random_state: of the start and of all noise.

    Attributes:
        network_: the trained network, in double precision.
        scaler_: the ``StandardScaler``.
        n_features_in_: numbers of a row.
    """

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Train on rows (N, features).

        Raises:
            ValueError: fewer than two rows, values that are not finite, or an argument that cannot be.
        """
        self._train(X)
        return self

    def transform(self, X: ArrayLike) -> Floats:
        """The codes of rows, (N, latent)."""
        x = self._checked(X)
        with torch.no_grad():
            return self.network_.encode(x).numpy()

    def inverse_transform(self, X: ArrayLike) -> Floats:
        """The rows that codes (N, latent) stand for, (N, features)."""
        check_is_fitted(self)
        codes = torch.tensor(check_array(X, dtype=np.float64))
        with torch.no_grad():
            return self.scaler_.inverse_transform(self.network_.decode(codes).flatten(1).numpy())

    @property
    def _n_features_out(self) -> int:
        return self.architecture_[1]


class AutoencoderDetector(OutlierMixin, _Estimator):
    r"""Anomalies as rows that an autoencoder, trained on the others, gives back badly.

    A row's score is its log likelihood given its code, less the divergence of a variational one's code from the prior,
    in nats: :func:`aelib.likelihoods.surprise.surprise` with the sign changed, so that the normal is high, as in
    ``IsolationForest``.

    Args:
        kind, latent, noise, channels, hidden, epochs, batch_size, learning_rate, random_state: as for
            :class:`AutoencoderTransformer`.
        contamination: the fraction of the training rows that ``predict`` is to call anomalies, above 0, at most 0.5.

    Attributes:
        offset_: the score below which a row is called an anomaly.
        network_, scaler_, n_features_in_: as there.
    """

    def __init__(
        self,
        kind: str = "dense",
        latent: int = 2,
        *,
        contamination: float = 0.1,
        noise: float = 0.3,
        channels: int = 1,
        hidden: int = 32,
        epochs: int = 50,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        super().__init__(
            kind,
            latent,
            noise=noise,
            channels=channels,
            hidden=hidden,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            random_state=random_state,
        )
        self.contamination = contamination

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Train on rows (N, features), and set the offset.

        Raises:
            ValueError: fewer than two rows, values that are not finite, or an argument that cannot be.
        """
        if not 0 < self.contamination <= 0.5:
            raise ValueError(f"contamination is a fraction above 0, at most 0.5; it is {self.contamination}.")
        rows = self._train(X)
        self.offset_ = float(np.percentile(self._scores(self._tensor(rows)), 100 * self.contamination))
        return self

    def score_samples(self, X: ArrayLike) -> Floats:
        """Scores of rows, (N,), in nats: the lower, the stranger."""
        return self._scores(self._checked(X))

    def decision_function(self, X: ArrayLike) -> Floats:
        """Scores less the offset, (N,): below 0 for anomalies."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """1 for the normal, -1 for anomalies, (N,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def _scores(self, x: Tensor) -> Floats:
        with torch.no_grad():
            return -surprise(self.network_, x).numpy()

    def scoring(self) -> nn.Module:
        """From raw rows, (N, features) float64, to their scores, (N,) float32, as one module.

        It is a copy: what :func:`aelib.sharing.path_to_onnx.path_to_onnx` takes.
        """
        check_is_fitted(self)
        return _Scoring(self)


class _Scoring(nn.Module):
    """A detector's whole path."""

    def __init__(self, detector: AutoencoderDetector) -> None:
        super().__init__()
        self.network = copy.deepcopy(detector.network_).float()
        self.channels = detector.architecture_[2] if detector.architecture_[0] == "sequence" else 0
        self.register_buffer("center", torch.tensor(detector.scaler_.mean_))
        self.register_buffer("scale", torch.tensor(detector.scaler_.scale_))

    def forward(self, raw: Tensor) -> Tensor:
        x = ((raw - self.get_buffer("center")) / self.get_buffer("scale")).float()
        x = x.unflatten(1, (-1, self.channels)) if self.channels else x
        return -surprise(self.network, x)
