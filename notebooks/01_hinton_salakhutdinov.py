# ---
# jupyter:
#   chapter:
#     source: Hinton & Salakhutdinov 2006
#     idea: A narrow code in a deep network keeps more of an image than principal components do.
#     thumbnail: fig-01-plane
#     result:
#       claim: 'autoencoder without pretraining'
#       model: 'Modern'
#       says: 'Squared error {ours} a digit; the paper has {paper}'
#     family:
#       - model: Deep
#         year: '2006'
#         copying: by a narrow code
#     summary:
#       - model: PCA
#         label: PCA
#         idea: the best linear map to a few numbers
#         objective: $\lVert x - \hat x \rVert^2$, solved exactly
#         latent: a vector
#         use: the line to beat; quick maps
#         weakness: linear
#       - model: Deep, RBM-pretrained
#         label: RBM-pretrained
#         idea: several layers, started one by one as restricted Boltzmann machines
#         objective: $L(x, \hat x)$ after contrastive divergence
#         latent: a vector
#         use: small codes before good random starts were known
#         weakness: two stages; a good start alone does better today
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
# # Reducing the dimensionality of data with neural networks
#
# *Hinton and Salakhutdinov, Science 313 (2006) {cite}`hinton2006reducing`.*
# [Open in Colab](https://colab.research.google.com/github/address--not-fixed/autoencoders/blob/main/notebooks/01_hinton_salakhutdinov.ipynb)
#
# - A deep autoencoder squeezes a digit of 784 pixels into 30 numbers and back, with about a fifth of PCA's error. This
#   paper showed how, and began deep learning's second life.
# - The trick was to train the network layer by layer first, as a stack of Boltzmann machines. We write that trick
#   in a dozen lines and watch it work.
# - Today the trick is not needed. With a better activation, start and optimizer the same widths beat the paper's error
#   from a random start, in minutes on two CPU cores.

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

# %% tags=["hide-input"]
from functools import partial
from itertools import pairwise

import matplotlib.pyplot as plt
import torch
from torch import nn

from aelib import explorer, plots
from aelib.data import Batch, mnist
from aelib.metrics import codes, image_errors, per_image, reconstructions, retrieval_precision
from aelib.models.autoencoder import Autoencoder, CrossEntropy, SquaredError
from aelib.models.boltzmann import RBM, ContrastiveDivergence, unroll
from aelib.models.pca import LogisticPCA, pca
from aelib.nets import he_init
from aelib.records.claims import Claims
from aelib.records.first_edition import recorded
from aelib.records.profiles import current_profile
from aelib.training import Phase, fit
from aelib.training.optimizers import adam, adamw, momentum_step, one_cycle, sgd

profile = current_profile()
seeds = profile.seeds(smoke=1, quick=1, full=1)
claims = Claims("01_hinton_salakhutdinov")
WIDTHS = (784, 1000, 500, 250, 30)

# %% [markdown]
# ## The idea
#
# {term}`Principal component analysis <PCA>` (PCA) finds the best *linear* code of an image $x$: project on a few directions, and
# go back. An autoencoder does the same with nonlinear maps both ways. The *encoder* $f$ gives the *code*
# $z = f(x)$, the *decoder* $g$ gives logits, and a sigmoid turns them into pixels:
#
# ```{math}
# :label: eq-01-autoencoder
# z = f(x), \qquad \hat x = \sigma(g(z))
# ```
#
# The network is trained to give back its input. The paper reads each pixel $x_i \in [0, 1]$ as a probability and
# minimizes the cross-entropy, in nats per image:
#
# ```{math}
# :label: eq-01-cross-entropy
# L = -\sum_i x_i \log \hat x_i + (1 - x_i) \log (1 - \hat x_i)
# ```
#
# It *reports* the squared error $\sum_i (x_i - \hat x_i)^2$, summed over the 784 pixels and averaged over images. So do we, throughout
# this chapter: it is the unit of [chapter 0](00_first_three). Divide by 784 for that of [chapter 9](09_three_networks).

# %% mystnb={"figure": {"caption": "Twenty test digits of MNIST: 28 × 28 pixels, 0 is black and 1 is white.", "name": "fig-01-data"}, "image": {"alt": "Two rows of ten handwritten digits, white on black."}}
data = mnist().subset(train=profile(smoke=500, quick=None, full=None), test=profile(smoke=200, quick=None, full=None))
x_train, x_test = data.train.images(), data.test.images()
plots.image_grid(x_test[:20])

# %% [markdown]
# ## The line to beat
#
# PCA with 30 components has a closed solution, so every implementation must agree to the last digit. The paper prints 13.87.

# %%
linear = pca(x_train, 30)
pca_error = per_image(reconstructions(linear, data.test), x_test)
print(f"PCA, 30 components: {pca_error:.2f}")

# %% [markdown]
# The paper has a second baseline, *logistic* PCA {cite}`collins2001generalization,schein2003generalized`: a linear map of the code, then a sigmoid, fitted by the
# cross-entropy {eq}`eq-01-cross-entropy`. The paper prints 8.01 and does not say how it found the codes. There are two ways. One is a linear encoder, trained together with the
# map: an autoencoder without hidden layers. The other has no encoder; the code of each image, also of a new one, is found by minimizing its own cross-entropy.

# %%
torch.manual_seed(0)
shallow = Autoencoder((784, 30), nn.Identity)
fit(
    {"ae": shallow}, Phase(CrossEntropy(), adam(4e-3), one_cycle()), data.train, epochs=profile(smoke=2, quick=3, full=12)
)
encoder_error = per_image(reconstructions(shallow, data.test), x_test)

logistic = LogisticPCA(30, iterations=profile(smoke=10, quick=15, full=60))
logistic.fit(x_train[: profile(smoke=500, quick=10_000, full=10_000)])
x_logistic = logistic.reconstruct(x_test)
search_error = per_image(x_logistic, x_test)
print(f"logistic PCA: {encoder_error:.2f} with a linear encoder, {search_error:.2f} with codes found by search")

# %% [markdown]
# The encoder's error is near the paper's. The search does much better, at a price: 60 steps of optimization for each new image, where an encoder needs one product.

# %% [markdown]
# ## The network
#
# Four layers lead down, 784 → 1000 → 500 → 250 → 30, and four lead back. Hidden units are logistic, $\sigma(a) = 1 / (1 + e^{-a})$; the code is linear, so that it can take any value.

# %% mystnb={"figure": {"caption": "The paper's autoencoder, drawn from the model: encoder in blue, decoder in orange. The first hidden layer is wider than the image; the code is 26 times smaller than it.", "name": "fig-01-architecture"}, "image": {"alt": "Bar chart of the layers' sizes: 784, 1000, 500, 250, 30, 250, 500, 1000, 784."}}
torch.manual_seed(0)
paper_net = Autoencoder(WIDTHS, nn.Sigmoid)
assert paper_net.encode(x_test[:5]).shape == (5, 30)
assert paper_net(x_test[:5]).x_hat.shape == (5, 1, 28, 28)
plots.architecture(paper_net)

# %% [markdown]
# In 2006 such a network could not be trained from a random start. A logistic unit's slope is at most 1/4. Going back through eight layers the gradient is
# multiplied by a slope at each, and little of it reaches the first layers {cite}`glorot2010understanding`. Training settles where every image is reconstructed as the mean image.
#
# ## Pretraining: one layer at a time
#
# The paper's way out is to train each layer on its own before the whole: {term}`pretraining`. A {term}`restricted Boltzmann machine` (RBM) has visible units $v$ and hidden units $h$, and an energy
#
# ```{math}
# :label: eq-01-energy
# E(v, h) = -b^\top v - c^\top h - v^\top W h .
# ```
#
# Low energy means high probability, $p(v, h) \propto e^{-E(v, h)}$. There are no connections inside a layer, so given one layer the units of the other are independent:
#
# ```{math}
# :label: eq-01-conditional
# p(h_j = 1 \mid v) = \sigma(c_j + v^\top W_{\cdot j}), \qquad p(v_i = 1 \mid h) = \sigma(b_i + W_{i \cdot} h) .
# ```
#
# The likelihood's gradient is a difference of two averages of $v h^\top$: one over the data, one over the model's own samples. The second is out of reach. {term}`Contrastive divergence <contrastive divergence>`
# {cite}`hinton2002training` replaces the model's samples by a one-step reconstruction of the data:
#
# ```{math}
# :label: eq-01-cd
# \Delta W \propto \langle v h^\top \rangle_{\text{data}} - \langle v h^\top \rangle_{\text{reconstruction}}
# ```
#
# This is the heart of the paper, so here it is, complete.


# %%
def contrastive_divergence(v, W, b, c):
    """The step of (eq-01-cd) for one batch v (B, visible): the directions in which W, b and c should go."""
    h = torch.sigmoid(v @ W + c)  # up: probabilities given the data
    sample = torch.bernoulli(h)  # a hidden unit is on or off, so that it passes on one bit at most
    v_again = torch.sigmoid(sample @ W.T + b)  # down: the reconstruction
    h_again = torch.sigmoid(v_again @ W + c)  # and up again
    dW = (v.T @ h - v_again.T @ h_again) / len(v)
    return dW, (v - v_again).mean(0), (h - h_again).mean(0)


# %% [markdown]
# The package's `ContrastiveDivergence` is written as a loss, the difference of two energies, whose gradient is the same step. The cell checks it on the same random bits.

# %%
rbm, v = RBM(784, 1000), x_train[:100].flatten(1)
torch.manual_seed(1)
dW, db, dc = contrastive_divergence(v, rbm.weight, rbm.visible_bias, rbm.hidden_bias)
torch.manual_seed(1)
nets = {"rbm": rbm, "below": nn.Flatten()}
ContrastiveDivergence(weight_decay=0.0)(nets, Batch(x_train[:100], None))["loss"].backward()
torch.testing.assert_close(rbm.weight.grad, -dW)
torch.testing.assert_close(rbm.visible_bias.grad, -db)
torch.testing.assert_close(rbm.hidden_bias.grad, -dc)

# %% [markdown]
# Now the first layer, on the real digits: batches of 100, learning rate 0.1, momentum 0.5 and then 0.9, a little weight decay. (How such numbers are chosen, Hinton's guide {cite}`hinton2012practical` explains.) What does a hidden unit come to look for?

# %% mystnb={"figure": {"caption": "Weights of 30 hidden units of the first RBM. Red raises the unit, blue lowers it. Many have become small strokes and spots at one place, parts that many digits share; others are still noise after four epochs.", "name": "fig-01-filters"}, "image": {"alt": "Three rows of ten small images with localized red and blue patches."}}
torch.manual_seed(0)
first = RBM(784, 1000)
contrastive = Phase(
    ContrastiveDivergence(), sgd(0.1, momentum=0.5), momentum_step(0.9, after_epochs=2), updates=("rbm",)
)
fit(
    {"rbm": first, "below": nn.Flatten()},
    contrastive,
    data.train,
    epochs=profile(smoke=1, quick=1, full=4),
    batch_size=100,
)
plots.filters(first.weight.T[:30], (28, 28))

# %% [markdown]
# ## Unrolling
#
# The hidden probabilities of one RBM are the data of the next. The top RBM has Gaussian hidden units and a smaller learning rate, 0.001: they become the linear code. Then the stack is {term}`unrolled <unrolling>`.
# The encoder takes the weights, the decoder their transposes, and the whole is {term}`fine-tuned <fine-tuning>` by backpropagation of {eq}`eq-01-cross-entropy`.


# %%
def pretrain(widths, epochs, seed=0):
    """A stack of RBMs, each trained on the hidden probabilities of the one below."""
    rbms, below = [], nn.Sequential(nn.Flatten())
    for level, (visible, hidden) in enumerate(pairwise(widths)):
        top = level == len(widths) - 2
        rbm = RBM(visible, hidden, "gaussian" if top else "logistic")
        rate = sgd(0.001 if top else 0.1, momentum=0.5)
        phase = Phase(ContrastiveDivergence(), rate, momentum_step(0.9, after_epochs=5), updates=("rbm",))
        fit({"rbm": rbm, "below": below}, phase, data.train, epochs=epochs, batch_size=100, seed=seed)
        rbms, below = [*rbms, rbm], nn.Sequential(*below, *rbm.as_layer())
    return rbms


# %%
torch.manual_seed(0)
small = pretrain((784, 64, 32, 8), epochs=1)
ae = unroll(small)
h = x_test[:10].flatten(1)
for rbm in small:  # unrolling by hand: up through the stack ...
    h = rbm.encode(h)
torch.testing.assert_close(ae.encode(x_test[:10]), h)
for rbm in reversed(small):  # ... and down through the transposes
    h = rbm.decode(h)
torch.testing.assert_close(ae.decode(ae.encode(x_test[:10])), h.view(-1, 1, 28, 28))

# %% [markdown]
# ## What does pretraining buy?
#
# Three networks of the same widths, trained for the same number of epochs on 55,000 images; 5,000 are held out to watch.
#
# - **RBM-pretrained**: logistic units, started from the unrolled stack. The paper's network.
# - **Random start**: logistic units, PyTorch's default start.
# - **Modern**: SiLU units $a \cdot \sigma(a)$ {cite}`elfwing2018sigmoid,ramachandran2017searching`, He's start {cite}`he2015delving`, AdamW {cite}`loshchilov2019decoupled` and one cycle {cite}`smith2019super`, trained on the squared error itself.
#
# All three use an optimizer of Adam's family, so what differs is the start and the units, and for the modern network its loss too. These runs take longer than a page should, so their curves come from a recorded run.
#
# AdamW's weight decay is chosen first, by the error on the held-out images; the test set plays no part in it.

# %%
held_out = len(data.train) // 12


def modern_recipe(weight_decay):
    return Phase(SquaredError(), adamw(2e-3, weight_decay=weight_decay), one_cycle())


def validation_error(weight_decay):
    torch.manual_seed(100)  # a seed that no reported run uses
    model = he_init(Autoencoder(WIDTHS, nn.SiLU))
    options = dict(epochs=profile(smoke=1, quick=3, full=10), batch_size=256, seed=100, validation=held_out)
    run = partial(fit, {"ae": model}, modern_recipe(weight_decay), data.train, **options)
    history = recorded(f"01-validation-decay{weight_decay:g}", model, run, weights=False)
    return history[history.split == "validation"].value.iloc[-1]


validated = {decay: validation_error(decay) for decay in (0.01, 0.1, 0.5)}
weight_decay = min(validated, key=validated.get)
print({decay: round(float(error), 2) for decay, error in validated.items()}, "chosen:", weight_decay)

# %%
epochs = profile(smoke=2, quick=4, full=15)
logistic_phase = Phase(CrossEntropy(), adam(1e-3), one_cycle())
modern_phase = modern_recipe(weight_decay)


def ablation(name, make, phase):
    """Train one of the three, measure its test error once, and keep both with the record."""

    def run():
        torch.manual_seed(0)
        model = make()
        history = fit({"ae": model}, phase, data.train, epochs=epochs, batch_size=256, validation=held_out)
        history.attrs["test error"] = per_image(reconstructions(model, data.test), x_test)
        return history

    return recorded(f"01-{name}", nn.Module(), run, weights=False)


# %%
ablations = {
    "RBM-pretrained": lambda: unroll(pretrain(WIDTHS, profile(smoke=1, quick=3, full=10))),
    "Random start": lambda: Autoencoder(WIDTHS, nn.Sigmoid),
    "Modern": lambda: he_init(Autoencoder(WIDTHS, nn.SiLU)),
}
histories = {
    name: ablation(name, make, modern_phase if name == "Modern" else logistic_phase) for name, make in ablations.items()
}

# %% mystnb={"figure": {"caption": "Squared error against epochs: training (solid) and 5,000 held-out images (dashed). The pretrained network starts with an error that the random one does not reach in 15 epochs. The modern one starts between the two and passes the pretrained one after about ten epochs.", "name": "fig-01-ablation"}, "image": {"alt": "Three pairs of falling curves over epochs on a logarithmic axis: random start far above the two others, modern and pretrained crossing near epoch ten."}}
modern = histories["Modern"].assign(term="squared error")  # its loss is the squared error itself
plots.learning_curves(histories | {"Modern": modern}, "squared error per image", term="squared error")

# %% [markdown]
# Read the figure from left to right. The pretrained network begins far below the other logistic one: its first epoch already reconstructs strokes. The random start spends its first epochs near the
# mean image, then leaves it slowly: after 15 epochs its error is still seven times the pretrained one's. That it moves at all is Adam's doing, which rescales small gradients; plain gradient descent, which the paper's contemporaries used, would stay there. The modern network never had the problem. SiLU's slope is near 1 for
# active units, He's start keeps the signal's size from layer to layer, and so the gradient reaches the first layer from the first step on.
#
# That is the paper's place in history. Pretraining gave deep networks a start from which they could be trained. Better starts and units then gave the same for nothing.
#
# ## The modern network at full length
#
# Now train it on all 60,000 images, and measure the test error once for each seed.


# %%
def modern(seed):
    torch.manual_seed(seed)
    model = he_init(Autoencoder(WIDTHS, nn.SiLU))
    history = fit(
        {"ae": model}, modern_phase, data.train, epochs=profile(smoke=2, quick=8, full=30), batch_size=256, seed=seed
    )
    return model, history


models = {seed: modern(seed) for seed in seeds}
errors = [per_image(reconstructions(model, data.test), x_test) for model, _ in models.values()]
best, history = models[0]
print(f"test error {errors[0]:.2f}, training error {history.value.iloc[-1]:.2f}; the paper's network: 3.00")

# %% mystnb={"figure": {"caption": "Ten test digits and their reconstructions from 30 numbers. The number above an image is its squared error. PCA leaves gray shadows of other digits; the deep network's errors are hard to see.", "name": "fig-01-reconstructions"}, "image": {"alt": "Rows of digits: original, PCA, logistic PCA, autoencoder. The errors above the last row are the smallest."}}
shown = {
    "PCA": reconstructions(linear, data.test[:10]).clamp(0, 1),
    "Logistic PCA": x_logistic[:10],
    "Autoencoder": reconstructions(best, data.test[:10]),
}
plots.reconstruction_rows(x_test[:10], shown)

# %% [markdown]
# The mean hides how errors are spread. A histogram over the test digits shows it.

# %% mystnb={"figure": {"caption": "Squared error of each of the test digits. The autoencoder's errors are smaller nearly everywhere, and its tail is short: few digits are badly reconstructed.", "name": "fig-01-histogram"}, "image": {"alt": "Two histograms; the autoencoder's peak is near 2, PCA's is broad around 13."}}
per_digit = {
    "PCA": image_errors(reconstructions(linear, data.test), x_test),
    "Autoencoder": image_errors(reconstructions(best, data.test), x_test),
}
plots.histogram(per_digit, "squared error of an image")

# %% [markdown]
# ## How large must the code be?
#
# The same widths with codes of 2 to 100 numbers, six epochs each (from a recorded run), against PCA.

# %%
sizes = profile(smoke=(2, 10), quick=(2, 10, 30), full=(2, 5, 10, 30, 100))


def error_at(size):
    torch.manual_seed(0)
    model = he_init(Autoencoder((*WIDTHS[:-1], size), nn.SiLU))

    def run():
        history = fit({"ae": model}, modern_phase, data.train, epochs=profile(smoke=1, quick=2, full=6), batch_size=256)
        history.attrs["test error"] = per_image(reconstructions(model, data.test), x_test)
        return history

    return recorded(f"01-code{size}", model, run, weights=False).attrs["test error"]


by_size = [error_at(size) for size in sizes]
pca_by_size = [per_image(reconstructions(pca(x_train, size), data.test), x_test) for size in sizes]

# %% mystnb={"figure": {"caption": "Test error against the size of the code, both axes logarithmic. With 10 numbers the deep network does better than PCA with 30. The ratio of the two errors grows up to 30 numbers. With 100 PCA comes nearer: it improves all the way, the network is limited by its training.", "name": "fig-01-sizes"}, "image": {"alt": "Two falling lines; the autoencoder's is below PCA's everywhere, and they come nearer at the largest size."}}
plots.lines(
    {"Autoencoder": (sizes, by_size), "PCA": (sizes, pca_by_size)}, "numbers in the code", "squared error per image",
    log_x=True, log_y=True,
)

# %% [markdown]
# ## Codes of two numbers
#
# With two numbers the code can be drawn. The paper's figure 3 does so for PCA and for its autoencoder. We use a smaller network here, 784–256–64–2, which this page can carry.
# After each epoch we keep where its codes of a few hundred test digits are.

# %%
torch.manual_seed(0)
flat = he_init(Autoencoder((784, 256, 64, 2), nn.SiLU))
few = data.test[: profile(smoke=100, quick=500, full=500)]
frames = [explorer.frame(flat, few, "before training")]
fit(
    {"ae": flat}, Phase(SquaredError(), adamw(4e-3), one_cycle()), data.train, batch_size=256,
    epochs=profile(smoke=1, quick=4, full=15),
    callbacks=[lambda end: frames.append(explorer.frame(flat, few, f"epoch {end.epoch}"))],
)
pca_2 = pca(x_train, 2)
two = data.test[: profile(smoke=200, quick=2000, full=2000)]

# %% mystnb={"figure": {"caption": "Codes of 2,000 test digits: the first two principal components (left) and the 2-D autoencoder (right), colored by digit. The network never saw a label, and yet zeros, ones, twos, sixes and sevens get places of their own. The rest stays crowded near the origin, as nearly all of PCA's map is.", "name": "fig-01-plane"}, "image": {"alt": "Two scatter plots of colored points: one cloud with overlapping colors, one with arms of single colors around a crowded center."}}
figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.2))
for axis, (name, model) in zip(axes, {"PCA": pca_2, "Autoencoder": flat}.items(), strict=True):
    plots.latent_scatter(codes(model, two), two.y, title=name, axis=axis)
plt.close(figure)
figure

# %% [markdown]
# Every point of the plane is a code, also where no digit lies, and the decoder makes an image of it. Try it: both decoders run inside this page.
#
# - Drag the point inside one arm of the autoencoder, slowly, and then across to the next arm. Where does one digit turn into another?
# - Go to the rim, far from all digits. PCA's images fade into negatives of each other there; what does the autoencoder make up?

# %%
explorer.plane({"Autoencoder": flat, "PCA": pca_2}, few, thumbnails=200)

# %% [markdown]
# How did the arms come about? Move through the epochs. The largest changes come first: within an epoch or two the digits' places are settled, and the rest is refinement.

# %%
explorer.film(frames, few)

# %% [markdown]
# ## Finding similar digits
#
# The paper used codes for retrieval: to find documents like a given one, look for the nearest codes. Do the same with digits. For each test digit fetch the $k$ nearest training codes and count how many show the same digit.

# %% mystnb={"figure": {"caption": "Fraction of the k nearest training digits that show the query's digit. Codes of 30 numbers, Euclidean distance, 2,000 queries. The autoencoder is ahead everywhere, by less than one point in a hundred.", "name": "fig-01-retrieval"}, "image": {"alt": "Two lines close to each other that fall from 0.97 to 0.77 between k = 1 and k = 500."}}
retrieved = profile(smoke=(1, 5, 20), quick=(1, 5, 20, 100, 500), full=(1, 5, 20, 100, 500))
precision = {}
for name, model in {"Autoencoder": best, "PCA": linear}.items():
    precision[name] = (
        retrieved,
        retrieval_precision(codes(model, data.train), data.train.y, codes(model, two), two.y, retrieved),
    )
plots.lines(precision, "k, training digits retrieved", "fraction with the query's digit", log_x=True)

# %% [markdown]
# The difference is smaller than the reconstruction errors suggest: for MNIST, 30 linear directions already keep digits apart. A better reconstruction is not by itself a better code for telling classes apart.
# [Chapter 9](09_three_networks) meets this again.
#
# ## What breaks it
#
# The paper trains the code layer's RBM with a learning rate of 0.001, a hundredth of the others'. Its units are Gaussian and have no upper bound: if a weight grows, the unit's value grows, the reconstruction follows, and the weight grows more. A logistic unit cannot run away like that. So with 0.1 the top
# RBM should diverge, and the logistic one below should not.


# %%
def train_top(units, rate):
    torch.manual_seed(0)
    phase = Phase(ContrastiveDivergence(), sgd(rate, momentum=0.9), updates=("rbm",))
    nets = {"rbm": RBM(784, 30, units), "below": nn.Flatten()}
    return (
        fit(nets, phase, data.train, epochs=profile(smoke=4, quick=1, full=2), batch_size=100)
        .query("term == 'squared error'")
        .value.iloc[-1]
    )


print(
    f"logistic, rate 0.1: error {train_top('logistic', 0.1):.1f}; Gaussian, rate 0.001: {train_top('gaussian', 0.001):.1f}"
)
try:
    train_top("gaussian", 0.1)
except FloatingPointError as error:
    diverged = str(error)
print("Gaussian, rate 0.1:", diverged)

# %% [markdown]
# ## The published numbers and ours

# %% tags=["hide-input"]
TABLE = "Hinton & Salakhutdinov 2006, reconstruction errors on MNIST test, 30-D"
common = dict(dataset="MNIST test", metric="squared error", unit="per image", higher_is_better=False)
claims.add("PCA, 30 components", model="PCA", **common, values=[pca_error], seeds=[0], paper=13.87, paper_source=TABLE,
           tolerance=0.001, protocol="60,000 training images, exact eigenvectors.")
claims.add("logistic PCA, linear encoder", model="Logistic PCA", **common, values=[encoder_error], seeds=[0], paper=8.01,
           paper_source=TABLE, protocol="784-30-784, linear code, cross-entropy, Adam with one cycle, 12 epochs.")
claims.add("logistic PCA, codes by search", model="Logistic PCA", **common, values=[search_error], seeds=[0], paper=8.01,
           paper_source=TABLE, protocol="10,000 training images, L-BFGS, 60 iterations for the map and for the codes.")
for name, history in histories.items():
    claims.add(f"ablation: {epochs} epochs on 55,000 images", model=name, **common, values=[history.attrs["test error"]], seeds=[0],
               paper=3.00, paper_source=TABLE, seconds=sum(history.attrs["seconds"]),
               protocol=f"784-1000-500-250-30, batch 256, one cycle, {epochs} epochs after any pretraining.")
claims.add("autoencoder without pretraining", model="Modern", **common, values=errors, seeds=seeds, paper=3.00, paper_source=TABLE,
           target=profile(smoke=3.0, quick=None, full=3.0), seconds=sum(models[0][1].attrs["seconds"]),
           protocol="784-1000-500-250-30, SiLU, He start, AdamW with one cycle, batch 256, squared error.")
claims.save()
claims

# %% [markdown]
# Later papers went further with the same widths. Hessian-free optimization reached 2.78 from a random start and 2.46 after pretraining (Martens {cite}`martens2010deep`, as recalled).
#
# What differs from the paper:
#
# - It fine-tuned by conjugate gradients on batches of 1,000; all our networks use Adam or AdamW. So our random start does better than one would have done in 2006, and our pretrained network is trained for fewer epochs.
# - It pretrained for 50 epochs a layer; we take 10.
# - Its synthetic *curves* set and its faces are not reproduced here.
#
# ## Summary
#
# - An autoencoder is PCA with nonlinear maps; with 30 numbers it has about a fifth of PCA's error.
# - An RBM is trained by the difference of two averages, before and after one reconstruction.
# - A stack of RBMs, unrolled, is a good start for a deep autoencoder of logistic units.
# - With SiLU units, He's start and AdamW, no pretraining is needed.
#
# Next, [chapter 2](02_denoising) makes the code larger than the image, and copying hard in another way.
#
# ## Exercises
#
# **1.** With linear units everywhere, equation {eq}`eq-01-autoencoder` is a linear map of rank 30 at most. Take PCA's encoder and decoder, multiply the code by any invertible matrix, and undo that in the decoder. Show that the error stays: a linear autoencoder's code is PCA's only up to such a matrix.

# %% tags=["hide-cell"]
torch.manual_seed(0)
mix = torch.randn(30, 30)
z = linear.encode(x_test[:500])
again = linear.decode((z @ mix) @ torch.linalg.inv(mix))
assert abs(per_image(again, x_test[:500]) - per_image(linear.decode(z), x_test[:500])) < 0.01

# %% [markdown]
# **2.** In contrastive divergence the hidden units are sampled on the way down. What changes if you pass their probabilities instead? Compare how many *different* hidden vectors a batch sends down.

# %% tags=["hide-cell"]
h = first.encode(x_test[:100].flatten(1))
assert len(torch.bernoulli(h).unique(dim=0)) == 100  # rows of bits
bits = torch.special.entr(h) + torch.special.entr(1 - h)  # nats that a sampled unit leaves open
# A probability carries a real number, a sample at most one bit: the sample is the stronger bottleneck.
assert 0 < bits.mean().item() < 0.6932

# %% [markdown]
# **3.** The gradient of a logistic stack shrinks layer by layer. Measure the gradient's size at the first and at the last layer of the untrained paper network, and compare with the modern one.


# %% tags=["hide-cell"]
def first_over_last(model):
    CrossEntropy()({"ae": model}, Batch(x_test[:100], None))["loss"].backward()
    first, *_, last = [m.weight.grad.norm().item() for m in model.modules() if isinstance(m, nn.Linear)]
    return first / last


torch.manual_seed(0)
logistic_ratio = first_over_last(Autoencoder(WIDTHS, nn.Sigmoid))
modern_ratio = first_over_last(he_init(Autoencoder(WIDTHS, nn.SiLU)))
assert logistic_ratio < 1e-3 < 1e-1 < modern_ratio

# %% [markdown]
# **4.** Build the free energy $F(v) = -\log \sum_h e^{-E(v, h)}$ by enumeration for a machine with five hidden units and compare with `RBM.free_energy`.

# %% tags=["hide-cell"]
tiny, v = RBM(784, 5), x_test[:7].flatten(1)
hidden = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 5)
energies = torch.stack([tiny.energy(v, h.expand(7, 5)) for h in hidden], dim=1)
torch.testing.assert_close(tiny.free_energy(v), -torch.logsumexp(-energies, dim=1))

# %% [markdown]
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
