"""The linear autoencoders that every chapter draws beside its models: PCA and logistic PCA."""

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from aelib.extras import extra
from aelib.likelihoods import bernoulli_nll
from aelib.models.autoencoder import EncoderDecoder


class _Linear(nn.Linear):
    """A linear layer with given weights."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            self.weight.copy_(weight)
            self.bias.copy_(bias)


def pca(x: Tensor, components: int) -> EncoderDecoder:
    r"""Principal component analysis as an autoencoder: :math:`z = V(x - m)`, :math:`\hat x = V^\top z + m`.

    The best linear autoencoder in squared error. Computed by scikit-learn from the full covariance. The
    output is not clipped to [0, 1].

    Args:
        x: the training images, shape (N, C, H, W), in [0, 1].
        components: size of the code, at most the number of images and of pixels.

    Raises:
        ValueError: more components than images or pixels.
        ModuleNotFoundError: scikit-learn is not installed.
    """
    with extra("metrics"):
        from sklearn.decomposition import PCA

    shape, x = tuple(x.shape[1:]), x.flatten(1)
    if not 1 <= components <= min(x.shape):
        raise ValueError(
            f"PCA of {x.shape[0]} images of {x.shape[1]} pixels has 1 to {min(x.shape)} components, not {components}."
        )
    # The eigenvectors of the covariance: exact, and quick where images outnumber pixels.
    solver = "covariance_eigh" if len(x) > x.shape[1] else "full"
    found = PCA(components, svd_solver=solver).fit(x.numpy())
    v, mean = torch.from_numpy(found.components_), torch.from_numpy(found.mean_)
    encoder = nn.Sequential(nn.Flatten(), _Linear(v, -v @ mean))
    decoder = nn.Sequential(_Linear(v.T, mean), nn.Unflatten(1, shape))
    model = EncoderDecoder(encoder, decoder, shape)
    model.output = nn.Identity()
    return model.eval()


class LogisticPCA:
    r"""Logistic PCA (Collins et al. 2002; Schein et al. 2003): PCA for Bernoulli pixels.

    .. math:: \min_{Z, V, b} \; -\log p(X \mid \sigma(Z V^\top + b))

    There is no encoder: the code of an image is found by minimizing its own cross-entropy. Both the fit and the
    search for codes are smooth problems, solved on full batches by L-BFGS; given *V* the search is convex.

    Args:
        components: size of the code.
        iterations: L-BFGS iterations, of the fit and of the search.
        ridge: weight of :math:`\tfrac12 \lVert z \rVert^2`, which keeps codes of images that can be fitted
            perfectly from running off to infinity.
    """

    def __init__(self, components: int, iterations: int = 100, ridge: float = 1e-3) -> None:
        self.components, self.iterations, self.ridge = components, iterations, ridge

    def fit(self, x: Tensor) -> "LogisticPCA":
        """Fit *V* and *b* to images of shape (N, C, H, W), from PCA's directions and the pixels' mean log-odds."""
        start, self.shape = pca(x, self.components), tuple(x.shape[1:])
        x = x.flatten(1)
        self.bias = torch.logit(x.mean(0).clamp(1e-3, 1 - 1e-3))
        self.v = start.decoder[0].weight.detach().clone()  # type: ignore[operator]
        z = torch.zeros(len(x), self.components)
        self._minimize(x, z, [z, self.v, self.bias], "logistic PCA: fit")
        return self

    def reconstruct(self, x: Tensor) -> Tensor:
        """The reconstructions σ(zVᵀ + b) of images of shape (N, C, H, W), each from its best code."""
        x = x.flatten(1)
        z = torch.zeros(len(x), self.components)
        self._minimize(x, z, [z], "logistic PCA: codes")
        return torch.sigmoid(z @ self.v.T + self.bias).detach().view(-1, *self.shape)

    def _minimize(self, x: Tensor, z: Tensor, variables: list[Tensor], title: str) -> None:
        for variable in variables:
            variable.requires_grad_()
        search = torch.optim.LBFGS(variables, max_iter=self.iterations, history_size=10, line_search_fn="strong_wolfe")
        with tqdm(total=None, desc=title, unit="evaluation", delay=1) as bar:

            def closure() -> Tensor:
                search.zero_grad()
                penalty = 0.5 * self.ridge * z.square().sum() / len(z)
                loss = bernoulli_nll(z @ self.v.T + self.bias, x) + penalty
                loss.backward()
                bar.update()
                return loss

            search.step(closure)
        for variable in variables:
            variable.requires_grad_(False)
