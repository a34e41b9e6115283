# ---
# jupyter:
#   chapter:
#     source: Makhzani et al. 2016
#     idea: A discriminator, not a formula, shapes the distribution of codes.
#     thumbnail: fig-06-style
#     result:
#       claim: 'semi-supervised, 100 labels'
#       model: 'AAE'
#       says: 'With few labels, an error of {ours} %; the paper has {paper} %'
#     family:
#       - model: Adversarial
#         year: '2016'
#         copying: by a discriminator on the code
#     summary:
#       - model: Adversarial (AAE)
#         label: AAE
#         idea: a discriminator compares codes with draws from a prior
#         objective: '$\lVert x - \hat x \rVert^2$, and a game: $-\log D(f(x))$ for the encoder'
#         latent: a vector, a class, or both, of any prior that can be drawn from
#         use: priors without a formula; few labels; clusters
#         weakness: three losses to balance; no likelihood
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
# # Adversarial autoencoders
#
# *Makhzani, Shlens, Jaitly, Goodfellow and Frey, 2016 {cite}`makhzani2016adversarial`.*
# [Open in Colab](https://colab.research.google.com/github/address--not-fixed/autoencoders/blob/main/notebooks/06_adversarial.ipynb)
#
# - A second network, the discriminator, is shown codes and draws from a prior and has to tell them apart. The encoder
#   learns to fool it. In the end the codes are distributed like the prior: a Gaussian, ten petals, a Swiss roll.
# - A loss that stands still at $\log 4$ is success here.
#   We read the divergence from it, and check the reading in two other ways.
#   Then we measure what this autoencoder has given up: the price that a variational autoencoder puts on each code's information.
# - The same game sorts digits by class, with all labels, with a hundred, and with none.

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
import math
from functools import cache, partial

import torch
import torch.nn.functional as F
from torch import nn

from aelib import priors
from aelib.data import Batch, ImageSet, Vectors, mnist
from aelib.likelihoods.gaussian import gaussian_log_prob
from aelib.metrics import codes, knn, per_image, reconstructions
from aelib.metrics.clusters import cluster_error, majority_labels, surest_labels
from aelib.metrics.matching import density_ratio, hole_fraction, jensen_shannon, mmd
from aelib.metrics.parzen import parzen_bandwidth, parzen_log_likelihoods
from aelib.models import adversarial as aae
from aelib.models.vae import ELBO, DenseVAE
from aelib.nets import evaluating, he_init, mlp
from aelib.priors import Categorical, IsotropicGaussian, draw
from aelib.records.profiles import current_profile
from aelib.records.runs import Run, Runs
from aelib.training import Fit, Measured, Phase, fit
from aelib.training.optimizers import adam, one_cycle, sgd

# %% tags=["hide-input", "runs"]
profile = current_profile()
runs = Runs("06_adversarial")
seeds = profile.seeds(smoke=1, quick=1, full=5)
three = seeds[:3]
data = mnist().subset(
    train=profile(smoke=1200, quick=20_000, full=None),
    test=profile(smoke=300, quick=None, full=None),
)
held_out = len(data.train) // 12
train, held = data.train[:-held_out], data.train[-held_out:]  # 55,000 and 5,000
x_test, x_held = data.test.images(), held.images()

# %% tags=["hide-input"]
from statistics import fmean

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.cluster import KMeans

from aelib import explorer, plots
from aelib.records.claims import Claims

claims = Claims("06_adversarial")

# %% [markdown]
# ## The idea
#
# An autoencoder puts its codes $z = f(x)$ wherever it likes. Between them are holes.
# Decode a point in a hole, and you get an image that the decoder was never asked to draw.
# A *generative* model needs codes that we can draw: the distribution $q(z)$ of all codes together, the
# {term}`aggregated posterior`, has to be a known one, the prior $p(z)$.
#
# The variational autoencoder of [chapter 4](04_variational) pulls *each single* code distribution $q_\phi(z \mid x)$ toward the prior, by a formula.
# The adversarial autoencoder (AAE) asks less: only all of them together shall look like $p(z)$.
# No formula is needed for that, only draws.
# A {term}`discriminator` $D$ {cite}`goodfellow2014generative` gets a code and answers with the probability that it came from the prior.
# It is trained on
#
# ```{math}
# :label: eq-06-discriminator
# L_D = -\mathbb{E}_{z \sim p(z)} [\log D(z)] - \mathbb{E}_x [\log (1 - D(f(x)))]
# ```
#
# and the encoder, which plays the *generator*, is trained to be taken for the prior:
#
# ```{math}
# :label: eq-06-generator
# L_G = -\mathbb{E}_x [\log D(f(x))]
# ```
#
# Each batch is used three times.
# The *reconstruction* phase updates encoder and decoder on $\lVert x - \hat x \rVert^2$,
# the *discriminator* phase updates $D$ alone on {eq}`eq-06-discriminator`, the *generator* phase updates the encoder alone on {eq}`eq-06-generator`.
#
# ### What it keeps of the bound, and what it drops
#
# A VAE maximizes the evidence lower bound. Averaged over the data, it can be cut in three {cite}`hoffman2016elbo`:
#
# ```{math}
# :label: eq-06-surgery
# \mathbb{E}_x[\mathcal L] = \underbrace{\mathbb{E}_x \mathbb{E}_{q_\phi(z \mid x)} [\log p_\theta(x \mid z)]}_{\text{reconstruction}}
# \; - \; I(x; z) \; - \; \mathrm{KL}(q(z) \,\Vert\, p(z)) .
# ```
#
# $I(x; z)$ is the mutual information of image and code: how many nats a code says about which image it came from.
# A VAE pays for those nats.
# The AAE keeps the reconstruction, replaces the last term by a divergence that needs only draws, and **drops** $I(x; z)$.
# So a code may say as much as it can, and the objective is a bound on nothing.
#
# Tolstikhin et al. {cite}`tolstikhin2018wasserstein` came to the same sum from another side.
# A reconstruction cost plus a penalty on the
# divergence of $q(z)$ from $p(z)$ is a relaxed optimal-transport distance between the data and the model's images.
# They call it the *Wasserstein autoencoder* (WAE).
# With the squared error and a discriminator it is the AAE; with a maximum mean discrepancy {cite}`gretton2012kernel` in the discriminator's place, there is no game.

# %% mystnb={"figure": {"caption": "Twenty test digits of MNIST: 28 × 28 pixels, 0 is black and 1 is white.", "name": "fig-06-data"}, "image": {"alt": "Two rows of ten handwritten digits, white on black."}}
plots.image_grid(x_test[:20])

# %% [markdown]
# Here are the three losses, complete.
# They belong to three different sets of weights; `detach` keeps the discriminator's loss from reaching the encoder.


# %%
def three_losses(x, z, encoder, decoder, discriminator):
    """For images x (B, 1, 28, 28) and draws z (B, latent) from the prior."""
    code = encoder(x)
    x_hat = torch.sigmoid(decoder(code))
    error = (x_hat - x).square().flatten(1).sum(1).mean()
    on_prior = torch.sigmoid(discriminator(z))  # D(z)
    on_codes = torch.sigmoid(discriminator(code.detach()))
    telling = -on_prior.log().mean() - (1 - on_codes).log().mean()
    fooling = -torch.sigmoid(discriminator(code)).log().mean()
    return error, telling, fooling


# %% [markdown]
# The package has them as three objectives. They work on log-odds, whose logarithms cannot overflow.
# A `Match` says which prior the code shall have, and which network judges. Both agree on the same draws.

# %%
match = aae.Match(IsotropicGaussian(2))
torch.manual_seed(0)
model, judge = aae.AdversarialAutoencoder(style=2), aae.Discriminator(2)
batch, nets = Batch(x_test[:50], None), model.nets(discriminator=judge)
torch.manual_seed(1)
error, telling, fooling = three_losses(batch.x, match.drawn(batch), **nets)
torch.manual_seed(1)
game = [loss((match,)) for loss in (aae.DiscriminatorLoss, aae.GeneratorLoss)]
game.append(aae.ReconstructionLoss())
found = [objective(nets, batch)["loss"] for objective in game]
torch.testing.assert_close(found, [telling, fooling, error])

# %% mystnb={"figure": {"caption": "The paper's autoencoder with a code of two numbers, drawn from the model: encoder in blue, decoder in orange, two hidden layers of 1,000 ReLU each. The discriminator is a third network, with a code at its input and one number at its output.", "name": "fig-06-architecture"}, "image": {"alt": "Bar chart of the layers' sizes: 784, 1000, 1000, 2, 1000, 1000, 784."}}
assert model.encode(x_test[:5]).shape == (5, 2)
assert judge(model.encode(x_test[:5])).shape == (5,)
plots.architecture(model)

# %% [markdown]
# ## Training: who wins is decided by the rates
#
# The three phases go through the same `fit` as every other chapter's one. Each has an optimizer of its own.
# Adam {cite}`kingma2015adam` divides a gradient by its size.
# So how much a phase counts is set by its *learning rate*, not by a weight in a sum.
# For the two players we shorten Adam's memory of past gradients (its first parameter `betas`, from 0.9 to 0.5): with a long memory they circle around each other.


# %% tags=["runs"]
def player(rate):
    """Adam for one of the two players of the game."""
    return partial(torch.optim.Adam, lr=rate, betas=(0.5, 0.999), fused=True)


def cooling(optimizer, steps, steps_per_epoch):
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)


def phases(matches, rate, players, first=None):
    """The three phases: a loss, how it is followed, and whose weights it moves."""
    judges = tuple(match.net for match in matches)
    first = first or aae.ReconstructionLoss()
    three = [
        (first, adam(rate), ("encoder", "decoder"), "reconstruction"),
        (aae.DiscriminatorLoss(matches), player(players), judges, "discriminator"),
        (aae.GeneratorLoss(matches), player(players), ("encoder",), "generator"),
    ]
    return [Phase(loss, how, cooling, *whose) for loss, how, *whose in three]


# %% [markdown]
# How fast should the players learn? We ask it where the answer can be seen.
# The prior is a flower of ten petals, and petal $k$ is meant for digit $k$:
# the discriminator is told the label beside the code, as a vector with a single one (the paper's section 2.3).
# A fifth of the training digits have a label; the others are marked *unknown*, in an eleventh place, and may lie on any petal.
#
# To score a network, give every code to the petal that it lies nearest to, and count how often its digit is the commonest there: the *purity*.
# The hidden layers have 200 units, the discriminator's 128; the reconstruction learns at $5 \cdot 10^{-4}$, batches have 256 images.
# Long trainings are recorded runs, declared in the folded cells.
# What the page says of a network that it loads, it measures anew.

# %% tags=["hide-input", "runs"]
SMALL = profile(smoke=(32, 32), quick=(200, 200), full=(200, 200))
JUDGE = profile(smoke=(32, 32), quick=(128, 128), full=(128, 128))
TRIED, SHAPED, FLAT = profile(smoke=(1, 1, 1), quick=(3, 5, 5), full=(10, 25, 15))
RATE = 5e-4  # of the reconstruction
PLAYERS = profile(smoke=(2e-3,), quick=(2e-3,), full=(5e-4, 1e-3, 2e-3, 4e-3, 8e-3))
MINUTES = 0.08  # an epoch of these networks on one core

known = torch.arange(len(train)) < len(train) // 5
partly = ImageSet(train.x, torch.where(known, train.y, -1))
SHAPES = {  # the prior, and whether the discriminator is told labels
    "flower-alone": (priors.GaussianMixture(), False),
    "flower-labels": (priors.GaussianMixture(), True),
    "roll-labels": (priors.SwissRoll(), True),
}

# %% tags=["hide-input", "runs"]
def codes_of(encoder, images):
    """The codes of all images, without the noise of training."""
    with evaluating(encoder):
        return torch.cat([encoder(x) for x in images.images().split(5000)])


def purities(name, modules):
    """Percent of codes whose digit is the commonest one in their part of the prior."""
    prior, part = SHAPES[name][0], torch.arange(10).repeat(500)
    spots = prior.sample(part)  # (5000, 2)

    def parts_of(images):
        nearest = torch.cdist(codes_of(modules["encoder"], images), spots).argmin(1)
        return F.one_hot(part[nearest], 10).float()

    seen = parts_of(held)
    names = majority_labels(seen, held.y)
    both = (("held-out", held, seen), ("test", data.test, parts_of(data.test)))
    return {key: 100 - cluster_error(p, images.y, names) for key, images, p in both}


# %% tags=["hide-input", "runs"]
@cache
def shaped(name, seed, players, epochs=SHAPED, **how):
    """A network whose codes are to take the shape of a prior."""
    prior, labels = SHAPES[name]
    torch.manual_seed(seed)
    model = he_init(aae.AdversarialAutoencoder(2, hidden=SMALL))
    nets = model.nets(discriminator=aae.Discriminator(2 + 11 * labels, JUDGE))
    steps = phases((aae.Match(prior, labels=labels),), RATE, players)
    step = Fit(nets, steps, partly, epochs=epochs, batch_size=256, seed=seed)
    how |= dict(measure=partial(purities, name), minutes=epochs * MINUTES)
    name = f"06-{name}-{players:g}-seed{seed}"
    return Run(name, {"encoder": model.encoder}, [step], **how)


def tried(players):
    """The petals at one rate of the players; no reported run has this seed."""
    return shaped("flower-labels", 100, players, TRIED, weights=False, worth=9)


@runs.declare
def rates_tried():
    yield from (tried(players) for players in PLAYERS)


# %% tags=["hide-input", "runs"]
def fastest():
    """The players' rate with the purest petals on held-out digits."""
    return max(PLAYERS, key=lambda rate: tried(rate).load().measures["held-out"])


def petals(name, seed):
    return shaped(name, seed, fastest(), weights=seed == 0, worth=9 / (1 + seed))


@runs.declare
def three_shapes():
    yield from (petals(name, seed) for seed in three for name in SHAPES)

# %% tags=["hide-input"]
def last(history, term, phase):
    """The last value of a term in a history."""
    chosen = history[(history.term == term) & (history.phase == phase)]
    return chosen.value.iloc[-1]


def over(runs_of, key):
    """One measure of several runs."""
    return [run.measures[key] for run in runs_of]


def where(best, grid):
    """Whether a choice lies inside of its grid."""
    ends = len(grid) > 1 and best in (grid[0], grid[-1])
    return "at the end of its grid" if ends else "inside its grid"


def table(rows):
    """Means over seeds: label to key to values."""
    means = {name: {k: fmean(v) for k, v in row.items()} for name, row in rows.items()}
    return pd.DataFrame(means).T

# %%
found = {rate: tried(rate).load() for rate in PLAYERS}
tries = {
    rate: {
        "purity on held-out digits, %": run.measures["held-out"],
        "squared error per image": last(run.history, "loss", "reconstruction"),
    }
    for rate, run in found.items()
}
print(f"chosen: {fastest():g}, {where(fastest(), PLAYERS)}")
pd.DataFrame(tries).T.rename_axis("players' rate").round(1)

# %% [markdown]
# The first row has the players' rate of this page's first edition, whose reconstruction even learned twice as fast.
# It concluded that "reconstruction still wins". It won because it had been given the larger say.
# The other column is the price: a network that has to sort its codes by petal cannot put them where they are easiest to decode.
#
# With the chosen rate and a longer training, three shapes:

# %%
shapes = {name: [petals(name, seed).load() for seed in three] for name in SHAPES}
rows = {name: {"purity, %": over(several, "test")} for name, several in shapes.items()}
best = shapes["flower-labels"][0]
again = purities("flower-labels", best.modules)["test"]
assert abs(again - best.measures["test"]) < 1  # anew, with other draws
table(rows).round(1)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Codes of 2,000 test digits over draws from three priors (gray). Left: ten petals, no label told; a petal is mostly filled, and by several digits. Middle: the same petals, with labels for a fifth of the training digits. Right: a Swiss roll with labels, whose pieces are meant for the digits from 0 at the center outwards.", "name": "fig-06-priors"}, "image": {"alt": "Three scatter plots of colored points: a flower in mixed colors, a flower with one color a petal, a spiral whose color changes along it."}}
few = data.test[:2000]
figure, axes = plt.subplots(1, 3, figsize=(13, 4))
titles = "flower, no labels", "flower, labels", "Swiss roll, labels"
for axis, name, title in zip(axes, SHAPES, titles, strict=True):
    spots = draw(SHAPES[name][0], 2000)
    axis.scatter(*spots.T, s=3, color="lightgray")
    z = codes_of(shapes[name][0].modules["encoder"], few)
    plots.latent_scatter(z, few.y, title=title, axis=axis)
    if axis is not axes[-1]:
        axis.get_legend().remove()
figure

# %% [markdown]
# No formula ever described these shapes to the encoder; it saw draws.
# That is the paper's first advantage over a VAE, whose divergence needs the prior's density.
# And the label of one digit in five is enough to sort nearly all of them, because an unlabeled digit is decoded best among its likes.
#
# ## What the discriminator's loss means
#
# Now the plain prior $N(0, I)$, at the rates that the petals chose.

# %% tags=["hide-input", "runs"]
class Drawn(nn.Module):
    """A VAE whose `encode` gives a draw of each image's posterior."""

    def __init__(self, vae):
        super().__init__()
        self.vae, self.decode = vae, vae.decode

    def encode(self, x):
        return self.vae.posterior(x).sample()


def drawing(model):
    return Drawn(model) if isinstance(model, DenseVAE) else model


def fresh_judge(z):
    """(log 4 − L)/2 of a new discriminator, trained on codes that stand still."""
    torch.manual_seed(1)
    alone = aae.DiscriminatorLoss(plane), adam(3e-3), one_cycle(), ("discriminator",)
    nets = {"encoder": nn.Identity(), "discriminator": aae.Discriminator(2, JUDGE)}
    how = dict(epochs=profile(smoke=1, quick=5, full=15), batch_size=1000)
    history = fit(nets, Phase(*alone), Vectors(z), **how)
    return (math.log(4) - history[history.term == "loss"].value.iloc[-1]) / 2


# %% tags=["hide-input", "runs"]
plane = (aae.Match(IsotropicGaussian(2)),)


def filled(modules):
    """How well the training codes fill the prior, and what a code says."""
    model = drawing(*modules.values())
    z = codes(model, train)
    ratio, spots = density_ratio(z), draw(IsotropicGaussian(2), 4000)
    found = {
        "holes, %": 100 * hole_fraction(ratio),
        "JS by cells": jensen_shannon(ratio),
        "JS by a fresh judge": fresh_judge(z),
        "1000 MMD²": 1000 * mmd(z[:4000], spots).item(),
        "squared error": per_image(reconstructions(model, data.test), x_test),
    }
    several = torch.stack([codes(model, data.test[:500]) for _ in range(20)])
    found["spread of one code"] = several.std(0).mean().item()
    posterior = gaussians(*modules.values())
    return found | (surgery(*posterior) if posterior else {})


# %% [markdown]
# A loss that does not fall looks like a training that failed. Here it is the opposite. Ask for the best possible $D$.
# At each $z$ it chooses the number $D$ that makes $-p \log D - q \log (1 - D)$ small. The derivative is zero at
#
# ```{math}
# :label: eq-06-best
# D^*(z) = \frac{p(z)}{p(z) + q(z)} .
# ```
#
# Put that into {eq}`eq-06-discriminator`:
#
# ```{math}
# :label: eq-06-divergence
# L_{D^*} = -\int p \log \frac{p}{p + q} - \int q \log \frac{q}{p + q} = \log 4 - 2 \, \mathrm{JS}(p, q) .
# ```
#
# JS is the Jensen–Shannon divergence: 0 if $p = q$, $\log 2$ if they do not overlap.
# So a *good* discriminator's loss is a thermometer.
# Near $\log 4 = 1.386$ codes and prior are alike, near 0 they lie apart.
# And where $D = 1/2$, the generator's loss is $\log 2 = 0.693$.
#
# The caution: a *bad* discriminator also sits at $\log 4$.
# The loss bounds the divergence from one side only, $\mathrm{JS} \ge (\log 4 - L_D)/2$.
# The judge of the game is never quite good: it is trained for one step, and then the encoder moves.
# So we read two more thermometers on the finished codes: a *fresh* discriminator, trained while the encoder stands still;
# and a count of codes in 400 cells of equal prior mass, which estimates $q/p$ in each.
# Both can only be too small, but for the count's own noise, which is about 0.001 with 55,000 codes.
#
# ### Three kinds of codes
#
# The paper describes three encoders. *Deterministic*: $z = f(x)$. A *Gaussian posterior*:
# $z = \mu + \sigma \varepsilon$, as in a VAE.
# And a *universal approximator*:
# $z = f(x, \eta)$, with noise $\eta$ among the inputs of the network, whose posterior may have any shape.
# For an encoder with a Gaussian posterior the two divergences of {eq}`eq-06-surgery` can be estimated:
# draw a code $z$ from each of $N$ images, and compare its own Gaussian with the mixture of all $N$, which stands for $q(z)$.
# It does so only while the Gaussians overlap. Of $N$ separate spikes, $I(x; z)$ comes out as $\log N$, and the rest, which says that spikes are no smooth prior, as $\mathrm{KL}(q(z) \,\Vert\, p)$.
# Their sum is exact in any case: the mean of $\mathrm{KL}(q_\phi(z \mid x) \,\Vert\, p)$, what a VAE would have to pay.


# %% tags=["runs"]
def surgery(mu, logvar):
    """Two terms of (eq-06-surgery), in nats; mu and logvar are (N, latent)."""
    n, z = len(mu), mu + (0.5 * logvar).exp() * torch.randn_like(mu)
    own = gaussian_log_prob(z, mu, logvar)  # log q(z | x), (N,)
    prior = gaussian_log_prob(z, torch.zeros_like(z), torch.zeros_like(z))
    pairs = [some[:, None].expand(-1, n, -1) for some in z.split(250)]
    log_q = [gaussian_log_prob(pair, mu, logvar).logsumexp(1) for pair in pairs]
    mixture = torch.cat(log_q) - math.log(n)  # log q(z)
    pays, keeps = own - mixture, mixture - prior
    return {"I(x; z)": pays.mean().item(), "KL(q(z) ‖ p)": keeps.mean().item()}


# %% tags=["hide-input", "runs"]
@torch.no_grad()
def gaussians(model):
    """Mean and log variance of each test image's code, where it is a Gaussian."""
    if isinstance(model, DenseVAE):
        return model.posterior(x_test)
    if isinstance(model.encoder[-1], aae.GaussianDraw):
        return model.encoder[:-1](x_test).chunk(2, 1)
    return None


# %% tags=["hide-input", "runs"]
@cache
def flat(kind, seed):
    """A network whose codes are to fill the plane like N(0, I)."""
    torch.manual_seed(seed)
    how = dict(epochs=FLAT, batch_size=256, seed=seed)
    if kind == "VAE":
        nets = {"vae": he_init(DenseVAE((784, *SMALL, 2), nn.ReLU))}
        kept, steps = nets, Phase(ELBO(), adam(2e-3), one_cycle())
    else:
        model = aae.AdversarialAutoencoder(2, hidden=SMALL, posterior=kind)
        nets = he_init(model).nets(discriminator=aae.Discriminator(2, JUDGE))
        kept, steps = {"ae": model}, phases(plane, RATE, fastest())
    weights = seed == 0 and kind in ("VAE", "deterministic")
    told = dict(weights=weights, minutes=FLAT * MINUTES + 0.3, worth=9 / (1 + seed))
    step = Fit(nets, steps, train, **how)
    return Run(f"06-plane-{kind}-seed{seed}", kept, [step], measure=filled, **told)


@runs.declare
def planes():
    yield from (flat(kind, seed) for seed in three for kind in ("VAE", *aae.POSTERIORS))

# %%
KINDS = {"VAE": "VAE"} | {kind: f"AAE, {kind}" for kind in aae.POSTERIORS}
flats = {label: [flat(kind, s).load() for s in three] for kind, label in KINDS.items()}
first = flats["AAE, deterministic"][0]
plain, history = first.modules["ae"], first.history
vae = flats["VAE"][0].modules["vae"]

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The losses of the three phases of the deterministic AAE. Left: the squared error falls, as in any autoencoder. Right: the discriminator's loss lies near log 4 and the generator's near log 2, the dashed lines.", "name": "fig-06-losses"}, "image": {"alt": "Two panels over epochs: a falling curve; two nearly flat curves on dashed horizontal lines at 1.39 and 0.69."}}
losses = history[history.term == "loss"]
losses = losses.pivot(index="epoch", columns="phase", values="value")
figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.4))
look = dict(marker=".", xlabel="epoch")
first, players = losses[["reconstruction"]], losses[["discriminator", "generator"]]
first.plot(ax=left, color="#0072B2", ylabel="squared error per image", **look)
two = ["#E69F00", "#009E73"]
players.plot(ax=right, color=two, ylabel="loss, nats", ylim=(0, 2), **look)
for value, name in ((math.log(4), "log 4"), (math.log(2), "log 2")):
    right.axhline(value, color="gray", linestyle="--")
    right.annotate(name, (1, value), xytext=(0, 4), textcoords="offset points")
plt.close(figure)
figure

# %%
KEYS = ["holes, %", "JS by cells", "JS by a fresh judge", "1000 MMD²", "squared error"]
rows = {}
for label, several in flats.items():
    rows[label] = {key: over(several, key) for key in KEYS}
    if label != "VAE":
        ends = [last(one.history, "loss", "discriminator") for one in several]
        rows[label]["JS by the game"] = [(math.log(4) - end) / 2 for end in ends]
table(rows).round(4)

# %% [markdown]
# Read along a row of an AAE: the judge of the game sees the least, a fresh one more, the cells most.
# All three are bounds from below, so the largest reading is the best.
# The judge that trains the encoder is also the one that the encoder has learned to fool: do not stop a training on its word.
#
# Where are the differences? One map a model, over the prior's quantiles, where the prior is uniform:

# %% mystnb={"figure": {"caption": "Density of the training codes over the density of the prior, in 400 cells of equal prior mass. White is right; blue cells are holes, red ones crowded.", "name": "fig-06-density"}, "image": {"alt": "Two square heat maps, one for the AAE and one for the VAE, with blue seams of low density between red and white areas."}}
torch.manual_seed(0)
shown = {"AAE, deterministic": plain, "VAE": drawing(vae)}
z_of = {name: codes(one, train) for name, one in shown.items()}
plots.density_maps({name: density_ratio(z) for name, z in z_of.items()})

# %% [markdown]
# Then the other question: what does a code say?
# With $N$ images at hand the estimate of $I(x; z)$ cannot exceed $\log N$: then every image is told from every other.
# A deterministic code is always there, and what a VAE would have to pay for it is infinite.

# %%
ceiling = math.log(len(x_test))
KEYS = ["spread of one code", "I(x; z)", "KL(q(z) ‖ p)"]
rows = {}
for label, several in flats.items():
    keys = [key for key in KEYS if key in several[0].measures]
    rows[label] = {key: over(several, key) for key in keys}
    if "I(x; z)" in keys:
        pairs = zip(over(several, KEYS[1]), over(several, KEYS[2]), strict=True)
        rows[label]["a VAE pays"] = [i + kl for i, kl in pairs]
print(f"the ceiling, log {len(x_test):,}: {ceiling:.2f} nats")
table(rows).reindex(columns=[*KEYS, "a VAE pays"]).round(3)

# %% [markdown]
# Here is the dropped term.
# The VAE pays a nat of its bound for each nat that its code says, and so it blurs its codes until saying more does not pay.
# The AAE with a Gaussian posterior has the same freedom to blur, and no reason to use it: the reconstruction wants $\sigma$ small, and the discriminator sees only $q(z)$, which needs no $\sigma$ once there are 55,000 codes.
# So its spread shrinks, and what looks like three kinds of encoders comes out nearly as one.
#
# ## How good are the samples? Parzen windows
#
# An AAE has no likelihood that one could compute.
# The paper follows the habit of its time: draw 10,000 samples $s_j$, put a Gaussian of width $\sigma$ on each,
# and ask how dense the test images are under that mixture,
#
# ```{math}
# :label: eq-06-parzen
# \log \hat p(x) = \log \frac{1}{n} \sum_{j=1}^{n} \mathcal N(x; s_j, \sigma^2 I) ,
# ```
#
# averaged over the test images, in nats. $\sigma$ is chosen on validation images.
# The code has eight numbers, as in the paper; the hidden layers have 400 units, the paper's 1,000.
# The reconstruction learns at $2 \cdot 10^{-3}$; the players' rate is searched again, by the estimate on held-out digits, because the balance depends on the code's size.


# %% tags=["runs"]
WIDTHS = (0.10, 0.12, 0.14, 0.16, 0.17, 0.18, 0.19, 0.20, 0.22, 0.25, 0.3, 0.5, 1.0)
COUNT = profile(smoke=300, quick=10_000, full=10_000)


def parzen(samples, images=x_test):
    """Mean log density of the images, and the width, chosen on held-out ones."""
    width = parzen_bandwidth(samples, x_held[:1000], WIDTHS)
    return parzen_log_likelihoods(samples, images, [width]).mean().item(), width


@torch.no_grad()
def samples_of(decoder, n=COUNT):
    """Decoded draws from the prior of eight numbers."""
    torch.manual_seed(0)
    parts = draw(IsotropicGaussian(8), n).split(5000)
    return torch.cat([decoder(z).sigmoid() for z in parts])

# %% tags=["hide-input", "runs"]
WIDE = profile(smoke=(32, 32), quick=(400, 400), full=(400, 400))
WIDE_JUDGE = profile(smoke=(32, 32), quick=(200, 200), full=(200, 200))
SHORT, LONG = profile(smoke=(1, 1), quick=(3, 4), full=(8, 20))
EIGHT = profile(smoke=(5e-4,), quick=(5e-4,), full=(1.25e-4, 2.5e-4, 5e-4, 1e-3))


def both_scores(modules):
    samples = samples_of(modules["decoder"])
    images = {"held-out": x_held[:1000], "test": x_test}
    return {key: parzen(samples, x)[0] for key, x in images.items()}


@cache
def generator(seed, players, epochs=LONG, **how):
    """An AAE with a code of eight numbers; its decoder is the generative model."""
    torch.manual_seed(seed)
    model = he_init(aae.AdversarialAutoencoder(8, hidden=WIDE))
    nets = model.nets(discriminator=aae.Discriminator(8, WIDE_JUDGE))
    steps = phases((aae.Match(IsotropicGaussian(8)),), 2e-3, players)
    step = Fit(nets, steps, train, epochs=epochs, batch_size=256, seed=seed)
    how |= dict(measure=both_scores, minutes=epochs * 0.14 + 0.5)
    kept = {"decoder": model.decoder}
    return Run(f"06-eight-{players:g}-seed{seed}", kept, [step], **how)


# %% tags=["hide-input", "runs"]
def eight_tried(players):
    return generator(100, players, SHORT, weights=False, worth=6)


def eight(seed):
    """The final network, at the rate that held-out digits choose."""
    scores = {rate: eight_tried(rate).load().measures["held-out"] for rate in EIGHT}
    best = max(scores, key=scores.get)
    return generator(seed, best, weights=seed == 0, worth=9 / (1 + seed))


@runs.declare
def eights_tried():
    yield from (eight_tried(players) for players in EIGHT)


@runs.declare
def eights():
    yield from (eight(seed) for seed in three)

# %%
scores = {rate: eight_tried(rate).load().measures["held-out"] for rate in EIGHT}
chosen = max(scores, key=scores.get)
print(f"players' rate: {chosen:g}, {where(chosen, EIGHT)}")
generators = [eight(seed).load() for seed in three]
samples = samples_of(generators[0].modules["decoder"])
ours, width = parzen(samples)
assert abs(ours - generators[0].measures["test"]) < 1  # but for half precision
print("nats:", [round(score, 1) for score in over(generators, "test")], "width:", width)

# %% mystnb={"figure": {"caption": "First two rows: twenty samples of the 8-number AAE, decoded draws from its prior. Third row: the training image nearest to each of the first ten. The samples are not copies.", "name": "fig-06-samples"}, "image": {"alt": "Three rows of ten digits: generated ones, and their nearest training images, which are sharper."}}
distances = torch.cdist(samples[:10].flatten(1), train.images().flatten(1))
plots.image_grid(torch.cat([samples[:20], train[distances.argmin(1)].images()]))

# %% [markdown]
# Now the published table beside ours, and some "models" that nobody would call good: the *training images themselves*, which are draws from the true distribution, so that no model can do better;
# and the centers of 1,000 clusters of training images by $k$-means, blurred averages that generate nothing new.
# The published values are those of the AAE paper's table 1, as Yeung et al.
# {cite}`yeung2017epitomic` repeat it; GMMN + AE matches moments in an autoencoder's code {cite}`li2015generative`.
# The last one is their own VAE with the AAE's widths.

# %% tags=["hide-input"]
some = train.images()[: profile(smoke=600, quick=10_000, full=10_000)]
lumps = profile(smoke=30, quick=1000, full=1000)
found = KMeans(lumps, init="random", n_init=1, max_iter=10, random_state=0)
found.fit(some.flatten(1).numpy())
centers = torch.from_numpy(found.cluster_centers_).float().view(-1, 1, 28, 28)

# %%
pools = {
    "AAE, samples": samples,
    "training images": train.images()[:COUNT],
    "training images, as many as centers": train.images()[:lumps],
    "k-means centers": centers,
}
rows = {}
for name, pool in pools.items():
    score, width = parzen(pool)
    rows[name] = {"samples": len(pool), "width": width, "nats": score}
TABLE = {"AAE": 340, "GMMN + AE": 282, "GAN": 225, "GSN": 214, "DBN": 138}
TABLE["VAE of the AAE's widths"] = 290
published = {f"{name}, published": {"nats": nats} for name, nats in TABLE.items()}
pd.DataFrame(rows | published).T.round(2)

# %% [markdown]
# The training images are as good as samples can be. Yet our blurred samples score above them.
# And a thousand *averages* of training images, which nobody would call samples, score above ten times as many true digits.
# The reason is in {eq}`eq-06-parzen`.
# In 784 dimensions even the nearest of 10,000 true digits is far from a test digit: its strokes are elsewhere, and each pixel of every misplaced stroke costs.
# An average has no such strokes to be punished for. The estimate rewards blur.
#
# And it moves with its own effort:

# %% mystnb={"figure": {"caption": "Parzen log-likelihood of 500 test images against the number of samples, on a logarithmic axis. Neither line levels off.", "name": "fig-06-counts"}, "image": {"alt": "Two steadily rising lines over a logarithmic axis; the AAE's is above the training images'."}}
counts = (100, 300, 1000, 3000, 10_000, 30_000)
counts = profile(smoke=counts[:2], quick=counts[:5], full=counts)
decoder = generators[0].modules["decoder"]
pools = {
    "AAE, samples": samples_of(decoder, counts[-1]),
    "training images": train.images()[: counts[-1]],
}
growth = {
    name: (counts, [parzen(pool[:n], x_test[:500])[0] for n in counts])
    for name, pool in pools.items()
}
axes = "samples n", "Parzen log-likelihood, nats"
plots.lines(growth, *axes, log_x=True)

# %% [markdown]
# An estimate that rises so much with the number of samples has not converged to anything.
# Theis, van den Oord and Bethge {cite}`theis2016note` give the argument in full.
# We report the number because the paper does, and trust it for nothing.
#
# ## Labels in the decoder: the supervised AAE
#
# If all labels are known, tell them to the *decoder* (the paper's section 4):
# $\hat x = g(y, z)$, the label as a vector with a single one.
# Then the code need not say which digit it is, and the discriminator, which wants one Gaussian of all codes together, pushes it out.
# What is left is *style*: slant, thickness, the form of a loop.
# The whole change is one line of the reconstruction phase.


# %%
def told(encoder, decoder, x, y):
    """The supervised AAE's reconstruction loss."""
    code = torch.cat([F.one_hot(y, 10).float(), encoder(x)], 1)
    return (decoder(code).sigmoid() - x).square().sum() / len(x)


torch.manual_seed(0)
encoder = aae.AdversarialAutoencoder(15).encoder
decoder = aae.AdversarialAutoencoder(25).decoder  # ten numbers more: the label
nets, batch = {"encoder": encoder, "decoder": decoder}, data.test.batch(range(20))
expected = aae.SupervisedReconstructionLoss()(nets, batch)["loss"]
torch.testing.assert_close(told(encoder, decoder, *batch[:2]), expected)

# %% tags=["hide-input", "runs"]
MIDDLE = profile(smoke=(32, 32), quick=(256, 256), full=(256, 256))
TWO_JUDGES = profile(smoke=(32, 32), quick=(64, 64), full=(64, 64))
TOLD = profile(smoke=1, quick=3, full=15)
reference = train[: profile(smoke=600, quick=10_000, full=10_000)]
pixels = reference.images().flatten(1)


def as_asked(decoder, style, each=100):
    """Percent of decoded codes that five neighbors read as the digit asked for."""
    asked = torch.arange(10).repeat(each)
    z = draw(IsotropicGaussian(style), each).repeat_interleave(10, 0)
    with torch.no_grad():
        x = decoder(torch.cat([F.one_hot(asked, 10).float(), z], 1)).sigmoid()
    return knn(pixels, reference.y, x.flatten(1), asked).percent


def separated(modules):
    """Is the digit drawn that was asked for? And does the style tell the digit?"""
    encoder, decoder = modules["encoder"], modules["decoder"]
    z, z_test = (codes_of(encoder, images) for images in (reference, data.test))
    read = knn(z, reference.y, z_test, data.test.y).percent
    return {"as asked": as_asked(decoder, z.shape[1]), "read from style": read}


# %% tags=["hide-input", "runs"]
@cache
def supervised(seed):
    """The paper's section 4: all labels, and a style of fifteen numbers."""
    torch.manual_seed(seed)
    encoder = he_init(aae.AdversarialAutoencoder(15, hidden=MIDDLE)).encoder
    decoder = he_init(aae.AdversarialAutoencoder(25, hidden=MIDDLE)).decoder
    kept = {"encoder": encoder, "decoder": decoder}
    nets = kept | {"discriminator": aae.Discriminator(15, WIDE_JUDGE)}
    first = aae.SupervisedReconstructionLoss()
    steps = phases((aae.Match(IsotropicGaussian(15)),), 1e-3, 1e-3, first)
    step = Fit(nets, steps, train, epochs=TOLD, batch_size=100, seed=seed)
    how = dict(weights=seed == 0, minutes=TOLD * 0.13, worth=6 / (1 + seed))
    return Run(f"06-told-seed{seed}", kept, [step], measure=separated, **how)


@runs.declare
def all_labels():
    yield from (supervised(seed) for seed in three)

# %% mystnb={"figure": {"caption": "The supervised AAE: each row is one draw of the style, each column a digit that the decoder was told.", "name": "fig-06-told"}, "image": {"alt": "Grid of digits, eight rows of ten: the columns run from 0 to 9, slant and thickness are alike along a row."}}
told_runs = [supervised(seed).load() for seed in three]
torch.manual_seed(2)
styles = draw(IsotropicGaussian(15), 8).repeat_interleave(10, 0)
grid = torch.cat([torch.eye(10).repeat(8, 1), styles], 1)  # each style with each digit
with torch.no_grad():
    decoded = told_runs[0].modules["decoder"](grid).sigmoid()
plots.sheet(decoded, 10, "digit that the decoder was told", "eight draws of the style")

# %% [markdown]
# Does the column decide? A judge says, five nearest neighbors among 10,000 training images.
# The judge itself is judged first: on real test digits, and on the same digits with labels shuffled.

# %%
x, y = data.test.images()[:1000].flatten(1), data.test.y[:1000]
shuffled = y[torch.randperm(len(y), generator=torch.Generator().manual_seed(0))]
rows = {
    "real test digits": knn(pixels, reference.y, x, y).percent,
    "real, labels shuffled": knn(pixels, reference.y, x, shuffled).percent,
    "decoded, the digit told": fmean(over(told_runs, "as asked")),
    "neighbors in style": fmean(over(told_runs, "read from style")),
}
pd.Series(rows, name="read as the label says, %").round(1).to_frame()

# %% [markdown]
# The last row asks the opposite: does the style still give the digit away?
# The game compares the distribution of *all* styles with one Gaussian.
# It does not ask whether the style depends on the digit. Whatever the reconstruction can use stays.
#
# ## A hundred labels
#
# With few labels the encoder has to find the digit itself.
# Its code gets two parts: ten numbers through a softmax, and a style. Two discriminators judge them.
# One compares the ten numbers with vectors that have a single one, each place equally often: so the encoder has to *decide*, and to use all ten.
# The other compares the style with a Gaussian.
# A fourth phase shows the encoder the labeled images.
# With a hundred of them it has only to be told which of its classes is called what.


# %% tags=["hide-input", "runs"]
def few_labels(per_digit, seed):
    """As many training images of each digit, at random, with their labels."""
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))
    chosen = [order[train.y[order] == digit][:per_digit] for digit in range(10)]
    return train[torch.cat(chosen)]


# %% [markdown]
# Everything that was chosen, in the open.
# The hidden layers have 256 units, the two discriminators 64, the style five numbers.
# Reconstruction and players learn at $10^{-3}$, the fourth phase by plain gradient descent at 0.1; batches have 100 images.
# The code is normalized over the batch {cite}`ioffe2015batch` before the softmax, so that no class can take every image at the start.
# The encoder misses three pixels in ten, at random, while it learns.
# The decoder gets the code with noise of deviation 0.2, and the discriminators add noise of deviation 0.3 to what they see: a softmax never gives exact zeros and ones, and would be told from the prior by that alone.
#
# Two things are searched, on the 5,000 held-out digits: the *weight* of the class judge in the generator's loss {eq}`eq-06-generator`; and the *noise in the hidden layers* of the encoder.
# If there is any, each hidden layer is normalized over the batch and then shaken by normal noise of that deviation while it learns, as in the ladder network {cite}`rasmus2015semi`.

# %% tags=["hide-input", "runs"]
STYLE, MAPPED = 5, profile(smoke=1, quick=2, full=20)
# Of the search, with 100 labels, with 1,000:
EPOCHS = profile(smoke=(1, 1, 1), quick=(2, 4, 2), full=(8, 40, 20))
WEIGHTS = profile(smoke=(1.0,), quick=(1.0,), full=(0.02, 0.2, 1.0, 5.0))
SHAKEN = profile(smoke=(0.3,), quick=(0.3,), full=(0.0, 0.3, 0.6))
TWO_RATES = (1e-3, 1e-3)  # rates of the reconstruction and of the players


def two_parts(classes, seed, weight, shaken, style=STYLE, normalize=True):
    """A network with a code of a class and a style, their judges, and the phases."""
    torch.manual_seed(seed)
    aids = dict(hidden=MIDDLE, dropout=0.3, hidden_noise=shaken, normalize=normalize)
    model = aae.AdversarialAutoencoder(style, classes, **aids)
    digits, rest = Categorical(classes), IsotropicGaussian(style)
    matches = (
        aae.Match(digits, (0, classes), "class judge", weight=weight),
        aae.Match(rest, (classes, None), "style judge"),
    )
    sizes = {"class judge": classes, "style judge": style}
    how = dict(hidden=TWO_JUDGES, noise=0.3)
    judges = {net: aae.Discriminator(n, **how) for net, n in sizes.items()}
    first = aae.ReconstructionLoss(0.2)
    return he_init(model), judges, phases(matches, *TWO_RATES, first)


def error_on(images, encoder, classes=10):
    """Percent of images whose largest class number is not their label's."""
    p = codes_of(encoder, images)[:, :classes]
    return 100 * (p.argmax(1) != images.y).float().mean().item()

# %% tags=["hide-input", "runs"]
def watched(modules):
    return {"held-out": error_on(held, modules["encoder"])}


def judged(modules):
    """Errors, and whether the decoder draws the digit that the class names."""
    both = {"held-out": held, "test": data.test}
    found = {key: error_on(images, modules["encoder"]) for key, images in both.items()}
    return found | {"as asked": as_asked(modules["decoder"], STYLE)}


def labeled_phase(labels, seed):
    """The fourth phase, on this many labels; other ones for each seed."""
    loss = aae.ClassificationLoss(few_labels(labels // 10, seed))
    return Phase(loss, sgd(0.1), cooling, ("encoder",), "classification")


@cache
def semi(labels, seed, weight, shaken, epochs, **how):
    """A network with a few labels."""
    model, judges, steps = two_parts(10, seed, weight, shaken)
    # First, so that the running means of the normalization end on unlabeled images.
    steps.insert(0, labeled_phase(labels, seed))
    watch = [Measured(watched, every=profile(smoke=1, quick=1, full=4))]
    size = dict(epochs=epochs, batch_size=100, seed=seed, callbacks=watch)
    step = Fit(model.nets(**judges), steps, train, **size)
    name = f"06-labels{labels}-{weight:g}-shaken{shaken:g}-seed{seed}"
    how |= dict(measure=judged, weights=False, minutes=epochs * 0.23)
    return Run(name, model.nets(), [step], **how)


# %% tags=["hide-input", "runs"]
def semi_tried(weight, shaken):
    return semi(100, 100, weight, shaken, EPOCHS[0], worth=14)


GRID = [(weight, shaken) for shaken in SHAKEN for weight in WEIGHTS]


def semi_best():
    """Weight and noise with the least error on held-out digits."""
    return min(GRID, key=lambda pair: semi_tried(*pair).load().measures["held-out"])


def semi_final(labels, seed):
    epochs = EPOCHS[1] if labels == 100 else EPOCHS[2]
    worth = (60 if labels == 100 else 25) / (1 + seed)
    return semi(labels, seed, *semi_best(), epochs, worth=worth)


@runs.declare
def semi_grid():
    yield from (semi_tried(*pair) for pair in GRID)


@runs.declare
def semi_finals():
    yield from (semi_final(100, seed) for seed in seeds)
    yield from (semi_final(1000, seed) for seed in three)

# %%
grid = {pair: semi_tried(*pair).load().measures["held-out"] for pair in GRID}
weight, shaken = semi_best()
print(f"weight {weight:g}, {where(weight, WEIGHTS)}")
print(f"noise in hidden layers {shaken:g}, {where(shaken, SHAKEN)}")
errors = pd.Series(grid).unstack().rename_axis("weight of the class judge")
errors.rename_axis(columns="held-out error, %; noise in hidden layers").round(2)

# %% [markdown]
# The first edition of this page used a weight of 0.02, without saying so: it costs a good part of the error.
# One seed a cell: differences of half a point mean nothing. The thousand labels get the setting that was found for a hundred.
#
# The errors of the final networks on the test digits, and beside them what the labels *alone* can do: the same encoder trained on the labeled images and nothing else, its rate chosen on the held-out digits as well; and the nearest labeled image in pixels.


# %% tags=["hide-input"]
@cache
def labels_alone(labels, seed, rate):
    """Held-out and test error of the encoder without the unlabeled images."""
    model, *_ = two_parts(10, seed, 1.0, semi_best()[1])
    seen = few_labels(labels // 10, seed)
    step = Phase(aae.ClassificationLoss(seen), adam(rate), one_cycle())
    steps = profile(smoke=2, quick=100, full=200) * 100 // labels + 1
    fit({"encoder": model.encoder}, step, seen, epochs=steps, batch_size=100, seed=seed)
    return error_on(held, model.encoder), error_on(data.test, model.encoder)


def nearest_labeled(labels, seed):
    seen = few_labels(labels // 10, seed)
    found = knn(seen.images().flatten(1), seen.y, x_test.flatten(1), data.test.y, k=1)
    return 100 - found.percent


# %%
ALONE = profile(smoke=(3e-3,), quick=(3e-3,), full=(1e-3, 3e-3, 1e-2))
errors = {}
finals = {100: [semi_final(100, s).load() for s in seeds]}
finals[1000] = [semi_final(1000, s).load() for s in three]
for labels, several in finals.items():
    which = range(len(several))
    alone = [min(labels_alone(labels, s, rate) for rate in ALONE)[1] for s in which]
    near = [nearest_labeled(labels, s) for s in which]
    rows = {"AAE": over(several, "test"), "labels alone": alone, "nearest": near}
    errors[labels] = rows
spread = {
    f"{labels} labels": {k: " ".join(f"{e:.2f}" for e in v) for k, v in row.items()}
    for labels, row in errors.items()
}
pd.DataFrame(spread).rename_axis("test error, %, seed by seed")

# %%
told_by = {"all labels, told to the decoder": told_runs}
told_by |= {f"{labels} labels": several for labels, several in finals.items()}
read = {name: fmean(over(several, "as asked")) for name, several in told_by.items()}
pd.Series(read, name="decoded digit read as asked, %").round(1).to_frame()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Error on the held-out digits while the networks with a hundred labels are trained: mean and range of the seeds.", "name": "fig-06-semi"}, "image": {"alt": "A falling line with a band around it, over epochs."}}
curves = []
for seed in seeds:
    log = semi_final(100, seed).load().history
    log = log[(log.split == "measured") & (log.term == "held-out")]
    curves.append((log.epoch.tolist(), log.value.tolist()))
plots.bands({"AAE, 100 labels": curves}, "epoch", "error on held-out digits, %")

# %% [markdown]
# The table of one column asks the decoder of each network for digits, and the five neighbors for their opinion.
# Where the encoder had to find the class itself, the style can keep a part of the digit for itself: each discriminator sees one part of the code, and none asks whether the two are independent.
# The figure shows what more epochs are worth.
#
# Now the honest footnote, and it is a large one.
# Our weight, noise, rates and number of epochs were chosen on *5,000 labeled* digits, for a task in which 100 labels are said to be known.
# Oliver et al.
# {cite}`oliver2018realistic` describe just that: validation sets many times the size of the labeled training set, which nobody has who has only a hundred labels, and on which methods look better tuned than they could be.
# With a realistic validation set, of ten labels say, the cells of the table above could not be told apart.
# They also ask that the baseline be tuned as carefully as the method; hence the second row, with its own rate.
#
# The paper reports 1.90 % with a hundred labels. We have found no public code that reaches it:
# [one re-implementation](https://github.com/musyoku/adversarial-autoencoder/issues/13) is said to get about 5 % after 5,000 epochs, and its author has not reached the published value either.
#
# ## Clusters without any label
#
# Leave out the fourth phase, and the encoder still has to decide for one of its classes, or *heads*:
# 16 or 30 of them. Nothing says which. To print an error, heads must get names.
# The paper names each head after the one validation image that it is surest of, and counts the test images in heads named otherwise.
# We use our held-out images for that, and show the vote of the majority beside it.
#
# Weight and noise are searched again, by that error on the held-out images, averaged over two seeds.
# So the clusters are found without labels, in a setting that was chosen with them.

# %% tags=["hide-input", "runs"]
C_EPOCHS = profile(smoke=(1, 1), quick=(2, 3), full=(6, 20))  # tried, final
C_GRID = [(weight, shaken) for shaken in SHAKEN[:2] for weight in WEIGHTS]


def named(heads, modules):
    """Errors in percent of heads that held-out images name, in two ways."""
    both = (held, data.test)
    p_held, p = (codes_of(modules["encoder"], x)[:, :heads] for x in both)
    found = {}
    for key, naming in (("surest", surest_labels), ("majority", majority_labels)):
        names = naming(p_held, held.y)
        found[key] = cluster_error(p, data.test.y, names)
        found[f"{key}, held-out"] = cluster_error(p_held, held.y, names)
    return found


@cache
def clusters(heads, seed, weight, shaken, epochs, **how):
    model, judges, steps = two_parts(heads, seed, weight, shaken)
    how |= dict(measure=partial(named, heads), minutes=epochs * 0.19)
    size = dict(epochs=epochs, batch_size=100, seed=seed)
    step = Fit(model.nets(**judges), steps, train, **size)
    name = f"06-heads{heads}-{weight:g}-shaken{shaken:g}-seed{seed}"
    return Run(name, model.nets(), [step], **how)

# %% tags=["hide-input", "runs"]
TWO = profile(smoke=(100,), quick=(100,), full=(100, 101))  # seeds of the search


def c_tried(weight, shaken, seed):
    return clusters(16, seed, weight, shaken, C_EPOCHS[0], weights=False, worth=9)


def c_score(pair):
    found = [c_tried(*pair, seed).load().measures["surest, held-out"] for seed in TWO]
    return sum(found) / len(found)


def c_final(heads, seed):
    worth = (30 if heads == 16 else 10) / (1 + seed)
    kept = dict(weights=heads == 16 and seed == 0, worth=worth)
    return clusters(heads, seed, *min(C_GRID, key=c_score), C_EPOCHS[1], **kept)


@runs.declare
def c_grid():
    yield from (c_tried(*pair, seed) for seed in TWO for pair in C_GRID)


@runs.declare
def c_finals():
    yield from (c_final(16, seed) for seed in seeds)
    yield from (c_final(30, seed) for seed in three)

# %%
grid = {pair: c_score(pair) for pair in C_GRID}
errors_by = pd.Series(grid).unstack().rename_axis("weight of the class judge")
errors_by.rename_axis(columns="held-out error, %; noise in hidden layers").round(1)

# %%
found = {16: {seed: c_final(16, seed).load() for seed in seeds}}
found[30] = {seed: c_final(30, seed).load() for seed in three}
rows = {
    f"{heads} heads, seed {seed}": run.measures
    for heads, several in found.items() for seed, run in several.items()
}
pd.DataFrame(rows).T[["surest, held-out", "surest", "majority"]].round(1)

# %% [markdown]
# What would clusters of pixels do?
# $k$-means with as many centers, on 20,000 training images, named by the majority of the held-out images, five starts:


# %% tags=["hide-input"]
some = train.images()[: profile(smoke=600, quick=20_000, full=20_000)].flatten(1)


def pixel_clusters(k, seed):
    """The test error of clusters of pixels, as of heads."""
    groups = KMeans(k, n_init=1, random_state=seed).fit(some.numpy())
    both = []
    for x in (x_held, x_test):
        chosen = torch.from_numpy(groups.predict(x.flatten(1).numpy())).long()
        both.append(F.one_hot(chosen, k).float())
    return cluster_error(both[1], data.test.y, majority_labels(both[0], held.y))


by_pixels = {k: [pixel_clusters(k, seed) for seed in found[k]] for k in found}
by_heads = {k: over(found[k].values(), "majority") for k in found}
rows = {
    f"{k} clusters": {"AAE": by_heads[k], "k-means on pixels": by_pixels[k]}
    for k in found
}
table(rows).round(1)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The sixteen heads of the first seed. First row: the decoded head with a style of zero, under the name that it got. Below: the six test digits that the head is surest of. A decoded head need not be sharp: a style of zero need not be typical of it.", "name": "fig-06-heads"}, "image": {"alt": "Seven rows of sixteen digits; most columns show one digit."}}
nets = found[16][0].modules
p_held, p = (codes_of(nets["encoder"], x)[:, :16] for x in (held, data.test))
names = surest_labels(p_held, held.y)
with torch.no_grad():
    alone = torch.cat([torch.eye(16), torch.zeros(16, STYLE)], 1)
    heads = nets["decoder"](alone).sigmoid()
surest = p.topk(6, 0).indices  # (6, 16)
shown = torch.cat([heads, x_test[surest.flatten()]])
titles = [f"{name}" for name in names] + [""] * 96
plots.image_grid(shown, columns=16, titles=titles)

# %% [markdown]
# ## A map with the classes apart
#
# The paper's section 7 makes a picture of the plane from the same two parts.
# Each class gets a place in the plane, and the decoder sees only the place plus a style of two numbers: a code of two numbers in which classes lie apart, and style varies around each place.
# The paper learns the places, with a penalty that keeps them from each other; we fix them on a circle.
# A thousand labels, one run.


# %% tags=["runs"]
class OnCircle(nn.Module):
    """Turns class probabilities and a style (B, classes + 2) into places (B, 2)."""

    def __init__(self, classes=10, radius=6.0):
        super().__init__()
        turn = 2 * math.pi * torch.arange(classes) / classes
        places = radius * torch.stack([turn.cos(), turn.sin()], 1)
        self.classes = classes
        self.register_buffer("places", places)

    def forward(self, code):
        return code[:, : self.classes] @ self.places + code[:, self.classes :]


# %% tags=["hide-input", "runs"]
@cache
def mapped(seed=0):
    """A thousand labels, and a decoder that sees the plane alone."""
    model, judges, steps = two_parts(10, seed, *semi_best(), style=2)
    layers = mlp((2, *MIDDLE, 784), nn.ReLU)
    decoder = nn.Sequential(OnCircle(), *layers, nn.Unflatten(1, (1, 28, 28)))
    nets = model.nets(**judges) | {"decoder": he_init(decoder)}
    steps.insert(0, labeled_phase(1000, seed))
    step = Fit(nets, steps, train, epochs=MAPPED, batch_size=100, seed=seed)
    how = dict(measure=watched, minutes=MAPPED * 0.24, worth=3)
    return Run(f"06-map-seed{seed}", {"encoder": model.encoder}, [step], **how)


@runs.declare
def maps():
    yield mapped()

# %% mystnb={"figure": {"caption": "Places in the plane of 2,000 test digits: ten islands on a circle, one a class, and the style around the center of each. Points between the islands are digits that the network is not sure of.", "name": "fig-06-map"}, "image": {"alt": "Scatter plot: ten round groups of points on a circle, each mostly of one color, with a few points between them."}}
encoder = mapped().load().modules["encoder"]
print(f"test error of the map's classes: {error_on(data.test, encoder):.2f} %")
places = OnCircle()(codes_of(encoder, few))
plots.latent_scatter(places, few.y)

# %% [markdown]
# ## What breaks it
#
# **One head takes all.** We said that the code is normalized over the batch, so that no class can take every image at the start.
# Take that out. We count the heads that get more than one image in a hundred, after each pass over 5,000 digits.

# %%
def heads_in_use(normalize):
    """How many of sixteen heads have over 1 % of the held-out images."""
    model, judges, steps = two_parts(16, 0, 1.0, 0.0, normalize=normalize)
    counts = []

    def count(end):
        heads = codes_of(model.encoder, held)[:, :16].argmax(1).bincount(minlength=16)
        counts.append(int((heads > 0.01 * len(held)).sum()))

    how = dict(epochs=profile(smoke=1, quick=6, full=6), batch_size=100)
    fit(model.nets(**judges), steps, train[:5000], callbacks=[count], **how)
    return counts


pd.DataFrame({f"normalized: {yes}": heads_in_use(yes) for yes in (True, False)}).T

# %% [markdown]
# The class judge asks for decided codes that use all heads.
# An encoder that always says the same is already decided, and from there no small step is better: a head that no image takes gets no gradient through a softmax that is sure.
#
# **A discriminator that is too good.**
# Equation {eq}`eq-06-generator` is not the game that {eq}`eq-06-discriminator` suggests.
# The zero-sum game would have the encoder *minimize* $\mathbb{E}_x[\log(1 - D(f(x)))]$.
# Write $D = \sigma(s)$. The derivatives by $s$ are
#
# ```{math}
# :label: eq-06-saturation
# \frac{\partial}{\partial s} \log (1 - D) = -D, \qquad \frac{\partial}{\partial s} (-\log D) = -(1 - D) .
# ```
#
# A discriminator that is sure, $D \approx 0$ on codes, sends no gradient through the first and a full one through the second.
# So we predict: the better the discriminator, the weaker the zero-sum encoder learns, down to nothing.
# We train a discriminator against an encoder that stands still far from the prior, and measure the encoder's gradient on the way.

# %% tags=["hide-input"]
FORMS = {
    "-log D": aae.GeneratorLoss,
    "log (1 - D), zero-sum": aae.SaturatingGeneratorLoss,
}


def far_away():
    """An untrained AAE whose codes lie six deviations away from the prior's center."""
    torch.manual_seed(0)
    model = he_init(aae.AdversarialAutoencoder(2, hidden=SMALL))
    with torch.no_grad():
        model.encoder[-1].bias[0] = 6.0
    return model


@torch.enable_grad()  # a callback is called without
def gradient_norm(form, nets):
    loss = form(plane)(nets, train.batch(range(500)))["loss"]
    slopes = torch.autograd.grad(loss, list(nets["encoder"].parameters()))
    return torch.cat([slope.flatten() for slope in slopes]).norm().item()


# %%
nets = far_away().nets(discriminator=aae.Discriminator(2, JUDGE))
norms = {name: [gradient_norm(form, nets)] for name, form in FORMS.items()}


def measure(end):
    for name, form in FORMS.items():
        norms[name].append(gradient_norm(form, nets))


alone = Phase(aae.DiscriminatorLoss(plane), adam(1e-3), updates=("discriminator",))
fit(nets, alone, train[:1000], epochs=12, batch_size=100, callbacks=[measure]).tail(1)

# %% mystnb={"figure": {"caption": "The encoder's gradient while the discriminator learns to tell its codes from the prior. The zero-sum form's gradient shrinks; that of −log D grows.", "name": "fig-06-saturation"}, "image": {"alt": "Two lines on a logarithmic axis: one falls, the other rises."}}
steps = range(0, 130, 10)
curves = {name: (steps, values) for name, values in norms.items()}
axes = "steps of the discriminator alone", "norm of the encoder's gradient"
plots.lines(curves, *axes, log_y=True)

# %% [markdown]
# Then let both encoders play on from there, against that discriminator.
# Adam divides the vanishing gradient by its own size, so it may help the zero-sum form out of its hole. Does it?

# %%
broken = {}
for name, form in FORMS.items():
    model, judge = far_away(), aae.Discriminator(2, JUDGE)
    judge.load_state_dict(nets["discriminator"].state_dict())
    *others, _ = phases(plane, 1e-3, 5e-4)
    mine = Phase(form(plane), player(5e-4), cooling, ("encoder",), "generator")
    both = model.nets(discriminator=judge)
    fit(both, [*others, mine], train[:10_000], epochs=2, batch_size=256)
    broken[name] = codes(model, few).mean(0).norm().item()
pd.Series(broken, name="distance of the codes' mean from 0").round(2).to_frame()

# %% [markdown]
# They began at a distance of about six.
# With −log D the codes come most of the way to the prior in some eighty steps; the zero-sum form is left outside.
#
# ## Explore
#
# Both decoders run inside this page, on the same prior.
#
# - Find a gap between two digits in the VAE's plane and drag the point across.
#   What does the AAE's decoder draw in its gaps?
# - Go out to the rim, beyond all points. The prior has little mass there; which of the two decoders still draws digits?

# %%
some_digits = data.test[: profile(smoke=50, quick=400, full=400)]
explorer.plane({"AAE": plain, "VAE": vae}, some_digits, thumbnails=100)

# %% [markdown]
# ## The published numbers and ours

# %% tags=["hide-input"]
PAPER = "Makhzani et al. 2016, table"
common = dict(model="AAE", dataset="MNIST test")
rate = f"reconstruction {RATE:g}, players {fastest():g}"
claims.add(
    "labels in the prior: ten petals", **common, metric="purity", unit="%",
    higher_is_better=True, values=over(shapes["flower-labels"], "test"), seeds=three,
    target=88, trials=len(data.test),
    protocol=f"A fifth of the labels, {SHAPED} epochs, {rate}.",
)
claims.add(
    "samples, Parzen windows", **common, metric="Parzen log-likelihood", unit="nats",
    higher_is_better=True, values=over(generators, "test"), seeds=three, paper=340,
    paper_source=f"{PAPER} 1, 10K samples", target=300,
    protocol=f"8 numbers, {LONG} epochs; width and rate by held-out digits.",
)
claims.add(
    "supervised: the digit drawn is the digit told", **common, metric="5-NN in pixels",
    unit="%", higher_is_better=True, values=over(told_runs, "as asked"), seeds=three,
    target=90, protocol=f"{TOLD} epochs, all labels, style of 15 numbers; 1,000 draws.",
)

# %% tags=["hide-input"]
def by_seed(label, key):
    return dict(zip(three, over(flats[label], key), strict=True))


equal = f"Equal widths and {FLAT} epochs; AAE: {rate}; VAE: one cycle to 2e-3."
for key, unit in (("JS by cells", "nats"), ("holes, %", "%")):
    claims.contrast(
        f"N(0, I) in the plane, {key}: VAE minus AAE",
        by_seed("VAE", key), by_seed("AAE, deterministic", key), model="AAE",
        dataset="MNIST train", metric=key, unit=unit, higher_is_better=True,
        protocol=equal,
    )
claims.contrast(
    "I(x; z), Gaussian posteriors: AAE minus VAE",
    by_seed("AAE, gaussian", "I(x; z)"), by_seed("VAE", "I(x; z)"), model="AAE",
    dataset="MNIST test", metric="mutual information", unit="nats",
    higher_is_better=True, protocol=f"Mixture of {len(x_test):,} posteriors. {equal}",
)

# %% tags=["hide-input"]
error = common | dict(metric="classification error", unit="%", higher_is_better=False)
error |= dict(trials=len(data.test))
chosen = f"weight {weight:g}, hidden noise {shaken:g}, by {len(held):,} labeled digits."
for labels, paper, target in ((100, 1.90, 5.0), (1000, None, 3.5)):
    rows = errors[labels]
    which, epochs = (seeds, EPOCHS[1]) if labels == 100 else (three, EPOCHS[2])
    claims.add(
        f"semi-supervised, {labels} labels", **error, values=rows["AAE"], seeds=which,
        paper=paper, paper_source=f"{PAPER} 2" if paper else "", target=target,
        protocol=f"Balanced labels drawn anew for each seed, {epochs} epochs; {chosen}",
    )
    pair = [dict(zip(which, rows[key], strict=True)) for key in ("labels alone", "AAE")]
    claims.contrast(
        f"{labels} labels: labels alone minus AAE", *pair, model="AAE", unit="%",
        dataset="MNIST test", metric="classification error", higher_is_better=True,
        protocol="The same encoder and labels, no unlabeled images, its rate tuned.",
    )

# %% tags=["hide-input"]
best_seed = min(seeds, key=lambda s: found[16][s].measures["surest, held-out"])
weight_c, shaken_c = min(C_GRID, key=c_score)
naming = f"Heads named by held-out digits; weight {weight_c:g}, "
naming += f"hidden noise {shaken_c:g}, {C_EPOCHS[1]} epochs."
for what, heads, which, paper, target in (
    ("every seed", 16, seeds, 9.55, 18.0),
    ("best seed by held-out digits", 16, [best_seed], 9.55, 12.0),
    ("every seed", 30, three, 4.10, None),
):
    claims.add(
        f"{heads} clusters, no labels, {what}", **error, seeds=which, paper=paper,
        values=[found[heads][s].measures["surest"] for s in which], target=target,
        paper_source=f"{PAPER} 3, quoted by Dilokthanakul et al. 2016", protocol=naming,
    )
for k, which in ((16, seeds), (30, three)):
    two = by_pixels[k], by_heads[k]
    pair = [dict(zip(which, values, strict=True)) for values in two]
    claims.contrast(
        f"{k} clusters by majority: k-means minus AAE", *pair, model="AAE",
        dataset="MNIST test", metric="classification error", unit="%",
        higher_is_better=True, protocol="k-means: 20,000 images, one start a seed.",
    )
claims.save()

# %%
claims

# %% [markdown]
# What differs from the paper:
#
# - It trained by gradient descent with momentum, far longer, with 1,000 units; we train by Adam with 200 to 400 units.
# - Normalization of the code, missing pixels, noise in the hidden layers and at the decoder's input are aids for short trainings.
#   They were chosen on held-out digits.
# - Its priors with labels used 10,000 known labels of 50,000; ours know a fifth of 55,000.
# - It also has Toronto faces and house numbers, which this page leaves out, and learns the places of its map.
# - The clustering errors are those of the paper's table 3 as quoted, in accuracy, by Dilokthanakul et al.
#   {cite}`dilokthanakul2016deep`.
#   The published error with 1,000 labels is not printed here, because we found no source to check it against.
#
# ## Summary
#
# - An AAE matches the distribution of all codes to a prior by a game of two networks.
#   The prior needs draws, no density.
# - Of the bound it keeps the reconstruction and a divergence of $q(z)$ from $p(z)$.
#   It drops $I(x; z)$, and its codes become points.
# - A discriminator near $\log 4$ and a generator near $\log 2$ are success, if the discriminator is good:
#   $\mathrm{JS} \ge (\log 4 - L_D)/2$. The judge of the game reads too little.
# - The phases' learning rates decide who wins. Tune them for each prior.
# - With all labels, with some or with none, the same game puts digit and style into separate parts of the code.
#   What was chosen on 5,000 labels must be said beside a result with 100.
# - Parzen estimates rank averages above real digits. They say little about samples.
#
# Next, [chapter 7](07_sequence) leaves images for sentences, whose length differs from one to the next.
#
# ## Exercises
#
# **1.** An encoder that multiplies its codes by five, before a decoder that divides by five, is the same autoencoder with another prior.
# Make an AAE for $N(0, 25 I)$ out of the one for $N(0, I)$ without training, and show that its samples are the same images.
# What is left of the paper's choice of a prior's width?

# %% tags=["hide-cell"]
wide = aae.AdversarialAutoencoder(2, hidden=SMALL)
wide.load_state_dict(plain.state_dict())
with torch.no_grad():
    for parameter in (wide.encoder[-1].weight, wide.encoder[-1].bias):
        parameter *= 5
    wide.decoder[0].weight /= 5
torch.manual_seed(0)
z = draw(IsotropicGaussian(2), 10)
torch.testing.assert_close(wide.decode(5 * z), plain.decode(z), atol=1e-4, rtol=1e-4)
narrow = codes(plain, few)
torch.testing.assert_close(codes(wide, few), 5 * narrow, atol=1e-4, rtol=1e-4)
# Only how easily it is learned: the start and the learning rates favor one scale.

# %% [markdown]
# **2.** Put {eq}`eq-06-best` to the test where everything is known: codes from $N(1, 1)$, prior $N(0, 1)$.
# Train a discriminator on draws and compare its answer at $z = -1, 0, 1, 2$ with $D^*$.

# %% tags=["hide-cell"]
torch.manual_seed(0)
judge = aae.Discriminator(1, (32,))
optimizer = torch.optim.Adam(judge.parameters(), lr=1e-2)
for _ in range(400):
    real, fake = torch.randn(1000, 1), 1 + torch.randn(1000, 1)
    loss = F.softplus(-judge(real)).mean() + F.softplus(judge(fake)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
z = torch.tensor([-1.0, 0.0, 1.0, 2.0])
best = torch.sigmoid(0.5 - z)  # p/q = exp(-z²/2 + (z-1)²/2) = exp(1/2 - z)
answers = judge(z[:, None]).sigmoid().detach()
torch.testing.assert_close(answers, best, atol=0.05, rtol=0)

# %% [markdown]
# **3.** Test `surgery` where the answer is known: codes $z = a x + \sqrt{1 - a^2} \, \varepsilon$ of a number $x$ from $N(0, 1)$.
# What is $q(z)$? What is $I(x; z)$, and which of the two terms of {eq}`eq-06-surgery` is left?

# %% tags=["hide-cell"]
torch.manual_seed(0)
a, x = 0.9, torch.randn(4000, 1)
terms = surgery(a * x, torch.full_like(x, math.log(1 - a * a)))
# q(z) is N(0, 1), the prior itself; I(x; z) is -log(1 - a²)/2, as of any two jointly
# Gaussian numbers of correlation a.
assert abs(terms["I(x; z)"] + 0.5 * math.log(1 - a * a)) < 0.05
assert abs(terms["KL(q(z) ‖ p)"]) < 0.03

# %% [markdown]
# **4.** How wrong is a Parzen estimate when the model is perfect?
# Draw samples and test points from the same $N(0, I)$ in $d$ dimensions, estimate with 2,000 samples and the best width, and compare with the true mean log density $-\tfrac{d}{2} \log (2 \pi e)$.
# How does the gap grow with $d$?

# %% tags=["hide-cell"]
torch.manual_seed(0)
gaps, widths = {}, [0.1 * i for i in range(1, 15)]
for d in (1, 4, 16, 64):
    samples, points = torch.randn(2000, d), torch.randn(500, d)
    estimate = parzen_log_likelihoods(samples, points, widths).mean(1).max().item()
    gaps[d] = -0.5 * d * math.log(2 * math.pi * math.e) - estimate
# Next to nothing on a line, some nats in 64 dimensions; and in images there are 784.
assert gaps[1] < 0.1 and gaps[1] < gaps[4] < gaps[16] < gaps[64] and gaps[64] > 4

# %% [markdown]
# **5.** On the images that give the names, the majority's names are never worse than those of the surest image. Why?
# Check it. Need that hold on the test images?

# %% tags=["hide-cell"]
by_majority = cluster_error(p_held, held.y, majority_labels(p_held, held.y))
by_surest = cluster_error(p_held, held.y, surest_labels(p_held, held.y))
# A head's commonest label is by definition wrong least often.
assert by_majority <= by_surest
# On other images another label may be the commonest, so there it need not hold.

# %% [markdown]
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
