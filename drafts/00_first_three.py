# ---
# jupyter:
#   chapter:
#     idea: Three small ones, built from nothing and put to use.
#     thumbnail: fig-00-filled
#     result:
#       claim: '2 held out, 16 numbers'
#       model: 'Vanilla'
#       says: 'A digit it never saw, found with an area under the ROC curve of {ours}'
#     summary:
#       - model: Vanilla
#         label: Vanilla
#         idea: a code narrower than the input
#         objective: $L(x, \hat x)$
#         latent: a vector
#         use: maps, compression, anomalies
#         weakness: holes between codes; copies what it should not
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
# # Your first three autoencoders
#
# *A vanilla, a sparse and a convolutional autoencoder, each a few lines, each put to use.*
# [Open in Colab](https://colab.research.google.com/github/address--not-fixed/autoencoders/blob/main/notebooks/00_first_three.ipynb)
#
# - An autoencoder learns to copy images through a few numbers. You write one, and the loop that trains it.
# - Then three of them go to work: they remove noise, fill holes, store images in few bits, and find images that do not
#   belong. Each time the cheapest rival that we know stands beside them.
# - The last use has a surprise in it: an autoencoder that copies too well becomes bad at finding what is strange.

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
from aelib.records.profiles import current_profile

profile = current_profile()  # smoke, quick or full: how much of the page to run
seeds = profile.seeds(smoke=1, quick=1, full=3)
how_many = dict(
    train=profile(smoke=600, quick=None, full=None),  # None is all of them
    test=profile(smoke=200, quick=None, full=None),
)

# %% [markdown]
# ## The data
#
# The images are the handwritten digits of MNIST {cite}`lecun1998gradient`: 60,000 to train on and 10,000 to test on.
# Each is 28 × 28 pixels, and a pixel is a number from 0 (black) to 1 (white).

# %% tags=["runs"]
import torch
from torch import nn

from aelib.data import mnist

data = mnist().subset(**how_many)
x_train, x_test = data.train.images(), data.test.images()

# %% mystnb={"figure": {"caption": "Ten test digits of MNIST, 28 × 28 pixels each.", "name": "fig-00-data"}, "image": {"alt": "A row of ten handwritten digits, white on black."}}
from aelib import plots

print(tuple(x_train.shape))  # images, channels (1 is gray), rows, columns
plots.image_grid(x_test[:10])

# %% [markdown]
# ## First: the vanilla autoencoder
#
# An autoencoder is two networks in a row. The first, the *encoder*, turns an image into a short list of numbers, the
# {term}`code`. The second, the *decoder*, turns the code back into an image, the {term}`reconstruction`.
# Written with letters: the encoder $f$ makes the code $z$ of an image $x$, and the decoder $g$ makes the copy $\hat x$.
#
# ```{math}
# :label: eq-00-autoencoder
# z = f(x), \qquad \hat x = g(z)
# ```
#
# "Vanilla" means plain. Ours flattens the image to a list of 784 pixels, and has one hidden layer of 128 units on each
# side of the code. `EncoderDecoder` puts the two parts in a row and ends with a sigmoid, which keeps pixels between 0
# and 1.


# %% tags=["runs"]
from aelib.models.autoencoder import EncoderDecoder


def vanilla(numbers):
    down = [nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, numbers)]
    up = [nn.Linear(numbers, 128), nn.ReLU(), nn.Linear(128, 784)]
    encoder = nn.Sequential(nn.Flatten(), *down)
    decoder = nn.Sequential(*up, nn.Unflatten(1, (1, 28, 28)))
    return EncoderDecoder(encoder, decoder)


# %% mystnb={"figure": {"caption": "The vanilla autoencoder, drawn from the model: encoder in blue, decoder in orange. The code in the middle is the bottleneck, 32 numbers for 784 pixels.", "name": "fig-00-vanilla"}, "image": {"alt": "Bar chart of layer sizes: 784, 128, 32, 128, 784."}}
torch.manual_seed(0)  # the same random start each time
first = vanilla(32)
out = first(x_test[:5])
print("code", tuple(out.z.shape), "copy", tuple(out.x_hat.shape))
plots.architecture(first)

# %% [markdown]
# How wrong is a copy? Take the difference at each pixel, square it, and add up the squares. This *squared error*,
# averaged over images, is the number that training makes small; such a number is called the *loss*. With $N$ images:
#
# ```{math}
# :label: eq-00-loss
# L = \frac{1}{N} \sum_{n=1}^{N} \lVert x_n - \hat x_n \rVert^2
# ```
#
# Nobody has to label anything: the image is its own answer. Why is this not trivial? Because the code is much smaller
# than the image. This narrow place is called the {term}`bottleneck`. What all digits have in common can be left to the
# decoder, so only what tells them apart has to fit into the code.
#
# ## Train it
#
# Training repeats one small step. Take a *batch*, here 128 images. Copy them, measure the loss, and move every weight a
# little in the direction that lowers it. When all images have had their turn, an {term}`epoch` is over; shuffle, and
# begin again. This is the whole loop:


# %%
def squared_error(x_hat, x):
    return (x_hat - x).square().flatten(1).sum(1).mean()


def train(model, images, epochs):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(epochs):
        for batch in torch.randperm(len(images)).split(128):
            x = images[batch]
            loss = squared_error(model(x).x_hat, x)
            optimizer.zero_grad()  # forget the last step's directions
            loss.backward()  # for every weight: in which direction does the loss fall?
            optimizer.step()  # a small step there
        print(f"epoch {epoch + 1}: the last batch's loss is {loss.item():.1f}")


# %%
train(first, x_train, epochs=profile(smoke=1, quick=5, full=5))

# %% [markdown]
# It learns. But is the result any good? A number means little until it stands beside another one. The rival here is
# {term}`principal component analysis` (PCA), the best code that a linear map can make. It gets 32 numbers too.

# %% mystnb={"figure": {"caption": "Test digits, which neither has seen before, and their copies from 32 numbers. The number above a copy is its squared error. PCA leaves gray shadows around the strokes; the copies of the autoencoder are cleaner, and a little blurred.", "name": "fig-00-copies"}, "image": {"alt": "Three rows of eight digits: original, PCA, vanilla autoencoder."}}
from aelib.metrics import per_image, reconstructions
from aelib.models.pca import pca

models = {"PCA": pca(x_train, 32), "Vanilla": first}
copies = {name: reconstructions(model, data.test) for name, model in models.items()}
for name, x_hat in copies.items():
    print(f"{name}: error {per_image(x_hat, x_test):.2f} per test image")
shown = {name: x_hat[:8].clamp(0, 1) for name, x_hat in copies.items()}
plots.reconstruction_rows(x_test[:8], shown)

# %% [markdown]
# Some seconds of training, and the network makes smaller errors than the best linear map. Its hidden layers let it bend
# where PCA must stay straight. [Chapter 1](01_hinton_salakhutdinov) asks how far this goes: with deeper networks, with
# codes of other sizes, and with codes of two numbers, which are a map that one can look at.
#
# ### Longer trainings
#
# Most networks below are trained for longer than a reader wants to wait. The package's `fit` does what the loop above
# does, with a progress bar and a save after each epoch. It needs to know *what* to train, *by which loss*, and *on
# what*. One thing is new: the step size grows at first and then shrinks to zero (`one_cycle`), which saves epochs.
#
# A `Run` is such a training that waits. Each one of this page was made once and recorded; `run.load()` reads the
# weights from the record, and what the page says of them it measures anew.


# %% tags=["runs"]
from aelib.models.autoencoder import SquaredError
from aelib.records.runs import Run, Runs
from aelib.training import Fit, Measured, Phase
from aelib.training.optimizers import adam, one_cycle


def training(name, model, seed, loss=None, images=data.train, epochs=8, watch=None,
             **more):
    phase = Phase(loss or SquaredError(), adam(3e-3), one_cycle())
    watch = [Measured(watch)] if watch else []
    epochs = profile(smoke=1, quick=2, full=epochs)
    fit = Fit({"ae": model}, phase, images, epochs, seed=seed, callbacks=watch)
    return Run(f"00-{name}-seed{seed}", {"ae": model}, [fit], **more)

# %% tags=["hide-input", "runs"]
from functools import cache, partial

from aelib.metrics import image_errors, per_image, psnr, reconstructions
from aelib.nets import evaluating


def test_error(nets):
    """The squared error per test image."""
    return {"test error": per_image(reconstructions(nets["ae"], data.test), x_test)}


def answers(model, x):
    """What a model makes of images that are in no data set."""
    with evaluating(model) as device:
        return torch.cat([model(part.to(device)).x_hat.cpu() for part in x.split(1000)])

# %% tags=["hide-input", "runs"]
runs = Runs("00_first_three")


@cache
def plain(numbers, seed):
    """A vanilla autoencoder, watched on the test digits."""
    torch.manual_seed(seed)
    kept = numbers == 16 or seed == 0
    return training(f"vanilla{numbers}", vanilla(numbers), seed, watch=test_error,
                    measure=test_error, weights=kept, minutes=0.4, worth=2)


@runs.declare
def plains():
    for numbers in (32, 16):
        for seed in seeds:
            yield plain(numbers, seed)

# %% tags=["hide-input"]
from statistics import fmean, stdev

import pandas as pd

# What is written out above is what the package computes.
x_hat = copies["Vanilla"]
loss = SquaredError()({"ae": first.eval()}, data.test.batch())["loss"]
torch.testing.assert_close(loss, squared_error(x_hat, x_test))


def spread(values):
    """The mean and, of several, the standard deviation."""
    several = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
    return f"{fmean(values):.2f}{several}"


def curve(run, term):
    """What was measured after each epoch: epochs and values."""
    log = run.load().history
    log = log[(log.split == "measured") & (log.term == term)]
    return log.epoch.tolist(), log.value.tolist()

# %% [markdown]
# ## Second: the sparse autoencoder
#
# A narrow code is not the only bottleneck. Let the code be wide, 256 numbers, but allow only $k$ of them to be
# different from zero for any one image: the $k$ largest. Such a code is called {term}`sparse`. An image is then a sum
# of a few parts, chosen from many. Here is the rule {cite}`makhzani2014ksparse`, and the package's, which has to agree:


# %%
from aelib.models.sparse_activations import TopK


def keep(z, k):
    """Set all but the k largest numbers of each code (whatever their sign) to zero."""
    largest = z.abs().topk(k, dim=1).indices
    return torch.zeros_like(z).scatter(1, largest, z.gather(1, largest))


positive = torch.rand(5, 256)
torch.testing.assert_close(keep(positive, 10), TopK(10)(positive))

# %% [markdown]
# The network itself is small: one layer down, the rule, one layer up. The rule is part of the network, so training
# knows of it. Everything else is as before: the same loss, the same optimizer.

# %% tags=["runs"]
from aelib.models.sparse import SparseAutoencoder
from aelib.models.sparse_activations import TopK


def sparse(k):
    # Each part has length one, and the search for parts starts at the mean digit.
    rule = partial(TopK, k)
    return SparseAutoencoder(256, rule, decoder="unit columns").center(x_train)

# %% tags=["hide-input", "runs"]
KEPT = profile(smoke=(5, 20), quick=(5, 10, 20), full=(5, 10, 20, 40))
CUT = 20  # the network that is looked at, and cut down to fewer


@cache
def few(k, seed):
    """A sparse autoencoder trained for k active numbers."""
    torch.manual_seed(seed)
    return training(f"sparse{k}", sparse(k), seed, epochs=6, measure=test_error,
                    weights=seed == 0 and k == CUT, minutes=0.5, worth=4)


@runs.declare
def fews():
    for k in KEPT:
        for seed in seeds:
            yield few(k, seed)

# %% [markdown]
# **Does it use its few numbers better than PCA?** PCA may do the same: compute 256 numbers, keep the $k$ largest, and
# set the rest to zero. For each image it so has its best choice of $k$ directions, and both must say which ones they
# chose. A third line shows a network that was trained with 20 numbers and is then cut down to $k$.

# %%
from aelib.metrics import codes


def cut(model, k):
    """The test error when only the k largest numbers of each code are kept."""
    with torch.no_grad():
        kept = model.decode(keep(codes(model, data.test), k))
    return per_image(kept, x_test)


# %% tags=["hide-input"]
pca256 = pca(x_train, 256)
of_pca = [cut(pca256, k) for k in KEPT]
twenty = few(CUT, 0).load().modules["ae"]
fewer = [k for k in KEPT if k <= CUT]
of_cut = [cut(twenty, k) for k in fewer]
of_sparse = {s: [few(k, s).load().measures["test error"] for k in KEPT] for s in seeds}

# %% mystnb={"figure": {"caption": "Test error against k, the numbers kept of 256; both axes are logarithmic. The band of the sparse network runs from the least to the largest of its seeds. Trained for k it is below PCA at every k. Trained for 20 and cut down to k, it is worse than PCA where k is small.", "name": "fig-00-kept"}, "image": {"alt": "Three falling lines against k: PCA above the sparse network throughout; the one that is cut afterwards rises steeply toward small k."}}
lines = {
    "Sparse, trained for k": [(KEPT, errors) for errors in of_sparse.values()],
    "PCA, best k": [(KEPT, of_pca)],
    "Trained for 20, cut to k": [(fewer, of_cut)],
}
axes = "k, numbers kept of 256", "squared error per image"
plots.bands(lines, *axes, log_x=True, log_y=True)

# %% tags=["hide-input"]
rows, by_seed = {}, pd.DataFrame(of_sparse, index=KEPT)
for k, of_k in zip(KEPT, of_pca, strict=True):
    rows[f"k = {k}"] = {
        "PCA, best k": f"{of_k:.2f}",
        "Sparse, trained for k": spread(by_seed.loc[k]),
        "PCA minus sparse": spread(of_k - by_seed.loc[k]),
    }
pd.DataFrame(rows)

# %% [markdown]
# A network that is trained for few numbers makes smaller errors than PCA at every $k$. The cut line tells a trap: it is
# the same kind of network, and judged by it, sparse codes would look useless. This page's first edition cut a network
# that used more than 50 numbers down to $k$, and concluded just that. A code must be judged in the use it was trained
# for.
#
# **What do the numbers stand for?** Each of the 256 numbers adds its own pattern of pixels to the image. Here are the
# patterns of the twenty numbers that are used most in the network with $k = 20$.

# %% mystnb={"figure": {"caption": "Patterns of the twenty numbers that are active most often, in the network that may use twenty at a time. Red adds light, blue takes it away.", "name": "fig-00-patterns"}, "image": {"alt": "Two rows of ten small images with red and blue patches, shaped like parts of digits."}}
often = (codes(twenty, data.train) > 0).float().mean(0)
used = often.argsort(descending=True)[:20]
print(f"never active: {int((often == 0).sum())} of 256")
plots.filters(twenty.dictionary().T[used], (28, 28))

# %% [markdown]
# They are strokes, bows and spots at one place, which one can point at; that is what a sparse code promises besides
# small errors. Numbers that are never active are called {term}`dead <dead unit>`. [Chapter 3](03_sparse) looks for ways
# to keep them alive, and compares this rule with others, such as a penalty on the size of the code
# {cite}`ng2011sparse`.
#
# ## Third: the convolutional autoencoder
#
# Shuffle the pixels of all images in the same way, and the vanilla network would do as well as before: it does not know
# which pixels are neighbors. A *convolution* does. It looks at small windows, here 3 × 3 pixels, with the same weights
# everywhere. Two of them, each halving the image's side, lead to a grid of 7 × 7 places with 32 values each; a linear
# layer makes the code of these. The decoder goes the same way back.


# %% tags=["runs"]
def convolutional(numbers):
    encoder = nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(),  # 28 -> 14
        nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),  # 14 -> 7
        nn.Flatten(), nn.Linear(32 * 7 * 7, numbers),
    )
    decoder = nn.Sequential(
        nn.Linear(numbers, 32 * 7 * 7), nn.ReLU(), nn.Unflatten(1, (32, 7, 7)),
        nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1), nn.ReLU(),  # 7 -> 14
        nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),  # 14 -> 28
    )
    return EncoderDecoder(encoder, decoder)

# %% tags=["hide-input", "runs"]
@cache
def conv(seed):
    """A convolutional autoencoder, watched on the test digits."""
    torch.manual_seed(seed)
    return training("conv32", convolutional(32), seed, watch=test_error,
                    measure=test_error, weights=seed == 0, minutes=1.5, worth=3)


@runs.declare
def convs():
    for seed in seeds:
        yield conv(seed)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The convolutional autoencoder; sizes are channels × height × width. Its code has 32 numbers, as many as the vanilla one's.", "name": "fig-00-convolutional"}, "image": {"alt": "Bar chart of layer sizes, wide at both ends and lowest, 32, at the code in the middle."}}
plots.architecture(convolutional(32))

# %% [markdown]
# **Does it help to know the neighbors?** Both networks have a code of 32 numbers, and both see every image eight times.
# After each epoch they copy the test digits.

# %% mystnb={"figure": {"caption": "Test error against epochs, the mean of the seeds and a band from the least to the largest. The vertical axis is logarithmic.", "name": "fig-00-epochs"}, "image": {"alt": "Two falling lines with narrow bands, vanilla and convolutional."}}
both = {
    "Vanilla": [curve(plain(32, seed), "test error") for seed in seeds],
    "Convolutional": [curve(conv(seed), "test error") for seed in seeds],
}
plots.bands(both, "epoch", "squared error per test image", log_y=True)

# %% tags=["hide-input"]
from aelib.nets import count_parameters

networks = {"Vanilla": plain(32, 0).load(), "Convolutional": conv(0).load()}
networks = {name: one.modules["ae"] for name, one in networks.items()}
final = {name: [errors[-1] for _, errors in several] for name, several in both.items()}
rows = {"PCA": {"error per image": spread([per_image(copies["PCA"], x_test)])}}
for name, model in networks.items():
    count = count_parameters(model)
    rows[name] = {"error per image": spread(final[name]), "parameters": f"{count:,}"}
pd.DataFrame(rows).T.fillna("")

# %% [markdown]
# The convolutional network has little more than half of the vanilla one's parameters. What is the same at all places
# has to be learned once, so it is ahead early on; the figure shows what is left of the lead at the end. It pays in
# time: an epoch costs several times as much. [Chapter 9](09_three_networks) looks closely at such comparisons.
#
# ## Use 1: removing noise
#
# **Can a network give back what noise has hidden?** Damage the input, and ask for the undamaged image all the same
# {cite}`vincent2008extracting`. The loss is {eq}`eq-00-loss` with one change: the network sees the damaged image
# $\tilde x$, so $\hat x = g(f(\tilde x))$. The damage is called the {term}`corruption`. Copying is now of no use, so
# the code need not be narrow; it gets 128 numbers.
#
# Two kinds of damage serve us. Noise adds a random number to each pixel and cuts off what is beyond black and white. A
# hole is a square of 10 × 10 gray pixels at a random place {cite}`pathak2016context`.


# %% tags=["runs"]
def noisy(x, deviation=0.5):
    return (x + deviation * torch.randn_like(x)).clamp(0, 1)


# %% tags=["runs"]
def holes(x, side=10):
    """True inside one square for each image, at least five pixels from the rim."""
    places = 28 - 5 - side - 5 + 1
    top, left = torch.randint(5, 5 + places, (2, len(x), 1, 1, 1), device=x.device)
    row = torch.arange(28, device=x.device)[:, None]
    column = row.T
    down, across = (row >= top) & (row < top + side), (column >= left)
    return down & across & (column < left + side)


def erased(x, side=10):
    return torch.where(holes(x, side), 0.5, x)

# %% tags=["hide-input", "runs"]
from aelib.models.denoising import Denoising

torch.manual_seed(1)
x_noisy = noisy(x_test)
some = x_test[: profile(smoke=20, quick=500, full=500)]
hole = holes(some)
x_gray = torch.where(hole, 0.5, some)


def in_hole(x_hat):
    """The squared error per erased pixel; outside of the hole the truth is known."""
    return (x_hat - some)[hole].square().mean().item()


def cleaned(nets):
    """The quality of what is made of the noisy test digits."""
    return {"PSNR": psnr(answers(nets["ae"], x_noisy), x_test)}


def filled(nets):
    """The error in the holes of some test digits."""
    return {"error": in_hole(answers(nets["ae"], x_gray))}

# %% tags=["hide-input", "runs"]
@cache
def restorer(damage, seed):
    """A convolutional network that undoes noise, or fills holes."""
    wanted = {"noise": (partial(noisy, deviation=0.5), cleaned, 6, 1.3),
              "holes": (partial(erased, side=10), filled, 8, 1.8)}
    corruption, measure, epochs, minutes = wanted[damage]
    torch.manual_seed(seed)
    loss = Denoising(SquaredError(), corruption)
    return training(damage, convolutional(128), seed, loss, epochs=epochs, worth=6,
                    measure=measure, weights=seed == 0, minutes=minutes)


@runs.declare
def restorers():
    for damage in ("noise", "holes"):
        for seed in seeds:
            yield restorer(damage, seed)

# %% [markdown]
# The yardstick is the peak signal-to-noise ratio (PSNR) in decibels (dB), $-10 \log_{10}(\lVert x - \hat x \rVert^2 /
# d)$ with $d = 784$ pixels: 3 dB more are half the error. There are three rivals. A *median filter* replaces each pixel
# by the median of its neighborhood. *Linear regression* is the linear map from noisy to clean images with the smallest
# squared error on the training images. And the convolutional network above was never shown any noise.

# %%
from scipy.ndimage import median_filter

from aelib.models.linear_baselines import linear_denoiser

torch.manual_seed(2)
regression = linear_denoiser(x_train, noisy(x_train), ridge=1e-4)
with torch.no_grad():
    by_regression = regression(x_noisy).clamp(0, 1)
median = median_filter(x_noisy.numpy(), (1, 1, 3, 3))
denoiser = restorer("noise", 0).load().modules["ae"]

# %%
denoised = {
    "noisy": x_noisy,
    "median filter": torch.from_numpy(median),
    "linear regression": by_regression,
    "Convolutional": answers(networks["Convolutional"], x_noisy),
    "Conv, denoising": answers(denoiser, x_noisy),
}
decibels = {name: psnr(x_hat, x_test) for name, x_hat in denoised.items()}
pd.Series(decibels, name="PSNR, dB").round(2).to_frame()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Noise removed in four ways; the number above an image is its squared error. The median filter keeps specks, linear regression a gray veil. The network trained on clean digits is led astray by noise; the one trained to remove it draws clean strokes.", "name": "fig-00-denoised"}, "image": {"alt": "Six rows of five digits: original, noisy, median filter, linear regression, convolutional, convolutional trained to denoise."}}
shown = {name: x_hat[:5] for name, x_hat in denoised.items()}
plots.reconstruction_rows(x_test[:5], shown)

# %% tags=["hide-input"]
reached = [restorer("noise", seed).load().measures["PSNR"] for seed in seeds]
ahead = [one - decibels["linear regression"] for one in reached]
print(f"ahead of linear regression by {spread(ahead)} dB, seeds {seeds}")

# %% [markdown]
# The rival to watch is linear regression, not the median filter: it, too, has learned what digits look like, and it
# needs no training loop. What the network adds is the distance to that line. And it has learned one kind of noise only.
# [Chapter 2](02_denoising) makes a principle of this.
#
# ## Use 2: filling holes
#
# **Can it draw what is not there?** Only the hole counts: the squared error per pixel *inside* it. Again three rivals.
# Scikit-image's *biharmonic* filling continues the surroundings as smoothly as possible. A *Gaussian* needs only the
# mean of each pixel and how every two pixels vary together, counted on the training images. If digits were a Gaussian
# cloud, the mean of the erased pixels given the others would be the best guess, and it has a closed form. And there is
# the network that was trained on whole digits.

# %% tags=["hide-input"]
from skimage.restoration import inpaint_biharmonic

from aelib.models.linear_baselines import GaussianInpainter

pairs = zip(x_gray[:, 0].numpy(), hole[:, 0].numpy(), strict=True)
smooth = [torch.from_numpy(inpaint_biharmonic(x, h))[None] for x, h in pairs]
gaussian = GaussianInpainter.fit(x_train)
inpainter = restorer("holes", 0).load().modules["ae"]

# %%
guesses = {
    "biharmonic": torch.stack(smooth).float(),
    "Gaussian": gaussian.fill(x_gray, hole),
    "Convolutional": answers(networks["Convolutional"], x_gray),
    "Conv, inpainting": answers(inpainter, x_gray),
}
guesses = {name: torch.where(hole, x, some).clamp(0, 1) for name, x in guesses.items()}
hole_errors = {name: in_hole(x_hat) for name, x_hat in guesses.items()}
pd.Series(hole_errors, name="squared error per erased pixel").round(4).to_frame()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Holes filled in three ways; pixels outside of the hole are the true ones, and the number above an image is its squared error. The Gaussian's filling is a gray cloud where a stroke should be; the network draws the stroke, or something gray where it is unsure.", "name": "fig-00-filled"}, "image": {"alt": "Five rows of seven digits: original, with a gray square, and filled by biharmonic, Gaussian and network."}}
shown = {name: x for name, x in guesses.items() if name != "Convolutional"}
shown = {"erased": x_gray} | shown
plots.reconstruction_rows(some[:7], {name: x[:7] for name, x in shown.items()})

# %% tags=["hide-input"]
reached = [restorer("holes", seed).load().measures["error"] for seed in seeds]
share = [one / hole_errors["Gaussian"] for one in reached]
print(f"error as a share of the Gaussian's: {spread(share)}, seeds {seeds}")

# %% [markdown]
# Biharmonic filling knows nothing of digits and is easy to beat. The Gaussian knows them, with no training at all, and
# it is the line that a network has to be measured by. The network that was trained on whole digits shows once more that
# a network is good at what it was asked for: a gray square is nothing that it has seen.
#
# ## Use 3: storing images in few bits
#
# A code is short, but each of its numbers takes 32 bits in memory. **How few bits will do?** Round each number to a
# multiple of some step. Then count how often each multiple occurs: what is common can be stored in
# few bits, what is rare takes more. The least average is known, the *entropy*. A multiple that occurs with frequency
# $p$ costs $-\log_2 p$ bits.


# %%
def rounded(z, step):
    """Codes rounded to multiples of the step, and the bits that an image then takes."""
    multiples, bits = (z / step).round(), 0.0
    for column in multiples.T:  # one of the numbers, in all images
        p = column.unique(return_counts=True)[1] / len(column)
        bits -= (p * p.log2()).sum().item()
    return multiples * step, bits


# %%
def rates(model, steps):
    """Bits per image and quality of the test digits, for several steps."""
    z, found = codes(model, data.test), []
    for step in steps:
        z_rounded, bits = rounded(z, step)
        with torch.no_grad():
            x_hat = model.decode(z_rounded).clamp(0, 1)
        found.append((bits, psnr(x_hat, x_test)))
    return tuple(zip(*sorted(found), strict=True))

# %% [markdown]
# Large steps save bits and spoil the copy, so each model draws a curve. PCA is treated the same way, with all of its
# 256 numbers: those that matter little are rounded to zero and cost nothing. The third rival is JPEG
# {cite}`wallace1991jpeg`. A JPEG file begins with tables, which for so small an image are most of the file. So we count
# JPEG twice: one digit a file, as one would store it, and a sheet of 100 digits in one file, which shares the tables.

# %% tags=["hide-input"]
from io import BytesIO

import numpy as np
import torch.nn.functional as F
from PIL import Image


def jpeg(x, quality, side):
    """Through JPEG files of side × side digits: bits per digit, and what comes back.

    JPEG works on blocks of 8 × 8 pixels, so each digit gets a rim of two to fill them.
    """
    bits, back = 0, []
    for sheet in x.split(side * side):
        tiles = F.pad(sheet, (2, 2, 2, 2)).view(side, side, 32, 32).transpose(1, 2)
        pixels = (255 * tiles.reshape(32 * side, 32 * side)).round().byte().numpy()
        file = BytesIO()
        Image.fromarray(pixels).save(file, "jpeg", quality=quality, optimize=True)
        bits += 8 * file.tell()
        pixels = torch.from_numpy(np.array(Image.open(file))) / 255
        tiles = pixels.view(side, 32, side, 32).transpose(1, 2)
        back.append(tiles.reshape(-1, 1, 32, 32)[..., 2:-2, 2:-2])
    return bits / len(x), torch.cat(back)

# %% tags=["hide-input"]
def png(x):
    """Bits of an image as a PNG file, which loses nothing."""
    file = BytesIO()
    pixels = (255 * x[0]).round().byte().numpy()
    Image.fromarray(pixels).save(file, "png", optimize=True)
    return 8 * file.tell()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Quality against size on the test digits (JPEG: the first 1,000). Up and left is better; bits are on a logarithmic axis.", "name": "fig-00-rate"}, "image": {"alt": "Five rising lines: two vanilla networks and PCA at the left, JPEG in sheets in the middle, JPEG files at the right."}}
stored = {}
for numbers in (16, 32):
    model = plain(numbers, 0).load().modules["ae"]
    deviation = codes(model, data.train).std(0)  # steps that fit each number's range
    steps = [width * deviation for width in (0.06, 0.12, 0.25, 0.5, 1.0)]
    stored[f"{numbers} numbers"] = rates(model, steps)
stored["PCA"] = rates(pca256, (0.5, 0.75, 1.0, 1.5, 2.0, 2.5))
x_jpeg = x_test[: profile(smoke=100, quick=1000, full=1000)]
for name, side in {"JPEG, 100 digits a file": 10, "JPEG, a file each": 1}.items():
    sent = [jpeg(x_jpeg, quality, side) for quality in (1, 5, 10, 20, 40, 60, 80)]
    found = [(bits, psnr(x_hat, x_jpeg)) for bits, x_hat in sent]
    stored[name] = tuple(zip(*found, strict=True))
figure = plots.lines(stored, "bits per digit", "PSNR, dB", log_x=True)
ticks = [25 * 2**i for i in range(8)]
figure.axes[0].set_xticks(ticks, ticks)
figure

# %% tags=["hide-input"]
decoder_bits = 32 * count_parameters(plain(16, 0).modules["ae"].decoder)
black, _ = jpeg(torch.zeros(1, 1, 28, 28), 20, 1)
print(f"a black JPEG file, in which there is nothing to store: {black:.0f} bits")
print(f"a digit as PNG, without loss: {fmean(map(png, x_jpeg)):.0f} bits")
print(f"the decoder of 16 numbers: {decoder_bits:,} bits; PCA's: {32 * 257 * 784:,}")

# %% [markdown]
# JPEG is no rival for images so small, even with its tables shared. PCA is: give it the same rounding and the same
# counting, and it is not far from the networks. Where few bits are left the network with 16 numbers has the better
# copies; its curve soon turns flat, since finer rounding cannot make a copy better than the network itself. A larger
# code takes over there, and given enough bits PCA passes any of these networks.
#
# The comparison is kind to the networks and to PCA in two ways. They store nothing but digits, and the decoder must be
# sent once before the first digit can be read; the cell printed its size. It pays off for very many images of one kind.
#
# ## Use 4: finding what does not belong
#
# An autoencoder copies well what is like its training images. So a large error may mark an *anomaly*, an image of
# another kind. To test this, hold one digit out of training: learn to copy the nine others, then look for the tenth by
# its error.
#
# Each threshold on the error finds some anomalies and raises some false alarms. The *AUC*, the area under the
# curve of the one against the other, sums up all thresholds. It is the probability that a random anomaly has a larger
# error than a random normal digit: 1 is perfect, 0.5 is a coin.


# %% tags=["runs"]
from sklearn.metrics import roc_auc_score


def without(digit):
    """The training images of the nine other digits."""
    return data.train[(data.train.y != digit).nonzero()[:, 0]]


def detection(nets, digit):
    """The AUC of the error, and the mean error of the digit and of the others."""
    error = image_errors(reconstructions(nets["ae"], data.test), x_test)
    strange = data.test.y == digit
    auc = roc_auc_score(strange, error)
    means = error[strange].mean().item(), error[~strange].mean().item()
    return {"AUC": auc, "held out": means[0], "others": means[1]}

# %% tags=["hide-input", "runs"]
SIZES = profile(smoke=(2, 16, 128), quick=(2, 16, 128), full=(2, 8, 16, 32, 64, 128))
DIGITS = profile(smoke=(1, 2), quick=(1, 2), full=tuple(range(10)))


@cache
def detector(numbers, seed, digit=2):
    """A vanilla autoencoder that never saw one digit, watched as a detector of it."""
    torch.manual_seed(seed)
    watch = partial(detection, digit=digit)
    kept = digit == 2 and seed == 0 and numbers in (2, 128)
    name, worth = f"without{digit}-{numbers}", 10 if digit == 2 else 1
    return training(name, vanilla(numbers), seed, images=without(digit), epochs=20,
                    watch=watch, measure=watch, weights=kept, minutes=0.7, worth=worth)


@runs.declare
def detectors():
    for numbers in SIZES:
        for seed in seeds:
            yield detector(numbers, seed)


@runs.declare
def ten_digits():
    for digit in DIGITS:
        for numbers in (16, 128):
            if digit != 2:
                yield detector(numbers, 0, digit)

# %% [markdown]
# **Does a better copier make a better detector?** Networks that never saw a 2 are trained for 20 epochs with codes
# from 2 to 128 numbers. Beside them stand PCA, with as many numbers, and a detector that copies nothing: the
# distance to the nearest training image.

# %%
nine, is_two = without(2).images(), data.test.y == 2
nearest = torch.cat([
    torch.cdist(part.flatten(1), nine.flatten(1)).min(1).values
    for part in x_test.split(500)
])
by_distance = roc_auc_score(is_two, nearest)

# %% tags=["hide-input"]
by_pca = [detection({"ae": pca(nine, size)}, 2)["AUC"] for size in SIZES]
found = {
    seed: {size: detector(size, seed).load().measures for size in SIZES}
    for seed in seeds
}

# %% mystnb={"figure": {"caption": "How well the error finds the 2, which was held out, against the numbers in the code (logarithmic axis); the band runs from the least to the largest seed.", "name": "fig-00-auc"}, "image": {"alt": "AUC against code size: the vanilla network's line falls toward 128 numbers; PCA's line and a flat line for the nearest image beside it."}}
lines = {
    "Vanilla": [(SIZES, [one[n]["AUC"] for n in SIZES]) for one in found.values()],
    "PCA": [(SIZES, by_pca)],
    "nearest training image": [(SIZES, [by_distance] * len(SIZES))],
}
plots.bands(lines, "numbers in the code", "AUC, 2 held out", log_x=True)

# %% tags=["hide-input"]
rows = {}
for size in SIZES:
    several = [one[size] for one in found.values()]
    rows[size] = {n: spread([m[n] for m in several]) for n in ("others", "held out")}
    rows[size]["AUC"] = f"{fmean(m['AUC'] for m in several):.3f}"
lost = [one[16]["AUC"] - one[128]["AUC"] for one in found.values()]
print("AUC at 16 minus AUC at 128, by seed:", [round(x, 3) for x in lost])
pd.DataFrame(rows).rename_axis(columns="numbers in the code", index="error of")

# %% [markdown]
# From left to right the copies get better: the error of the nine digits falls at every step. But so does the error of
# the 2, which no network has ever seen. With few numbers the two stay apart. With 128 the network has learned to draw
# strokes, any strokes; the error of the 2 has fallen further than that of the others, and no longer tells what is
# strange. The better copier is the worse detector. Gong et al. say the same: an autoencoder can generalize so
# well that it copies anomalies too. Their decoder sees only combinations of a few codes that are stored in a memory
# {cite}`gong2019memorizing`.
#
# See it with your own eyes: 2s, copied by two networks that have never seen one.

# %% mystnb={"figure": {"caption": "Seven 2s of the test set and their copies by networks that were trained on the nine other digits; above each copy is its squared error. Through two numbers a 2 becomes some other digit; through 128 it remains a 2.", "name": "fig-00-twos"}, "image": {"alt": "Three rows of seven: the digit 2, blurred other digits, and faithful copies of the 2."}}
twos = x_test[is_two][:7]
rows = {
    f"{numbers} numbers": answers(detector(numbers, 0).load().modules["ae"], twos)
    for numbers in (2, 128)
}
plots.reconstruction_rows(twos, rows)

# %% [markdown]
# **Is it so for each digit?** The 2 is one case. Hold out each digit in turn (one seed each).

# %%
tens = {
    digit: {n: detector(n, 0, digit).load().measures["AUC"] for n in (16, 128)}
    for digit in DIGITS
}
table = pd.DataFrame(tens)
table = table.rename_axis(index="numbers in the code", columns="AUC, held out")
worse = sum(one[128] < one[16] for one in tens.values())
print(f"128 numbers are the worse detector for {worse} of {len(tens)} digits")
table.assign(mean=table.mean(axis=1)).round(3)

# %% [markdown]
# ## What breaks it
#
# **A short training hides the effect.** Follow three of the networks epoch by epoch.

# %% mystnb={"figure": {"caption": "AUC for the held-out 2 after each epoch of training, for three sizes of the code; the bands run from the least to the largest seed.", "name": "fig-00-while"}, "image": {"alt": "Three lines of AUC over 20 epochs that start close together; that of 128 numbers falls away from the others."}}
while_training = {
    f"{size} numbers": [curve(detector(size, seed), "AUC") for seed in seeds]
    for size in (2, 16, 128)
}
plots.bands(while_training, "epoch", "AUC, 2 held out")

# %% [markdown]
# At the left the lines lie closest together: a network that cannot copy well yet cannot copy anomalies well either.
# This page's first edition stopped after some hundred steps, fewer than two of these epochs, saw lines that agreed, and
# wrote that the size of the code hardly matters. Whenever a comparison says "no difference", train longer before you believe
# it.
#
# **Simple images pass as good ones.** In the table above one digit is hard to find: the 1. A network that can draw
# strokes can draw a single one, and an image with little ink has little to get wrong. The error measures two things at
# once: how *strange* an image is, and how *complicated* it is. Serrà et al. show this for the likelihoods of generative
# models, and correct the score by the size of a compressed file {cite}`serra2020input`.
#
# If that is right, an image that is stranger than any digit but simpler should pass without any alarm. The extreme is a
# black image. Try it, with others that are no digits, on the network with 32 numbers that has seen all ten.

# %% mystnb={"figure": {"caption": "What is no digit, copied by the vanilla network with 32 numbers; above each copy, its error. The black image, the dot and the bar pass as good digits. Busy images are found at once.", "name": "fig-00-strange"}, "image": {"alt": "Six images, black, a dot, a bar, a chessboard, noise and a negative digit, above their copies with errors."}}
torch.manual_seed(0)
black, dot, bar = torch.zeros(3, 1, 28, 28)
dot[:, 13:15, 13:15], bar[:, 13:16, 6:22] = 1, 1
places = torch.arange(28) // 4
chess = ((places[:, None] + places) % 2).float()[None]
strange = torch.stack([black, dot, bar, chess, torch.rand(1, 28, 28), 1 - x_test[0]])
strange_copies = answers(networks["Vanilla"], strange)
normal = image_errors(answers(networks["Vanilla"], x_test), x_test)
middle, high = normal.quantile(torch.tensor([0.5, 0.99])).tolist()
print(f"test digits: half are below {middle:.1f}, one percent above {high:.1f}")
assert profile.name != "full" or image_errors(strange_copies, strange)[0] < middle
plots.reconstruction_rows(strange, {"Vanilla": strange_copies})

# %% [markdown]
# No threshold on the error means anything by itself. In practice, keep the code small, compare the error with those of
# images equally complicated, and ask whether the distance to the nearest known image would not do.
#
# ## Draw one yourself
#
# Two of the networks run inside this page.
#
# - Draw a digit. Which of the two copies is nearer to it?
# - The anomaly score is the share of test digits whose error is smaller than your drawing's. Draw a spiral, then a
#   single dot. Neither is a digit; which of the two does the score catch?
# - Draw a letter. Into which digit does each of them turn it?

# %%
from aelib import explorer

explorer.draw(networks, data.train[:100], unseen=data.test[::5])

# %% [markdown]
# ## The numbers of this page
#
# There is no paper behind this chapter, so no published values stand beside ours. What follows a ± is the spread over
# three random starts. A row that says *minus* is a difference, seed by seed; it holds if it is larger than its own
# spread.

# %% tags=["hide-input"]
from aelib.records.claims import Claims

claims = Claims("00_first_three")
shared = dict(dataset="MNIST test")
batch = "60,000 training images, batch 128, Adam with one cycle to 3e-3, "
error = dict(metric="squared error", unit="per image", higher_is_better=False)
for name, layers in (("Vanilla", "784-128-32"), ("Convolutional", "a code of 32")):
    claims.add("reconstruction", model=name, **shared, **error, values=final[name],
               seeds=seeds, protocol=f"{batch}{layers}, 8 epochs.")
claims.add("reconstruction", model="PCA", **shared, **error, seeds=[0],
           values=[per_image(copies["PCA"], x_test)], protocol="32 components.")
more = dict(metric="squared error", unit="per image", higher_is_better=True)
over, under = (dict(zip(seeds, final[name], strict=True)) for name in both)
claims.contrast("reconstruction: vanilla minus convolutional", over, under, **shared,
                **more, model="Convolutional", protocol=f"{batch}8 epochs each.")
for i, k in enumerate(KEPT):
    protocol = f"{batch}256 units, 6 epochs; PCA keeps its k largest of 256."
    over, under = ({s: e for s in seeds} if e else {s: of_sparse[s][i] for s in seeds}
                   for e in (of_pca[i], None))
    claims.contrast(f"{k} of 256 numbers: PCA minus sparse", over, under, **shared,
                    **more, model="Sparse", protocol=protocol)

# %% tags=["hide-input"]
quality = dict(metric="PSNR", unit="dB", higher_is_better=True)
noise_of = "Gaussian noise of deviation 0.5, clipped to [0, 1]. "
for name, value in decibels.items():
    if name != "Conv, denoising":
        claims.add("noise removed", model=name, **shared, **quality, values=[value],
                   seeds=[0], protocol=noise_of)
by_seed = {s: restorer("noise", s).load().measures["PSNR"] for s in seeds}
rival = {s: decibels["linear regression"] for s in seeds}
protocol = noise_of + batch + "a code of 128, 6 epochs."
claims.add("noise removed", model="Conv, denoising", **shared, **quality,
           values=[*by_seed.values()], seeds=seeds, protocol=protocol)
claims.contrast("noise removed: network minus linear regression", by_seed, rival,
                **shared, **quality, model="Conv, denoising", protocol=protocol)
at = dict(metric="squared error", unit="per erased pixel")
hole_of = f"A hole of 10 × 10 pixels in each of the first {len(some)} test images. "
for name, value in hole_errors.items():
    if name != "Conv, inpainting":
        claims.add("hole filled", model=name, **shared, **at, values=[value],
                   higher_is_better=False, seeds=[0], protocol=hole_of)
by_seed = {s: restorer("holes", s).load().measures["error"] for s in seeds}
rival = {s: hole_errors["Gaussian"] for s in seeds}
protocol = hole_of + batch + "a code of 128, 8 epochs."
claims.add("hole filled", model="Conv, inpainting", **shared, **at, seeds=seeds,
           higher_is_better=False, values=[*by_seed.values()], protocol=protocol)
claims.contrast("hole filled: Gaussian minus network", rival, by_seed, **shared, **at,
                higher_is_better=True, model="Conv, inpainting", protocol=protocol)

# %% tags=["hide-input"]
def at_64_bits(model):
    """The PSNR at 64 bits per digit, on the line between the two nearest steps."""
    deviation = codes(model, data.train).std(0)
    steps = [width * deviation for width in (0.06, 0.12, 0.25, 0.5, 1.0)]
    return float(np.interp(64, *rates(model, steps)))


by_seed = {s: at_64_bits(plain(16, s).load().modules["ae"]) for s in seeds}
rival = {s: float(np.interp(64, *stored["PCA"])) for s in seeds}
claims.contrast("stored in 64 bits: vanilla minus PCA", by_seed, rival, **shared,
                **quality, model="Vanilla", protocol=f"{batch}784-128-16, 8 epochs; "
                "rounded, entropy of each number; PCA with 256 numbers, one step.")
auc = dict(metric="area under the ROC curve", unit="of 1", higher_is_better=True)
nine_of = "Nine digits, 784-128-code, 20 epochs, batch 128, Adam, one cycle to 3e-3."
for size in SIZES:
    claims.add(f"2 held out, {size} numbers", model="Vanilla", **shared, **auc,
               values=[one[size]["AUC"] for one in found.values()], seeds=seeds,
               protocol=nine_of)
for size, value in zip(SIZES, by_pca, strict=True):
    claims.add(f"2 held out, {size} numbers", model="PCA", **shared, **auc,
               values=[value], seeds=[0], protocol="Nine digits, by the error.")
claims.add("2 held out", model="nearest training image", **shared, **auc, seeds=[0],
           values=[by_distance], protocol="The distance to the nearest of nine digits.")

# %% tags=["hide-input"]
over, under = ({s: found[s][size]["AUC"] for s in seeds} for size in (16, 128))
claims.contrast("2 held out: 16 numbers minus 128", over, under, **shared, **auc,
                model="Vanilla", protocol=nine_of)
for size in (16, 128):
    claims.add(f"mean of {len(DIGITS)} held-out digits, {size} numbers", seeds=[0],
               model="Vanilla", **shared, **auc, protocol=nine_of,
               values=[fmean(one[size] for one in tens.values())])
claims.save()
claims

# %% [markdown]
# What to keep in mind: one learning rate serves all networks of this page, chosen for none of them. Of the rivals
# three have a setting: the window of the median filter, 3 × 3 pixels, and the small ridges that linear regression and
# the Gaussian need where a pixel never varies. None was tuned.
#
# ## Summary
#
# - An autoencoder copies its input through a code that makes copying hard. A narrow code, a sparse code and damage to
#   the input are three ways to make it hard.
# - A network is good at what it was trained for: for $k$ numbers, for noise, for holes. Judge it in that use.
# - It has to beat the cheapest rival that knows digits: PCA, linear regression, a Gaussian. To beat a filter that knows
#   nothing of them proves little.
# - As a detector of anomalies it fails in two ways: with a large code it copies what is strange, and with any code it
#   lets pass what is simple.
#
# Next, [chapter 1](01_hinton_salakhutdinov) goes deeper, to the network of 2006 with which it all began.
#
# ## Exercises
#
# **1.** How bad is the worst reasonable answer? Always reply with the mean training image. Show that its error on the
# training images is the sum of the pixels' variances, and that PCA's error with any number of components is smaller.

# %% tags=["hide-cell"]
mean_image = x_train.mean(0).expand_as(x_train)
variances = x_train.flatten(1).double().var(0, correction=0).sum().item()
assert abs(per_image(mean_image, x_train) / variances - 1) < 1e-3
assert per_image(reconstructions(pca(x_train, 1), data.train), x_train) < variances

# %% [markdown]
# **2.** A convolution does the same at every place. Shift an image by four pixels and show that the second layer's
# output, whose places are four pixels apart, shifts by one.

# %% tags=["hide-cell"]
layers = networks["Convolutional"].encoder[:4]
with torch.no_grad():
    before, after = layers(x_test[:50]), layers(x_test[:50].roll(4, dims=3))
# The rim is left out: there the convolutions see the padding beyond the image.
inside = after[..., 2:-1, 3:-1], before[..., 2:-1, 2:-2]
torch.testing.assert_close(*inside, rtol=1e-4, atol=1e-4)

# %% [markdown]
# **3.** How much of the error is complexity? Take the size of a PNG file as the measure of how complicated a digit is,
# and compute its rank correlation with the error of the vanilla network, over test digits.

# %% tags=["hide-cell"]
first_ones = min(1000, len(x_test))
sizes = pd.Series([png(x) for x in x_test[:first_ones]])
related = sizes.corr(pd.Series(normal[:first_ones].numpy()), method="spearman")
print(f"rank correlation of error and file size: {related:.2f}")
assert profile.name == "smoke" or related > 0.2

# %% [markdown]
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
