# ---
# jupyter:
#   chapter:
#     source: Lucas et al. 2019, Bowman et al. 2016
#     idea: 'How much the divergence weighs: hidden weights, the weight at which the code dies, collapse and its cures.'
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How much the divergence weighs
#
# *After Lucas, Tucker, Grosse and Norouzi, NeurIPS 2019 {cite}`lucas2019dont`; Bowman et al., CoNLL 2016
# {cite}`bowman2016generating`.*
# [Open in Colab](https://colab.research.google.com/github/address--not-fixed/autoencoders/blob/main/notebooks/18_kl_and_collapse.ipynb)
#
# - Code in the wild sums here and averages there. Each such choice is a hidden weight β on the divergence of the
#   variational autoencoder. We compute it: one common loss has β = 39.2 and does not say so.
# - There is a weight above which the code dies. It can be predicted before any training, from one eigenvalue of the
#   data, and we meet the prediction.
# - A code can also die at β = 1, of two causes that look alike: a decoder that does not need it, and a network that
#   cannot learn to use it. We provoke both, and cure what can be cured.

# %% tags=["hide-cell"]
import importlib.util
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("aelib") is None:  # on Colab, say
    # The package, with the records of long trainings beside it.
    address = "https://github.com/address--not-fixed/autoencoders"
    checkout = Path.cwd() / "autoencoders"
    if not checkout.exists():
        clone = ["git", "clone", "-q", "--depth", "1", address, checkout]
        subprocess.run(clone, check=True)
    install = [sys.executable, "-m", "pip", "install", "-q", "-e"]
    subprocess.run([*install, f"{checkout}[notebooks]"], check=True)
    sys.path.insert(0, str(checkout))  # pip's entry is read by the next kernel

# %% tags=["hide-input", "runs"]
from functools import cache, partial

import torch
import torch.nn.functional as F
from torch import nn

from aelib.data import Binarized, ImageSet, binarize, mnist
from aelib.likelihoods import Gaussian, gaussian_kl
from aelib.metrics.likelihood import active_units, elbo
from aelib.models.pixelcnn import MaskedConv2d
from aelib.models.vae import ELBO, DenseVAE, WarmUp
from aelib.nets import he_init, set_output_bias
from aelib.records.profiles import current_profile
from aelib.records.runs import Run, Runs
from aelib.training import Fit, Phase
from aelib.training.optimizers import adam, one_cycle

profile = current_profile()
runs = Runs("18_kl_and_collapse")
seeds = profile.seeds(smoke=1, quick=1, full=3)
data = mnist().subset(
    train=profile(smoke=400, quick=None, full=None),
    test=profile(smoke=100, quick=None, full=None),
)
train, test = Binarized(data.train), binarize(data.test)
part = data.train[: profile(smoke=400, quick=10_000, full=20_000)]

# %% tags=["hide-input"]
import math
from dataclasses import dataclass
from statistics import fmean, stdev

import matplotlib.pyplot as plt
import pandas as pd

from aelib import explorer, plots
from aelib.data import Batch
from aelib.likelihoods import gaussian_kl_terms
from aelib.metrics import per_pixel, reconstructions
from aelib.models.collapse import critical_beta
from aelib.records.claims import Claims
from aelib.training import fit

claims = Claims("18_kl_and_collapse")
x_test, x_gray = test.images(), data.test.images()

# %% [markdown]
# ## A question that is asked again and again
#
# Where code of variational autoencoders is discussed, it comes up sooner or later
# ([one place](https://github.com/pytorch/examples/issues/817),
# [another](https://github.com/rail-berkeley/rlkit/issues/119)):
# should the reconstruction error be summed over pixels or averaged? And the divergence, over latents? It looks like a
# matter of taste. It is not.
#
# [Chapter 4](04_variational) derived the loss, minus the evidence lower bound. Write $R$ for its first term, minus the
# log-likelihood of an image given its code, summed over the $d$ pixels, and $\mathrm{KL}$ for the second, the divergence
# of the code's distribution from the prior, summed over the $m$ latents. Both are averages over the batch, in nats.
# Minus the bound is $R + \mathrm{KL}$. Whatever a program does, its loss is
#
# ```{math}
# :label: eq-18-beta
# r R + s\, \mathrm{KL} = r \left(R + \beta\, \mathrm{KL}\right), \qquad \beta = \frac{s}{r},
# ```
#
# where $r$ is $1$ for a sum over pixels and $1/d$ for a mean, and $s$ is $1$ for a sum over latents and $1/m$ for a
# mean. The factor $r$ in front is only a scale, and Adam's steps hardly depend on the scale of a loss.
# What is left is the loss of the β-VAE {cite}`higgins2017beta`, the model of [chapter 5](05_beta_vae), with a β that
# nobody chose. For means on both sides $\beta = d / m$. With 784 pixels and 20 latents that is 39.2.
#
# ## The data

# %% mystnb={"figure": {"caption": "Ten test digits of MNIST as bits: each pixel is drawn with its gray value as the probability of a 1. In training they are drawn anew each time.", "name": "fig-18-data"}, "image": {"alt": "Ten handwritten digits in pure black and white with ragged edges."}}
plots.image_rows({"bits": x_test[:10]})

# %% [markdown]
# ## The loss, as one finds it


# %%
@dataclass(frozen=True)
class AsFound:
    """Each term a sum or a mean over its dimensions, then a mean over the batch."""

    pixels: str = "sum"
    latents: str = "sum"
    squared: bool = False

    def __call__(self, nets, batch):
        out = nets["vae"](batch.x)
        entropy = partial(F.binary_cross_entropy_with_logits, reduction="none")
        cross, square = entropy(out.logits, batch.x), (out.x_hat - batch.x) ** 2
        errors = (square if self.squared else cross).flatten(1)
        kl = gaussian_kl_terms(out.mu, out.logvar)
        terms = (getattr(errors, self.pixels)(1), getattr(kl, self.latents)(1))
        loss = (terms[0] + terms[1]).mean()
        return {"loss": loss, "R": errors.sum(1).mean(), "kl": kl.sum(1).mean()}


# %%
def implied_beta(pixels, latents, d=784, m=20):
    """(eq-18-beta)"""
    r, s = (1 / n if how == "mean" else 1 for how, n in ((pixels, d), (latents, m)))
    return s / r


HOW = ("sum", "mean")
FOUND = {f"{pixels}, {latents}": (pixels, latents) for pixels in HOW for latents in HOW}
{name: implied_beta(*how) for name, how in FOUND.items()}

# %% [markdown]
# "mean, sum" is short for a mean over pixels and a sum over latents. Check {eq}`eq-18-beta` where it must hold exactly,
# at the gradient. The found loss, divided by $r$, must have the gradient of the package's ELBO with the implied β.


# %%
def gradient(objective):
    torch.manual_seed(0)
    model = DenseVAE((784, 50, 20), nn.ReLU)
    objective({"vae": model}, Batch(x_test[:50], None))["loss"].backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()])


for pixels, latents in FOUND.values():
    r = 1 / 784 if pixels == "mean" else 1
    expected = gradient(ELBO(implied_beta(pixels, latents)))
    found = gradient(AsFound(pixels, latents)) / r
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)

# %% [markdown]
# ## Four conventions, four networks
#
# Now train all four. For each train a *twin* too: the ELBO in nats, with the β that we computed. Network, data,
# optimizer and random numbers are the same. If the conventions are nothing but four values of β, every pair must
# coincide.


# %%
def in_the_lab(objective, images=None, **options):
    """784-200-20, six passes over 20,000 digits."""
    torch.manual_seed(0)
    model = DenseVAE((784, 200, 20), nn.ReLU, **options)
    phase = Phase(objective, adam(2e-3), one_cycle())
    passes = profile(smoke=1, quick=2, full=6)
    images = images or Binarized(part)
    return model, fit({"vae": model}, phase, images, epochs=passes, batch_size=200)


found = {name: in_the_lab(AsFound(*how)) for name, how in FOUND.items()}
twins = {name: in_the_lab(ELBO(implied_beta(*how))) for name, how in FOUND.items()}

# %% mystnb={"figure": {"caption": "The four losses as the code prints them, against epochs. All fall, on scales that cannot be compared. Nothing here tells which network has learned anything.", "name": "fig-18-lab-raw"}, "image": {"alt": "Four falling curves on a logarithmic axis; two end near 100 and two near 0.3."}}
histories = {name: history for name, (_, history) in found.items()}
plots.learning_curves(histories, "loss as the code prints it")

# %% mystnb={"figure": {"caption": "The same runs in nats: R (left) and KL (right) over epochs. Lines are the losses as found, circles their twins with the implied β.", "name": "fig-18-lab"}, "image": {"alt": "Two panels of four curves; circles lie on every curve."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9.6, 3.6))
TERMS = {"R": ("R", "reconstruction", "R, nats"), "KL": ("kl", "kl", "KL, nats")}
for axis, (one, other, label) in zip(axes, TERMS.values(), strict=True):
    for i, (name, how) in enumerate(FOUND.items()):
        line, twin = found[name][1], twins[name][1]
        line, twin = line[line.term == one], twin[twin.term == other]
        color = plots.color_of("", i)
        said = f"{name}: β = {implied_beta(*how):.3g}"
        axis.plot(line.epoch, line.value, color=color, label=said)
        axis.plot(twin.epoch, twin.value, "o", color=color, markerfacecolor="none")
    axis.set(xlabel="epoch", ylabel=label)
axes[1].legend(title="over pixels, over latents")
plots.style.finish(figure)

# %% tags=["hide-input"]
gaps, table = {}, {}
for name, how in FOUND.items():
    histories = found[name][1], twins[name][1]
    one, other = (log[log.term != "loss"].value for log in histories)
    gaps[name] = abs(one.to_numpy() - other.to_numpy()).max()
    model = found[name][0]
    out = ELBO()({"vae": model}, Batch(x_test, None))
    table[name] = {
        "implied β": implied_beta(*how),
        "R, nats": out["reconstruction"].item(),
        "KL, nats": out["kl"].item(),
        "ELBO, nats": -out["loss"].item(),
        "active units of 20": active_units(model, test),
        "largest gap to its twin, nats": gaps[name],
    }

# %%
pd.DataFrame(table).T.round(2).rename_axis(index="over pixels, over latents")

# %% [markdown]
# Each circle is on its line. So a convention *is* a β, and read in nats the four runs can be compared at last.
#
# - **mean, sum** (β = 784) and **mean, mean** (β = 39.2) send nothing through the code. Every digit is reconstructed as
#   the same gray average. Their printed losses look like success.
# - **sum, mean** (β = 0.05) has the smallest $R$ and by far the largest divergence. It copies; a code that is drawn from
#   the prior would tell its decoder nothing that it knows.
# - **sum, sum** (β = 1) is the ELBO itself, and wins by it. Of course it does: it is what it was trained on.
#
# Other β may well be wanted. The point is to choose it, and to write it down in nats. The safe habit is the one of this
# book: sum over dimensions, average over the batch. A different batch convention is one more hidden factor: the
# reconstruction summed over the batch and the divergence averaged over it make β smaller by the size of the batch
# (exercise 1).
#
# ## And the squared error?
#
# The squared error is no likelihood until one says how noisy a pixel is.
# With $p_\theta(x \mid z) = N(\hat x, \sigma_x^2)$,
#
# ```{math}
# :label: eq-18-gaussian
# -\log p_\theta(x \mid z) = \frac{\lVert x - \hat x \rVert^2}{2 \sigma_x^2} + \frac d2 \log 2 \pi \sigma_x^2,
# \qquad \text{so} \quad \lVert x - \hat x \rVert^2 + \beta\, \mathrm{KL} \quad \text{means} \quad \sigma_x^2 = \frac{\beta}{2} .
# ```
#
# So each squared-error loss claims to know the noise. Sum and sum claims $\sigma_x = 0.71$. Mean and mean, with 20
# latents, claims $\sigma_x = 4.4$ for pixels that run from 0 to 1. If that were true, an image would tell almost nothing
# about its code, and a good encoder would say so. The noise that fits is the error that one ends up with
# {cite}`rybkin2021simple`; we try $\sigma_x = 0.1$.

# %%
squared = {
    "sum, sum": (AsFound("sum", "sum", squared=True), 0.5**0.5),
    "mean, mean": (AsFound("mean", "mean", squared=True), 19.6**0.5),
    "twin of mean, mean": (ELBO(), 19.6**0.5),
    "Gaussian, σ = 0.1": (ELBO(), 0.1),
}
rows, rebuilt = {}, {}
for name, (objective, sigma) in squared.items():
    pixels = Gaussian(sigma, link="logit")
    model, _ = in_the_lab(objective, part, likelihood=pixels)
    rebuilt[name] = reconstructions(model, data.test[:10])
    error = per_pixel(reconstructions(model, data.test), x_gray)
    rows[name] = {"σ claimed": sigma, "σ found": error**0.5}
    rows[name]["KL, nats"] = gaussian_kl(*model.posterior(x_gray)).item()
    rows[name]["active units of 20"] = active_units(model, data.test)

# %%
pd.DataFrame(rows).T.round(3)

# %% mystnb={"figure": {"caption": "Reconstructions under squared-error losses, and ten gray test digits. The third row is the ELBO of a Gaussian with the noise that the loss of the second row claims.", "name": "fig-18-squared"}, "image": {"alt": "Rows of digits: original, blurred, two rows of one gray average, and sharp reconstructions."}}
plots.image_rows({"original": x_gray[:10], **rebuilt})

# %% [markdown]
# Again the twin agrees with the loss that it explains. "σ found" is the root of the error per pixel that remained. The
# closer the claim comes to it, the more of the code is used.
#
# So when somebody's VAE "blurs", or its KL term "vanishes", ask for σ before asking for a better network.
#
# ## At which β does the code die?
#
# The row "mean, mean" had β = 39.2 and a dead code. Is that far beyond the edge, or just beyond? The edge can be
# computed. Call the state *collapsed* in which the code is the prior for every image and the decoder gives the mean
# image $\bar x$. Let one latent wake up a little: its mean becomes $\mu = u^\top (x - \bar x)$, and the decoder adds
# $w z$ to the log-odds of the pixels. Let $C$ be the covariance of the pixels and $V$ the diagonal matrix of their
# variances, $\bar x_i (1 - \bar x_i)$ for bits. To second order in $u$ and $w$ the loss changes by
#
# ```{math}
# :label: eq-18-second-order
# \underbrace{-u^\top C w}_{\text{the code tells}} + \underbrace{\tfrac12 w^\top V w}_{\text{noise in the logits}} + \underbrace{\tfrac{\beta}{2} u^\top C u}_{\text{the divergence}} .
# ```
#
# For the best $w = V^{-1} C u$ this is $\tfrac12 u^\top (\beta C - C V^{-1} C) u$. Some $u$ makes it negative exactly if
#
# ```{math}
# :label: eq-18-critical
# \beta < \beta_c = \lambda_\text{max}\bigl(V^{-1/2}\, C\, V^{-1/2}\bigr),
# ```
#
# and the matrix in brackets is the *correlation matrix* of the pixels. Below $\beta_c$ the collapsed state is no
# minimum, and gradient descent leaves it. Above it is one, and a code that is near it dies. For Gaussian pixels
# $V = \sigma_x^2 I$, and {eq}`eq-18-critical` is the condition of Lucas et al. {cite}`lucas2019dont`: the largest
# eigenvalue of the covariance is above $\beta \sigma_x^2$.


# %%
def largest_correlation(x):
    """(eq-18-critical) for bits x (N, 1, H, W), and its direction."""
    flat = x.flatten(1).double()
    flat = flat[:, flat.std(0) > 0]  # pixels that are always off say nothing
    values, vectors = torch.linalg.eigh(torch.corrcoef(flat.T))
    return values[-1].item(), vectors[:, -1]


bits = binarize(data.train).images()
beta_c, direction = largest_correlation(bits)
assert abs(beta_c / critical_beta(bits) - 1) < 1e-6
print(f"the code dies at β = {beta_c:.1f}; mean, mean has β = 39.2")

# %% [markdown]
# No network was trained for that number. Now train, at a grid of β around it: a *linear* VAE, whose encoder and decoder
# are one matrix each, for which the calculation holds, and the network of the lab, for which it holds as far as its
# hidden layers are linear for small signals. The question is whether a sleeping code wakes. So all start close to the
# collapsed state: the encoder's last matrix and the decoder's first are a hundredth of the default, and the output's
# bias gives the mean image.

# %% tags=["hide-input", "runs"]
BETAS = profile(
    smoke=(1, 28, 40),
    quick=(1, 16, 24, 28, 36, 40),
    full=(1, 4, 8, 16, 24, 28, 30, 32, 34, 36, 40),
)
KINDS = {"linear": ((784, 20), 0.5), "one hidden layer": ((784, 200, 20), 0.7)}


def asleep(vae, images):
    """Nearly collapsed: the code is the prior, the decoder gives the mean image."""
    last, first = vae.encoder[-1], vae.decoder[0]
    with torch.no_grad():
        last.bias.zero_()
        for weight in (last.weight, first.weight):
            weight *= 0.01
    return set_output_bias(vae, images.images())


def two_terms(bits, modules):
    """R and KL of the test digits, in nats, and the active units."""
    vae, x = modules["vae"], bits.images()
    with torch.no_grad():
        kl = gaussian_kl(*vae.posterior(x)).item()
    found = {"R": -elbo(vae, bits).mean().item() - kl, "KL": kl}
    return found | {"active units": active_units(vae, bits)}


# %% tags=["hide-input", "runs"]
@cache
def weighed(kind, beta):
    """A VAE at a weight of the divergence."""
    widths, minutes = KINDS[kind]
    torch.manual_seed(0)
    nets = {"vae": asleep(DenseVAE(widths, nn.ReLU), data.train)}
    passes = profile(smoke=2, quick=3, full=15)
    phase = Phase(ELBO(float(beta)), adam(2e-3), one_cycle())
    fits = [Fit(nets, phase, train, epochs=passes, batch_size=200)]
    kept = (kind, beta) == ("linear", 28)
    about = dict(minutes=minutes, worth=20 * minutes, weights=kept)
    measure = partial(two_terms, test)
    return Run(f"18-{kind.split()[0]}-beta{beta}", nets, fits, measure=measure, **about)


@runs.declare
def weights_of_the_divergence():
    for kind in KINDS:
        for beta in BETAS:
            yield weighed(kind, beta)

# %% mystnb={"figure": {"caption": "The divergence of the code from the prior over the training, for values of β below the predicted edge (blue) and above it (orange), linear VAE (left) and one hidden layer (right). Each line is labeled with its β.", "name": "fig-18-critical"}, "image": {"alt": "Two panels of lines on a logarithmic axis; blue lines rise and stay, orange lines rise a little and fall."}} tags=["hide-input"]
def divergences(kind, beta):
    """KL in nats at the end of each epoch, on training digits."""
    log = weighed(kind, beta).load().history
    return log[log.term == "kl"].value.tolist()


figure, axes = plt.subplots(1, 2, figsize=(9.6, 3.8), sharey=True)
for axis, kind in zip(axes, KINDS, strict=True):
    for beta in BETAS:
        line = divergences(kind, beta)
        color = plots.COLORS["Autoencoder" if beta < beta_c else "Sparse"]
        axis.plot(range(1, len(line) + 1), line, color=color)
        axis.annotate(f"{beta}", (len(line), line[-1]), fontsize=8)
    axis.set(xlabel="epoch", yscale="log", title=kind)
axes[0].set(ylabel="KL, nats")
plots.style.finish(figure)

# %% tags=["hide-input"]
last, first = {}, {}
for kind in KINDS:
    awake = []
    for beta in BETAS:
        line = divergences(kind, beta)
        awake += [beta] if line[-1] > 0.5 * max(line) else []
    last[kind] = max(awake, default=0)
    first[kind] = min([beta for beta in BETAS if beta > last[kind]], default=None)

# %%
edges = {"last awake": last, "first falling asleep": first}
pd.DataFrame(edges).assign(predicted=round(beta_c, 1))

# %% [markdown]
# A code counts as falling asleep if its divergence ends below half of its largest value. (Adam moves every weight at
# first, whatever its gradient: so all lines rise before the ones above the edge fall.) The theory is local. It does not
# say how much a code tells once it is awake: just below the edge it is a small part of a nat.
#
# The next eigenvalues say when a second latent and a third become worth their cost, roughly, for the first then
# explains a part of what they would.

# %%
correlations = torch.corrcoef(bits.flatten(1)[:, bits.flatten(1).std(0) > 0].T)
torch.linalg.eigvalsh(correlations.double()).flip(0)[:5].round(decimals=1).tolist()

# %% [markdown]
# So at β = 28 there should be one. {eq}`eq-18-second-order` also says what it stands for: the top eigenvector of the
# correlation matrix, seen through $V^{-1/2}$.

# %% mystnb={"figure": {"caption": "Left: the top eigenvector of the bits' correlation matrix, divided by the pixels' deviations. Right: the decoder weights of the largest latent of the linear VAE at β = 28. Red raises a pixel, blue lowers it; the sign of a latent is arbitrary and was aligned.", "name": "fig-18-last"}, "image": {"alt": "Two nearly equal images in red and blue."}} tags=["hide-input"]
near = 28
survivor = weighed("linear", near).load().modules["vae"]
flat = bits.flatten(1)
on = flat.std(0) > 0
deviation = flat[:, on].std(0)
with torch.no_grad():
    weight = survivor.decoder[0].weight  # (784, 20)
weight = weight[:, weight.norm(dim=0).argmax()].detach()
scaled = weight[on] * deviation  # back to where the eigenvectors are orthogonal
cosine = F.cosine_similarity(scaled.double(), direction, 0).item()
predicted = torch.zeros(784)
predicted[on] = (direction * (1 if cosine > 0 else -1) / deviation).float()
frequent = torch.zeros(784)
frequent[on] = (deviation > 0.1).float()  # elsewhere the division shows noise
pair = torch.stack([predicted / predicted.norm(), weight / weight.norm()]) * frequent
print(f"|cosine| of the two, in the eigenvectors' scale: {abs(cosine):.3f}")
plots.filters(pair, (28, 28), columns=2)

# %% [markdown]
# ### A staircase
#
# With Gaussian pixels the linear VAE can be solved completely. It is probabilistic PCA {cite}`tipping1999probabilistic`,
# and its latents are the principal components, as many of them as have an eigenvalue above $\beta \sigma_x^2$. So the
# number of active units, for every β, can be read from the eigenvalues of the covariance. Gray digits, $\sigma_x = 1$:

# %% tags=["hide-input", "runs"]
STEPS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)[:: profile(smoke=3, quick=2, full=1)]


@cache
def staircase(beta):
    """A linear VAE with Gaussian pixels of standard deviation 1."""
    torch.manual_seed(0)
    vae = DenseVAE((784, 20), nn.ReLU, likelihood=Gaussian(1.0))
    nets = {"vae": asleep(vae, data.train)}
    passes = profile(smoke=1, quick=2, full=15)
    phase = Phase(ELBO(beta), adam(2e-3), one_cycle())
    fits = [Fit(nets, phase, data.train, epochs=passes, batch_size=200)]
    measure = partial(two_terms, data.test)
    about = dict(measure=measure, minutes=0.4, worth=3, weights=False)
    return Run(f"18-staircase-beta{beta:g}", nets, fits, **about)


@runs.declare
def stairs():
    for beta in STEPS:
        yield staircase(beta)

# %% mystnb={"figure": {"caption": "Active units of a linear VAE of 20 latents with Gaussian pixels, against β: points are trained networks, the line counts the eigenvalues of the data's covariance above β.", "name": "fig-18-staircase"}, "image": {"alt": "A falling staircase with points on it."}} tags=["hide-input"]
gray = data.train.images().flatten(1)
eigenvalues = torch.linalg.eigvalsh(gray.T.cov()).flip(0)
fine = torch.linspace(0.4, 6.5, 400)
predicted_count = (eigenvalues > fine[:, None]).sum(1).clamp(max=20)
counted = [staircase(beta).load().measures["active units"] for beta in STEPS]
figure, axis = plt.subplots(figsize=(6.2, 3.4))
axis.step(fine, predicted_count, color=plots.COLORS["PCA"], label="eigenvalues above β")
axis.plot(STEPS, counted, "o", color=plots.COLORS["VAE"], label="active units")
axis.set(xlabel="β", ylabel="of 20 latents")
axis.legend()
plots.style.finish(figure)

# %%
expected = [min(20, int((eigenvalues > beta).sum())) for beta in STEPS]
nats = [0.5 * (eigenvalues[:20] / beta).clamp(min=1).log().sum() for beta in STEPS]
sent = [staircase(beta).load().measures["KL"] for beta in STEPS]
table = {"latents, predicted": expected, "active units": counted}
table |= {"nats, predicted": [one.item() for one in nats], "KL, nats": sent}
pd.DataFrame(table, index=STEPS).T.round(2)

# %% [markdown]
# Even the divergence is predicted. The latent of an eigenvalue $\lambda$ has a posterior of variance
# $\beta \sigma_x^2 / \lambda$, and means that fill up the rest of the prior's variance of 1. By the closed form of
# [chapter 4](04_variational) that is $\tfrac12 \log (\lambda / \beta \sigma_x^2)$ nats.
#
# So a latent that is off need not be a failure of training. At its β, it does not pay.
#
# ## Rate and distortion
#
# The same runs, read in another way. The divergence is a *rate*: that many nats suffice, on average, to send a code
# drawn from $q$ to somebody who knows the prior. $R$ is the *distortion* that is left. Alemi et al.
# {cite}`alemi2018fixing` draw one against the other. Each β picks a point of the curve, the one where its slope is
# $-\beta$.

# %% mystnb={"figure": {"caption": "Distortion against rate, on test digits, for the values of β of the sweep. On the dotted line both add up to the smallest loss that the network with a hidden layer reached at β = 1.", "name": "fig-18-rate"}, "image": {"alt": "Two falling convex curves, the linear network's above the other's, and a straight dotted line that touches the lower one."}}
swept = {k: {b: weighed(k, b).load().measures for b in BETAS} for k in KINDS}
curves = {}
for kind, row in swept.items():
    curves[kind] = tuple([one[key] for one in row.values()] for key in ("KL", "R"))
best = swept["one hidden layer"][1]
whole = best["R"] + best["KL"]
curves["R + KL at β = 1"] = ([0, 40], [whole, whole - 40])
plots.lines(curves, "rate: KL, nats", "distortion: R, nats")

# %% [markdown]
# The two ends are the two failures of the lab: no rate, where every image is the average; and a rate that no prior would
# produce. The bound does not care where on a line of slope −1 a model lies. So two models of equal bound can have codes
# of very different use, and the bound alone does not say whether a code was used.

# %% [markdown]
# ## A network that cannot learn to use its code
#
# *Posterior collapse* is the name for a dead code where one did not expect it: {term}`collapsed <posterior collapse>`
# latents at β = 1. Two causes look alike and have different cures.
#
# The first: six hidden layers from PyTorch's default start, through which little of the image gets
# ([chapter 9](09_three_networks) follows it layer by layer). The divergence is there from the first step, and the
# quickest way to a better bound is to empty the code. Once it is empty, the decoder learns to ignore it, and nothing
# calls it back.
#
# Three remedies. *Warm-up* {cite}`bowman2016generating,sonderby2016ladder` lets β rise from 0 to 1 over the first half
# of the training, so that the code is filled before it has to pay. *Free bits* {cite}`kingma2016improved` charge nothing
# for the first half nat of each latent. And *He's start* keeps the signal through the layers. All of it on 20,000
# digits, for 40 epochs, and three of the ways for 80, with one seed.
#
# Free bits, in code: each latent's divergence, averaged over the batch, counts only as far as it exceeds $\lambda$ (what
# is below adds a constant, and so no gradient).


# %%
def with_free_bits(kl_terms, free):
    """Σ max(λ, D) over the latents, from divergences (B, latent) in nats."""
    return kl_terms.mean(0).clamp(min=free).sum()


model, batch = found["sum, sum"][0], Batch(x_test[:100], None)
terms = gaussian_kl_terms(*model.posterior(batch.x))
torch.manual_seed(0)
package = ELBO(free=0.5)({"vae": model}, batch)
inline = package["reconstruction"] + with_free_bits(terms, 0.5)
torch.testing.assert_close(package["loss"], inline)

# %% [markdown]
# And warm-up, over 20 epochs: the weight after 0, 5, 10, 20 and 30 of them.

# %%
[WarmUp(20)(torch.tensor(float(epoch))).item() for epoch in (0, 5, 10, 20, 30)]

# %% [markdown]
# We look at four numbers. Besides the bound, the divergence and the active units there is a plain question: does the
# decoder *read* the code? Give it another digit's code, and count how many nats worse it explains the digit.

# %% tags=["hide-input", "runs"]
def explained(vae, x, z):
    """Mean log p(x | z) in nats."""
    logits = vae.decoder(z)
    if hasattr(vae, "seen"):  # a decoder that also looks at earlier pixels
        logits = logits + vae.seen(x)
    return vae.likelihood.log_prob(logits, x).mean().item()


def told(bits, modules):
    """Bound, divergence, active units, and how much worse another digit's code is."""
    vae, x = modules["vae"], bits.images()
    with torch.no_grad():
        q = vae.posterior(x)
        z = q.sample()
        read = explained(vae, x, z) - explained(vae, x, z.roll(1, 0))
    found = {"ELBO": elbo(vae, bits).mean().item(), "KL": gaussian_kl(*q).item()}
    return found | {"active units": active_units(vae, bits), "read": read}

# %% tags=["hide-input", "runs"]
WIDTHS = profile(
    smoke=(784, *[20] * 6, 20), quick=(784, *[150] * 6, 20), full=(784, *[150] * 6, 20)
)
PASSES = profile(smoke=1, quick=6, full=40)
LONGER = profile(smoke=(), quick=(), full=("default start", "warm-up", "free bits"))


def arms(passes):
    """Name to start and objective."""
    rising, free = ELBO(WarmUp(passes / 2)), ELBO(free=0.5)
    return {
        "default start": (None, ELBO()),
        "warm-up": (None, rising),
        "free bits": (None, free),
        "He's start": (he_init, ELBO()),
        "He's start, warm-up": (he_init, rising),
    }


# %% tags=["hide-input", "runs"]
@cache
def deep(name, seed, times=1):
    """Six hidden layers, in one of the ways."""
    torch.manual_seed(seed)
    vae = DenseVAE(WIDTHS, nn.ReLU)
    start, objective = arms(times * PASSES)[name]
    nets = {"vae": start(vae) if start else vae}
    phase = Phase(objective, adam(2e-3), one_cycle())
    images = Binarized(part)
    fits = [Fit(nets, phase, images, epochs=times * PASSES, batch_size=200, seed=seed)]
    minutes = 1.4 * times
    worth = minutes * ((12, 8, 6)[seed % 3] if times == 1 else 4)
    about = dict(measure=partial(told, test), minutes=minutes, worth=worth)
    about["weights"] = False
    label = name.replace(", ", "-").replace("'s", "").replace(" ", "-")
    return Run(f"18-deep-{label}-x{times}-seed{seed}", nets, fits, **about)


# %% tags=["hide-input", "runs"]
@runs.declare
def deep_networks():
    for seed in seeds:
        for name in arms(1):
            yield deep(name, seed)
    for name in LONGER:
        yield deep(name, 0, times=2)


# %% mystnb={"figure": {"caption": "The divergence over epochs, six hidden layers: means over the seeds, bands from the least to the largest.", "name": "fig-18-deep"}, "image": {"alt": "Five curves of the KL divergence over 40 epochs."}} tags=["hide-input"]
def kl_curves(run, name):
    """Epochs and divergences, for each seed."""
    logs = [run(name, seed).load().history.query("term == 'kl'") for seed in seeds]
    return [(log.epoch.tolist(), log.value.tolist()) for log in logs]


plots.bands({name: kl_curves(deep, name) for name in arms(1)}, "epoch", "KL, nats")


# %% tags=["hide-input"]
def with_spread(values):
    values = list(values)
    return f"{fmean(values):.1f}" + (f" ± {stdev(values):.1f}" if values[1:] else "")


def measured(run, name):
    """Means and spreads over the seeds."""
    found = [run(name, seed).load().measures for seed in seeds]
    return {key: with_spread(one[key] for one in found) for key in found[0]}

# %%
rows = {name: measured(deep, name) for name in arms(1)}
for name in LONGER:
    longer = deep(name, 0, times=2).load().measures
    rows[f"{name}, 80 epochs"] = {key: f"{v:.1f}" for key, v in longer.items()}
pd.DataFrame(rows).T.rename_axis(index="nats; units of 20")

# %% [markdown]
# Read the table by rows.
#
# - The *default start* is not dead for good: it wakes late. Most of its training is spent before that.
# - *Warm-up* gives it that time at no price, and it helps.
# - *He's start* helps far more, because it mends the cause.
# - *Free bits* make the latents active by force. Compare the divergence with what is read: the nats are in the code,
#   because they are free, and the decoder makes little of them. The bound pays for it. Count nats that are *read*.
#
# ## A decoder that does not need its code
#
# The second cause is the opposite: a decoder that is too good. Let it see, for each pixel, the pixels before it in
# reading order, $p_\theta(x_i \mid z, x_{<i})$, by masked convolutions {cite}`oord2016pixel`. Then strokes continue by
# themselves, and each nat that is sent through $z$ costs a nat. Chen et al. {cite}`chen2017variational` describe it, and
# turn it to use: the code keeps only what the window cannot see. So the window matters. Ours covers nearly the whole of
# the digit, which is halved to 14 × 14 pixels for that.

# %% tags=["hide-input", "runs"]
def halved(images):
    """Digits of 14 × 14, each pixel the mean of four."""
    small = (255 * F.avg_pool2d(images.images(), 2)).round().to(torch.uint8)
    return ImageSet(small, images.y)


small_train = halved(data.train[: profile(smoke=200, quick=2000, full=10_000)])
small_test = binarize(halved(data.test[: profile(smoke=50, quick=2000, full=2000)]))


# %% tags=["runs"]
class Strong(DenseVAE):
    """The logits of a pixel also get a function of the pixels before it."""

    def __init__(self, width=16):
        super().__init__((196, 100, 20), nn.ReLU, (1, 14, 14))
        layers = [MaskedConv2d(1, width, 7, center=False), nn.ReLU()]
        for _ in range(2):
            layers += [MaskedConv2d(width, width, 5, center=True), nn.ReLU()]
        self.seen = nn.Sequential(*layers, MaskedConv2d(width, 1, 1, center=True))

    def forward(self, x, samples=None):
        out = super().forward(x, samples)
        return out._replace(logits=out.logits + self.seen(x))

# %%
pair = small_test[:1].images().repeat(2, 1, 1, 1)
pair[1, 0, 7, 7] = 1 - pair[1, 0, 7, 7]  # one pixel is changed
noticed = torch.ne(*Strong().seen(pair)).flatten().nonzero()
assert noticed.min() > 7 * 14 + 7  # only pixels after it may notice

# %% tags=["hide-input", "runs"]
STRONG_PASSES = profile(smoke=1, quick=5, full=40)


def plain_decoder():
    return DenseVAE((196, 100, 20), nn.ReLU, (1, 14, 14))


STRONG = {
    "plain decoder": (plain_decoder, ELBO(), 0.3),
    "strong decoder": (Strong, ELBO(), 1.6),
    "strong, warm-up": (Strong, ELBO(WarmUp(STRONG_PASSES / 2)), 1.6),
    "strong, free bits": (Strong, ELBO(free=0.25), 1.6),
}


@cache
def strong(name, seed):
    make, objective, minutes = STRONG[name]
    torch.manual_seed(seed)
    nets, phase = {"vae": make()}, Phase(objective, adam(2e-3), one_cycle())
    how = dict(epochs=STRONG_PASSES, batch_size=100, seed=seed)
    fits = [Fit(nets, phase, Binarized(small_train), **how)]
    worth = minutes * (13, 8, 5)[seed % 3]
    about = dict(measure=partial(told, small_test), weights=False, worth=worth)
    label = name.replace(", ", "-").replace(" ", "-")
    return Run(f"18-{label}-seed{seed}", nets, fits, minutes=minutes, **about)


# %% tags=["hide-input", "runs"]
@runs.declare
def strong_decoders():
    for seed in seeds:
        for name in STRONG:
            yield strong(name, seed)

# %% mystnb={"figure": {"caption": "The divergence over epochs with a decoder that sees earlier pixels, and with one that does not, on 10,000 digits of 14 × 14: means over the seeds, bands from the least to the largest.", "name": "fig-18-strong"}, "image": {"alt": "Four curves of the KL divergence over epochs, the plain decoder's far above the others."}} tags=["hide-input"]
plots.bands({name: kl_curves(strong, name) for name in STRONG}, "epoch", "KL, nats")

# %%
rows = {name: measured(strong, name) for name in STRONG}
pd.DataFrame(rows).T.rename_axis(index="nats; units of 20")

# %% [markdown]
# The strong decoder has by far the better bound, and a fraction of the divergence. Its code did not fail; it is not
# needed. Look at the curves: it is filled in the first epochs, when the convolutions know little, and emptied when they
# have learned. Warm-up fills it more and delays the emptying. Free bits keep nats in the code. And note that the count
# of active units sees nothing of all this: each mean still moves a little.
#
# If one wants a code here, one has to weaken the decoder (a smaller window, or hidden pixels), or to make the
# code cheaper than it is. If one wants a likelihood, nothing is wrong. He et al. {cite}`he2019lagging` add a third cause
# that lies between: an encoder that lags behind its decoder.
#
# ## What breaks it
#
# **The count of active units can be deceived.** A latent is called active if its mean moves with the image, by a
# variance of more than 0.01. That says nothing of whether anybody listens. Take the network of the lab, sum and sum, and
# append to its latents 20 more, which copy pixels into the code and which the decoder multiplies by zero. The decoder is
# the same function as before, the bound gets worse by what the copies cost, and the count goes up by 20.


# %% tags=["hide-input"]
class Padded(nn.Module):
    """A VAE with as many latents again, to which its decoder does not listen."""

    def __init__(self, vae, pixels):
        super().__init__()
        self.vae, self.pixels = vae, pixels

    def encode(self, x):
        more = 0.5 * x.flatten(1)[:, self.pixels]
        return torch.cat([self.vae.encode(x), more], 1)


# %%
listened = found["sum, sum"][0]
busy = (x_test.flatten(1).mean(0) - 0.5).abs().argsort()[:20]  # on half of the time
counts = [active_units(one, test) for one in (listened, Padded(listened, busy))]
print(f"active units: {counts[0]}; with the deaf ones: {counts[1]}")
assert counts[1] == counts[0] + 20

# %% [markdown]
# So report the nats of the divergence beside the count, and for what is read swap the codes, as above.
#
# ## Try it
#
# Two planes of two latents under one cursor, of one network at a small and at a large β.
#
# - At the small β the codes spread far beyond the prior, into separate arms. What lies between them?
# - At the large β they crowd at the origin. Which digits can still be told apart?

# %%
planes = {}
for beta in (0.1, 8.0):
    torch.manual_seed(0)
    planes[f"β = {beta:g}"] = plane = DenseVAE((784, 128, 32, 2), nn.SiLU)
    phase = Phase(ELBO(beta), adam(3e-3), one_cycle())
    passes = profile(smoke=1, quick=3, full=10)
    fit({"vae": plane}, phase, Binarized(part), epochs=passes, batch_size=200)
few = data.test[: profile(smoke=50, quick=300, full=300)]
explorer.plane(planes, few, thumbnails=100)

# %% [markdown]
# ## Predicted and measured
#
# No table was published for these networks. What stands here is the theory against the measurement, and the differences
# between ways of training.

# %% tags=["hide-input"]
full = profile.name == "full"
claims.add(
    "the four conventions are four values of β", model="VAE", unit="nats", seeds=[0],
    dataset="MNIST, 20,000 digits", higher_is_better=False, values=[max(gaps.values())],
    metric="largest difference of R or KL to the twin, over epochs", target=1.0,
    protocol="784-200-20, 6 epochs.",
)

# %% tags=["hide-input"]
for kind in (kind for kind in KINDS if first[kind]):
    edge = (last[kind] + first[kind]) / 2
    claims.add(
        "the weight at which the code dies", model=f"VAE, {kind}", unit="%",
        metric="middle of last awake and first asleep, relative to the eigenvalue",
        dataset="MNIST, bits", seeds=[0], values=[100 * abs(edge / beta_c - 1)],
        higher_is_better=False,
        target=None if not full else 7.0 if kind == "linear" else 15.0,
        protocol=f"15 epochs from a collapsed start, β in {BETAS}.",
    )
off = [abs(one - other) for one, other in zip(expected, counted, strict=True)]
claims.add(
    "active units are eigenvalues above β", model="VAE, linear", dataset="MNIST, gray",
    metric="largest difference of the two counts", unit="of 20", higher_is_better=False,
    values=[max(off)], seeds=[0], target=1.0 if full else None,
    protocol="Gaussian pixels of standard deviation 1, 15 epochs.",
)


# %% tags=["hide-input"]
def by_seed(run, name, key="ELBO"):
    return {seed: run(name, seed).load().measures[key] for seed in seeds}


shared = dict(dataset="MNIST test, binarized once", unit="nats", higher_is_better=True)
shared["protocol"] = "784-150×6-20, 20,000 digits, 40 epochs of Adam to 0.002."
for over, under in (
    ("warm-up", "default start"),
    ("He's start", "default start"),
    ("He's start", "warm-up"),
    ("He's start", "free bits"),
):
    claims.contrast(
        f"bound gained over: {under}", by_seed(deep, over), by_seed(deep, under),
        model=f"VAE, {over}", metric="difference of ELBOs", **shared,
    )
shared |= dict(dataset="MNIST test, 14 × 14", protocol="10,000 digits, 40 epochs.")
two = ("strong decoder", "plain decoder")
claims.contrast(
    "bound gained over: plain decoder", *(by_seed(strong, name) for name in two),
    model="VAE, strong decoder", metric="difference of ELBOs", **shared,
)
claims.contrast(
    "code emptied, against: plain decoder",
    *(by_seed(strong, name, "KL") for name in reversed(two)),
    model="VAE, strong decoder", metric="difference of divergences", **shared,
)
claims.save()
claims

# %% [markdown]
# ## Summary
#
# - A mean here and a sum there is a hidden β. Sum over dimensions, average over the batch, and print nats.
# - A squared error is a claim about the noise of a pixel. The noise that fits is the error that one ends up with.
# - The weight at which the code dies is the largest eigenvalue of the bits' correlation matrix, or of the covariance
#   over the claimed noise. Latents die one after another, as the eigenvalues say.
# - A code can be empty because the decoder needs none, or because the network cannot learn one. A better start mends
#   the second, warm-up gives it time, free bits hide it. For the first, ask whether a code is wanted.
# - A bound does not say whether the code is used, and the count of active units does not say whether it is read.
#
# Next, [chapter 5](05_beta_vae) raises β on purpose, and looks for what single latents then stand for.
#
# ## Exercises
#
# **1.** A training script takes `F.binary_cross_entropy(x_hat, x, reduction="sum")` over the whole batch of 128, and
# the divergence averaged over batch and 20 latents. What is its β?

# %% tags=["hide-cell"]
r, s = 128, 1 / 20  # the sum over the batch is 128 times the mean
assert abs(s / r - 1 / 2560) < 1e-12  # β ≈ 0.0004: nearly a plain autoencoder

# %% [markdown]
# **2.** Nine copies of one bit: at which β does a code of them die? And nine independent bits?

# %% tags=["hide-cell"]
torch.manual_seed(0)
bit = (torch.rand(20_000, 1, 1, 1) < 0.3).float()
assert abs(critical_beta(bit.expand(-1, -1, 3, 3)) - 9) < 1e-6
independent = (torch.rand(20_000, 1, 3, 3) < 0.3).float()
assert critical_beta(independent) < 1.1  # at β = 1 a bit of one's own just pays

# %% [markdown]
# **3.** The divergence, averaged over images, is $I(x; z) + \mathrm{KL}(q(z) \,\|\, p(z))$: what the code tells about
# the image, and what its distribution as a whole differs from the prior {cite}`hoffman2016elbo`. Estimate the first with
# the posteriors of $N$ test digits. Why can it not exceed $\log N$, and what does that say of such estimates?

# %% tags=["hide-cell"]
n = profile(smoke=100, quick=2000, full=2000)
with torch.no_grad():
    q = listened.posterior(x_test[:n])
    z = q.sample()
    squares = ((z[:, None] - q.mu).square() * (-q.logvar).exp()).sum(2)
    log_q = -0.5 * (q.logvar.sum(1) + squares)  # (n, n): code i under posterior j
information = (log_q.diagonal() - log_q.logsumexp(1)).mean().item() + math.log(n)
divergence = gaussian_kl(*q).item()
print(f"I {information:.2f}, log N {math.log(n):.2f}, divergence {divergence:.2f} nats")
assert information <= math.log(n) + 1e-4
# The diagonal is one of the terms of the sum. A code that names its digit among the N
# gives log N, and no more can be seen with N digits, however large the divergence is.

# %% [markdown]
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
