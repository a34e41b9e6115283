# ---
# jupyter:
#   chapter:
#     idea: Three small ones, built from nothing and put to use.
#     thumbnail: fig-00-filled
#     result:
#       claim: 'anomalies, mean of ten held-out digits'
#       model: 'Vanilla'
#       says: 'Finds digits it never saw: area under the ROC curve {ours}'
#     summary:
#       - model: Vanilla
#         label: Vanilla
#         copying: by a narrow code
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
# - An autoencoder learns to copy images through a few numbers. You build three of them from plain PyTorch layers, and the loop that trains them.
# - Then you use them: to draw a map of the digits, to remove noise, to fill holes, to store images in 16 bytes, and to find images that do not belong.
# - The last use has a known flaw. You will see when it works, when it fails, and why.

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
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from PIL import Image
from scipy.ndimage import median_filter
from skimage.restoration import inpaint_biharmonic
from sklearn.metrics import roc_auc_score, roc_curve
from torch import nn

from aelib import explorer, likelihoods, plots
from aelib.data import ImageSet, mnist
from aelib.metrics import codes, image_errors, knn, per_image, psnr
from aelib.models import autoencoder
from aelib.models.pca import pca
from aelib.nets import count_parameters
from aelib.records.claims import Claims
from aelib.records.profiles import current_profile
from aelib.training import Phase, fit
from aelib.training.optimizers import adam, one_cycle

profile = current_profile()
seeds = profile.seeds(smoke=1, quick=1, full=3)
claims = Claims("00_first_three")

# %% [markdown]
# ## The idea
#
# An autoencoder is two networks in a row. The *encoder* $f$ turns an image $x$ into a short list of numbers, the {term}`code` $z$. The *decoder* $g$ turns
# the code back into an image $\hat x$, the {term}`reconstruction`:
#
# ```{math}
# :label: eq-00-autoencoder
# z = f(x), \qquad \hat x = g(z)
# ```
#
# The *loss* is the number that training makes small. Here it says how wrong the copies are: the squared difference, summed over the $d = 784$ pixels of an image
# and averaged over $N$ images.
#
# ```{math}
# :label: eq-00-loss
# L = \frac{1}{N} \sum_{n=1}^{N} \lVert x_n - \hat x_n \rVert^2
# ```
#
# Nobody has to label anything: the image is its own answer. Why is this not trivial? Because the code is smaller than the image.
# This narrow place is called the {term}`bottleneck`. Only what most images have in common can be left to the decoder, so only what tells them apart fits into the code.
#
# The images are the digits of MNIST {cite}`lecun1998gradient`, 60,000 to train on and 10,000 to test on. Pixels run from 0 (black) to 1 (white). Unless said otherwise, errors on this page are in the unit of
# {eq}`eq-00-loss`: squared error per image. All symbols of the book are listed on [the notation page](../notation).

# %% mystnb={"figure": {"caption": "Ten test digits of MNIST, 28 × 28 pixels each.", "name": "fig-00-data"}, "image": {"alt": "A row of ten handwritten digits, white on black."}}
data = mnist().subset(train=profile(smoke=500, quick=None, full=None), test=profile(smoke=200, quick=None, full=None))
x_train, x_test = data.train.images(), data.test.images()
plots.image_grid(x_test[:10])

# %% [markdown]
# ## First: the vanilla autoencoder
#
# "Vanilla" means plain. One class serves for all three networks; only the layers differ.


# %%
class Output(NamedTuple):
    x_hat: torch.Tensor  # (B, 1, 28, 28)
    z: torch.Tensor  # (B, latent)


class Autoencoder(nn.Module):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def encode(self, x):  # (B, 1, 28, 28) -> (B, latent)
        return self.encoder(x)

    def decode(self, z):  # (B, latent) -> (B, 1, 28, 28)
        return self.decoder(z)

    def forward(self, x):
        z = self.encode(x)
        return Output(self.decode(z), z)


# %% [markdown]
# The vanilla network flattens the image to a list of 784 pixels and has one hidden layer of 128 units on each side of a code of 32 numbers.
# The sigmoid at the end keeps pixels between 0 and 1.


# %% mystnb={"figure": {"caption": "The vanilla autoencoder, drawn from the model: encoder in blue, decoder in orange. The code in the middle is the bottleneck, 32 numbers for 784 pixels.", "name": "fig-00-vanilla"}, "image": {"alt": "Bar chart of layer sizes: 784, 128, 32, 128, 784."}}
def vanilla(latent=32):
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, latent))
    decoder = nn.Sequential(
        nn.Linear(latent, 128), nn.ReLU(), nn.Linear(128, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28))
    )
    return Autoencoder(encoder, decoder)


assert vanilla().encode(x_test[:5]).shape == (5, 32)
assert vanilla()(x_test[:5]).x_hat.shape == (5, 1, 28, 28)
plots.architecture(vanilla())

# %% [markdown]
# Training repeats one small step. Take a *batch*, here 128 images. Copy them, measure the loss, and move every weight a little in the direction that lowers it.
# Once all images have had their turn, an {term}`epoch` is over; shuffle, and begin again. This is the whole loop:


# %%
def squared_error(x_hat, x):
    return (x_hat - x).square().flatten(1).sum(1).mean()


def train(model, images, epochs, shuffle=torch.randperm):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(epochs):
        for batch in shuffle(len(images)).split(128):
            x = images.batch(batch).x
            loss = squared_error(model(x).x_hat, x)
            optimizer.zero_grad()  # forget the last step's directions
            loss.backward()  # in which direction does the loss fall, for every weight?
            optimizer.step()  # a small step there


# %% [markdown]
# The package's `fit` does the same, with a progress bar, several devices, and an error message when a loss explodes. It wants the loss as a function of the networks and a batch, here `copying`. Is it really the same? The second cell trains one network by hand and one
# by `fit`, from the same start and on the same batches, and compares all weights. To learn the order in which `fit` takes the images, their labels are replaced by their numbers.


# %%
def copying(nets, batch):
    return {"loss": squared_error(nets["ae"](batch.x).x_hat, batch.x)}


def watched(nets, batch):
    order.append(batch.y)
    return copying(nets, batch)


# %%
few, order = data.train[:500], []
numbered = ImageSet(few.x, torch.arange(len(few)))
by_fit, by_hand = vanilla(), vanilla()
by_hand.load_state_dict(by_fit.state_dict())
fit({"ae": by_fit}, Phase(watched, adam(1e-3)), numbered, epochs=2)
epochs_seen = iter(torch.cat(order).split(len(few)))
train(by_hand, few, epochs=2, shuffle=lambda n: next(epochs_seen))
for one, other in zip(by_fit.parameters(), by_hand.parameters(), strict=True):
    # Where a gradient is 0 but for its last bit, Adam makes a step of that bit.
    assert (one - other).abs().mean() < 1e-5

# %% [markdown]
# The loss and the network are in the package too. With the same random numbers they are the same, to the last weight.

# %%
torch.manual_seed(0)
ours = vanilla()
torch.manual_seed(0)
packaged = autoencoder.Autoencoder((784, 128, 32), nn.ReLU)
torch.testing.assert_close(ours(x_test).x_hat, packaged(x_test).x_hat)
torch.testing.assert_close(squared_error(ours(x_test).x_hat, x_test), likelihoods.squared_error(packaged(x_test).x_hat, x_test))

# %% [markdown]
# From here on we use `fit`, with one refinement: the step size grows at first, then shrinks to zero (`one_cycle`). That saves epochs. A `seed` fixes the random start, so that you get the numbers of this page again. All its networks are trained this way.
#
# The line to beat is {term}`principal component analysis` (PCA), the best code that a linear map can make; [chapter 1](01_hinton_salakhutdinov) says more. Here it also gets 32 numbers.


# %%
def trained(make, seed=0, objective=copying, images=data.train, epochs=5):
    torch.manual_seed(seed)
    model = make()
    epochs = profile(smoke=1, quick=epochs, full=epochs)
    fit({"ae": model}, Phase(objective, adam(3e-3), one_cycle()), images, epochs=epochs, seed=seed)
    return model


# %%
def copies(model, x):
    """Reconstructions of images that need not be in a data set, a thousand at a time."""
    with torch.no_grad():
        return torch.cat([model(part).x_hat for part in x.split(1000)])


linear = pca(x_train, 32)
vanillas = {seed: trained(vanilla, seed) for seed in seeds}

# %% mystnb={"figure": {"caption": "Test digits and their copies from 32 numbers. The number above an image is its squared error. PCA leaves gray shadows around the strokes; the autoencoder's copies are cleaner, and a little blurred.", "name": "fig-00-copies"}, "image": {"alt": "Three rows of eight digits: original, PCA, vanilla autoencoder. The errors above the last row are smaller than those above PCA's."}}
test_copies = {"PCA": copies(linear, x_test), "Vanilla": copies(vanillas[0], x_test)}
print({name: round(per_image(x_hat, x_test), 2) for name, x_hat in test_copies.items()})
plots.reconstruction_rows(x_test[:8], {name: x_hat[:8].clamp(0, 1) for name, x_hat in test_copies.items()})

# %% [markdown]
# Both codes have 32 numbers, but the autoencoder's error is about half of PCA's. The hidden layers let it bend where PCA must stay straight.
#
# ## Use 1: a map of the digits
#
# **Can two numbers say what a digit looks like?** Two numbers are a point in the plane, so the code becomes a map. For so narrow a bottleneck we give the network one more hidden layer on each side.
#
# To put a number on what the eye sees: guess each test digit's label from the five nearest training digits on the map.


# %%
def narrow():
    down = [nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 2)]
    up = [nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 784)]
    return Autoencoder(nn.Sequential(nn.Flatten(), *down), nn.Sequential(*up, nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28))))


maps = {"PCA": pca(x_train, 2), "Vanilla": trained(narrow)}
guessed = {
    name: knn(codes(m, data.train), data.train.y, codes(m, data.test), data.test.y) for name, m in maps.items()
}
map_errors = {name: per_image(copies(m, x_test), x_test) for name, m in maps.items()}
pd.DataFrame({"error per image": map_errors, "label guessed right, %": {n: a.percent for n, a in guessed.items()}}).round(1)

# %% mystnb={"figure": {"caption": "1,000 test digits on two maps, colored by digit. PCA (left) piles most digits on one another. The autoencoder (right), which never saw a label, gives 0, 1, 2, 6 and 7 arms of their own; the middle stays crowded.", "name": "fig-00-maps"}, "image": {"alt": "Two scatter plots colored by digit: a cloud of overlapping colors, and a star of arms in separate colors."}}
two = data.test[: profile(smoke=200, quick=1000, full=1000)]
figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.2))
for axis, (name, model) in zip(axes, maps.items(), strict=True):
    plots.latent_scatter(codes(model, two), two.y, title=name, axis=axis)
plt.close(figure)
figure

# %% [markdown]
# On the autoencoder's map neighbors are alike, so a guess from neighbors is right far more often. Two numbers are still few: in the middle several digits share one place.
#
# **How many numbers are enough?** Train vanilla networks with codes of several sizes and see.

# %% mystnb={"figure": {"caption": "Test error against the size of the code, both axes logarithmic. With 16 numbers the autoencoder does better than PCA with 32. At 64 its lead is smaller.", "name": "fig-00-sizes"}, "image": {"alt": "Two falling lines on logarithmic axes; the vanilla line lies below PCA's, and they come closer at the right."}}
SIZES = profile(smoke=(4, 32), quick=(8, 32), full=(8, 16, 32, 64))
sized = {size: vanillas[0] if size == 32 else trained(lambda: vanilla(size)) for size in SIZES}  # noqa: B023
linears = {size: pca(x_train, size) for size in SIZES}
by_size = {
    name: (SIZES, [per_image(copies(models[size], x_test), x_test) for size in SIZES])
    for name, models in {"Vanilla": sized, "PCA": linears}.items()
}
plots.lines(by_size, "numbers in the code", "squared error per image", log_x=True, log_y=True)

# %% [markdown]
# ## Second: the sparse autoencoder
#
# A narrow code is not the only bottleneck. Let the code be wide, 256 numbers, but ask that few of them be different from zero for any one image. Such a code is called {term}`sparse`. An image is then a sum of a few
# parts, chosen from many {cite}`ng2011sparse`. The wish becomes a second term of the loss, the sum of the code's absolute values with a weight $\alpha$:
#
# ```{math}
# :label: eq-00-sparse
# L = \frac{1}{N} \sum_{n=1}^{N} \Big( \lVert x_n - \hat x_n \rVert^2 + \alpha \sum_{j} |z_{nj}| \Big)
# ```
#
# It is known as the L1 penalty. A number that helps the copy little costs more than it brings, and the ReLU then sets it to exactly zero.


# %%
def sparse():
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU())
    return Autoencoder(encoder, nn.Sequential(nn.Linear(256, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28))))


# %%
@dataclass(frozen=True)
class SparseCopy:
    alpha: float

    def __call__(self, nets, batch):
        x_hat, z = nets["ae"](batch.x)
        error, penalty = squared_error(x_hat, batch.x), z.abs().sum(1).mean()
        return {"loss": error + self.alpha * penalty, "squared error": error, "penalty": penalty}


# %% [markdown]
# **What does the penalty cost, and what does it buy?** Train with several weights $\alpha$. Count how many of the 256 numbers are active, that is, not zero, for a test digit.

# %%
ALPHAS = profile(smoke=(0.0, 0.1), quick=(0.0, 0.1, 0.3), full=(0.0, 0.1, 0.3))
sparses = {alpha: trained(sparse, objective=SparseCopy(alpha), epochs=3) for alpha in ALPHAS}


def activity(model):
    """How many numbers are active for a digit, on average, and how many are for none."""
    on = codes(model, data.test) > 0
    return on.float().sum(1).mean().item(), (~on.any(0)).sum().item()


columns = ["active for a digit", "active for none", "error per image"]
rows = {f"α = {a:g}": (*activity(m), per_image(copies(m, x_test), x_test)) for a, m in sparses.items()}
pd.DataFrame(rows, columns).T.round(2)

# %% [markdown]
# The larger $\alpha$, the fewer numbers are active, and the larger is the error. Some numbers {term}`die <dead unit>`: they are zero for every image, and no gradient wakes them again. We go on with $\alpha = 0.1$, which leaves most alive.
#
# **Are the few numbers enough?** If an image is the sum of a few parts, the largest numbers should nearly suffice. So keep the $k$ largest numbers of a code, set the others to zero, and decode.
# The competitors are the same network without the penalty, and PCA with 256 components, its $k$ largest numbers kept by the same rule.


# %%
def keep(z, k):
    """The codes with all but their k largest numbers (in absolute value) set to zero."""
    largest = z.abs().topk(k, dim=1).indices
    return torch.zeros_like(z).scatter(1, largest, z.gather(1, largest))


# %%
def from_few(model, k, images=data.test):
    with torch.no_grad():
        return torch.cat([model.decode(keep(z, k)) for z in codes(model, images).split(1000)])


# %% mystnb={"figure": {"caption": "Test error when only the k largest of 256 numbers are kept. The network without a penalty has spread each digit over all of its numbers, and falls apart when some are taken away. The sparse one has nearly all it needs in its 40 largest; there it does about as well as PCA.", "name": "fig-00-kept"}, "image": {"alt": "Three falling lines against k: without penalty by far the highest; sparse above PCA at the left, equal at 40."}}
wide = {"Sparse": sparses[0.1], "PCA": pca(x_train, 256), "Without penalty": sparses[0.0]}
KEPT = (2, 5, 10, 20, 40, 80)
from_kept = {name: (KEPT, [per_image(from_few(m, k), x_test) for k in KEPT]) for name, m in wide.items()}
plots.lines(from_kept, "k, numbers kept of 256", "squared error per image", log_x=True, log_y=True)

# %% [markdown]
# The penalty does what it should: the digit sits in a few numbers. It is no magic, for PCA by the same rule needs about as many, and fewer where the copy may be rough. What a sparse code promises besides is that it can be *read*: each number stands for a part that one can point at.
#
# **What do the numbers stand for?** Each number $z_j$ adds its own pattern of pixels, column $j$ of the decoder's matrix, before the sigmoid. Here are those of the twenty numbers that are used most.

# %% mystnb={"figure": {"caption": "Patterns of the twenty numbers that are active most often in the sparse network. Red adds light, blue takes it away. Some are strokes and bows of digits; others are tangles.", "name": "fig-00-patterns"}, "image": {"alt": "Two rows of ten small images with red and blue patches, some of them shaped like parts of digits."}}
used = (codes(wide["Sparse"], data.train) > 0).float().mean(0).argsort(descending=True)
plots.filters(wide["Sparse"].decoder[0].weight.T[used[:20]], (28, 28))

# %% [markdown]
# After three epochs the promise is half kept. There is also a loophole: the network can halve a number and double its pattern, which makes the penalty smaller and the image no different. [Chapter 3](03_sparse) closes it, tries other penalties, and finds cleaner parts.
#
# ## Third: the convolutional autoencoder
#
# Shuffle the pixels of all images in the same way, and the vanilla network would do as well as before: it does not know which pixels are neighbors. A *convolution* does. It looks at small windows, 3 × 3 pixels here, with the same weights everywhere. Two of them,
# each halving the image's side, lead to a 7 × 7 grid with 32 values at each place; a linear layer makes 32 numbers of these. The decoder goes the same way back.


# %% mystnb={"figure": {"caption": "The convolutional autoencoder: sizes are channels × height × width. Its code has 32 numbers, as many as the vanilla one's.", "name": "fig-00-convolutional"}, "image": {"alt": "Bar chart of layer sizes, wide at both ends and lowest, 32, at the code in the middle."}}
def convolutional(latent=32):
    encoder = nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(),  # 28 -> 14
        nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),  # 14 -> 7
        nn.Flatten(), nn.Linear(32 * 7 * 7, latent),
    )
    decoder = nn.Sequential(
        nn.Linear(latent, 32 * 7 * 7), nn.ReLU(), nn.Unflatten(1, (32, 7, 7)),
        nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1), nn.ReLU(),  # 7 -> 14
        nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1), nn.Sigmoid(),  # 14 -> 28
    )
    return Autoencoder(encoder, decoder)


conv = trained(convolutional, epochs=2)
plots.architecture(conv)

# %%
three = {"PCA": linear, "Vanilla": vanillas[0], "Sparse": sparses[0.1], "Convolutional": conv}
pd.DataFrame(
    {n: {"parameters": count_parameters(m), "error per image": round(per_image(copies(m, x_test), x_test), 2)} for n, m in three.items()}
).T

# %% [markdown]
# With little more than half of the vanilla network's parameters, and two epochs for its five, the convolutional one copies better. (The sparse network's code has another size, so its error is no fair match.) What has to be learned once for all places is learned sooner. [Chapter 9](09_three_networks)
# looks closely at this comparison.
#
# ## Use 2: removing noise
#
# **Can a network give back what noise has hidden?** {term}`Damage <corruption>` the input, and ask for the original all the same {cite}`vincent2008extracting`. The damaged image is written $\tilde x$; the loss compares $\hat x = g(f(\tilde x))$ with the clean $x$.


# %%
@dataclass(frozen=True)
class Restore:
    damage: Callable

    def __call__(self, nets, batch):
        return {"loss": squared_error(nets["ae"](self.damage(batch.x)).x_hat, batch.x)}


# %%
def noisy(x):
    return (x + 0.5 * torch.randn_like(x)).clamp(0, 1)


denoiser = trained(convolutional, objective=Restore(noisy), epochs=2)

# %% [markdown]
# The yardstick is the peak signal-to-noise ratio, $\text{PSNR} = -10 \log_{10}(\lVert x - \hat x \rVert^2 / d)$ in decibels (dB): ten more mean a tenth of the error. Competitors are a median filter, which replaces each pixel by the median of its
# 3 × 3 neighborhood; PCA; and the convolutional network above, which has never seen noise.

# %%
torch.manual_seed(1)
x_noisy = noisy(x_test)
denoised = {
    "noisy": x_noisy,
    "median filter": torch.from_numpy(median_filter(x_noisy.numpy(), (1, 1, 3, 3))),
    "PCA": copies(linear, x_noisy).clamp(0, 1),
    "Convolutional": copies(conv, x_noisy),
    "Conv, denoising": copies(denoiser, x_noisy),
}
pd.Series({name: round(psnr(x_hat, x_test), 2) for name, x_hat in denoised.items()}, name="PSNR, dB").to_frame()

# %% mystnb={"figure": {"caption": "Noise removed in four ways. The median filter keeps specks, PCA a gray veil. The network trained on clean digits is led astray by noise; the one trained to remove it draws clean strokes, and breaks a 1 that is hardly to be seen.", "name": "fig-00-denoised"}, "image": {"alt": "Six rows of four digits: original, noisy, median filter, PCA, convolutional, convolutional trained to denoise. The last is the cleanest."}}
plots.reconstruction_rows(x_test[:4], {name: x_hat[:4] for name, x_hat in denoised.items()})

# %% [markdown]
# The denoiser wins by a wide margin, and the figure says why: it knows what digits look like, the median filter does not. But it has learned one kind of noise. [Chapter 2](02_denoising) makes a principle of this.
#
# ## Use 3: filling holes
#
# **Can it draw what is not there?** The same objective with another damage: a square of 10 × 10 pixels, at a random place, is painted gray {cite}`pathak2016context`.


# %%
def holes(n, side=10):
    """A mask (n, 1, 28, 28), true in one square of each image, at least five pixels from its rim."""
    top, left = torch.randint(5, 24 - side, (2, n, 1, 1, 1))
    rows, columns = torch.arange(28)[:, None], torch.arange(28)
    return (rows >= top) & (rows < top + side) & (columns >= left) & (columns < left + side)


# %%
def erased(x):
    return torch.where(holes(len(x)).to(x.device), 0.5, x)


inpainter = trained(convolutional, objective=Restore(erased), epochs=2)

# %% [markdown]
# Outside of the hole the true pixels are known, so only the hole counts: the squared difference per pixel *inside* it. The competitor is scikit-image's biharmonic filling, which
# continues the surroundings as smoothly as possible.

# %%
some = x_test[: profile(smoke=10, quick=200, full=200)]
torch.manual_seed(1)
hole = holes(len(some))
x_gray = torch.where(hole, 0.5, some)
filled = {
    "biharmonic": torch.stack([torch.from_numpy(inpaint_biharmonic(x[0].numpy(), h[0].numpy()))[None] for x, h in zip(x_gray, hole, strict=True)]).float(),
    "PCA": copies(linear, x_gray).clamp(0, 1),
    "Convolutional": copies(conv, x_gray),
    "Conv, inpainting": copies(inpainter, x_gray),
}
filled = {name: torch.where(hole, x_hat, some) for name, x_hat in filled.items()}
in_hole = {name: ((x_hat - some).square().sum() / hole.sum()).item() for name, x_hat in filled.items()}
pd.Series(in_hole, name="squared error per erased pixel").round(4).to_frame()

# %% mystnb={"figure": {"caption": "Holes filled in three ways; pixels outside of the hole are the true ones. Only the network trained to fill holes continues most strokes; where it is unsure, as in the 2, it paints something gray in between.", "name": "fig-00-filled"}, "image": {"alt": "Five rows of six digits: original, with a gray square, and filled by three methods. The last row completes most strokes."}}
plots.reconstruction_rows(some[:6], {"erased": x_gray[:6]} | {name: x_hat[:6] for name, x_hat in filled.items() if name != "Convolutional"})

# %% [markdown]
# The network trained to fill holes makes about half the error of its best competitor. The one that was trained on whole digits is the worst of all: a gray square is nothing that it has seen.
#
# ## Use 4: storing images in few bits
#
# A code of 32 numbers is small, but a number in memory takes 32 bits. **How coarse may the numbers be?** Round each to one of $2^b$ levels; then it takes $b$ bits. The levels divide the range in which 99 % of the training codes lie.


# %%
def quantized(z, bits, low, high):
    """Each number rounded to the nearest of 2^bits levels, evenly spaced from low to high."""
    last = 2**bits - 1
    level = ((z - low) / (high - low) * last).round().clamp(0, last)
    return low + level / last * (high - low)


# %%
def stored(model, images, bits):
    z_train = codes(model, data.train[:10_000])
    low, high = z_train.quantile(0.005, dim=0), z_train.quantile(0.995, dim=0)
    with torch.no_grad():
        return model.decode(quantized(codes(model, images), bits, low, high)).clamp(0, 1)


# %% mystnb={"figure": {"caption": "Quality of 5,000 training digits against the bits kept of each of 32 numbers. From about five bits on nothing is gained: the rounding is then finer than the copies are good.", "name": "fig-00-bits"}, "image": {"alt": "Two rising lines that flatten between four and six bits, the vanilla line above PCA's from three bits on."}}
watch = data.train[-profile(smoke=100, quick=5000, full=5000) :]
BITS = (1, 2, 3, 4, 5, 6, 8)
rounded = {name: (BITS, [psnr(stored(m, watch, b), watch.images()) for b in BITS]) for name, m in (("Vanilla", vanillas[0]), ("PCA", linear))}
plots.lines(rounded, "bits per number", "PSNR, dB")

# %% [markdown]
# Four bits lose less than half a decibel, so we take four: 32 numbers are then 128 bits, 16 bytes, for an image of 784 bytes.
#
# **Is that good?** Compare with JPEG {cite}`wallace1991jpeg`. A JPEG file begins with a header that holds its tables. For so small an image that is most of the file, even though we let Pillow shorten the tables (`optimize=True`). So we count JPEG in two ways. One digit a file is what you would really store. A sheet of 100 digits in one file
# shares the header among them, and is JPEG at its best. (JPEG works on blocks of 8 × 8 pixels, so each digit gets a black rim of two pixels to fill its blocks.)


# %%
def jpeg(x, quality, side):
    """Images through JPEG files of side × side digits: what comes back, and bits a digit."""
    bits, back = 0, []
    for sheet in x.split(side * side):
        tiles = F.pad(sheet, (2, 2, 2, 2)).view(side, side, 32, 32).transpose(1, 2).reshape(32 * side, 32 * side)
        file = BytesIO()
        Image.fromarray((255 * tiles).round().byte().numpy()).save(file, "jpeg", quality=quality, optimize=True)
        bits += 8 * file.tell()
        pixels = torch.from_numpy(np.array(Image.open(file))) / 255
        back.append(pixels.view(side, 32, side, 32).transpose(1, 2).reshape(-1, 1, 32, 32)[..., 2:-2, 2:-2])
    return torch.cat(back), round(bits / len(x))


# %% mystnb={"figure": {"caption": "Quality against size, for 1,000 test digits. Below 256 bits a digit the autoencoder and PCA are alone, and the autoencoder is the better one. At 20.7 dB JPEG needs nearly three times as many bits, even with its header shared; given enough bits, it passes any quality that these networks can reach.", "name": "fig-00-rate"}, "image": {"alt": "Four rising lines on a logarithmic axis of bits: vanilla and PCA at the left, JPEG in sheets in the middle, JPEG files at the right and rising highest."}}
thousand = data.test[: profile(smoke=100, quick=1000, full=1000)]
x_thousand = thousand.images()
curves = {
    name: ([4 * size for size in SIZES], [psnr(stored(models[size], thousand, 4), x_thousand) for size in SIZES])
    for name, models in {"Vanilla, 4 bits a number": sized, "PCA, 4 bits a number": linears}.items()
}
for name, side in {"JPEG, 100 digits a file": 10, "JPEG, a file each": 1}.items():
    sent = [jpeg(x_thousand, quality, side) for quality in (1, 5, 10, 20, 40, 60, 80)]
    curves[name] = ([bits for _, bits in sent], [psnr(x_hat, x_thousand) for x_hat, _ in sent])
figure = plots.lines(curves, "bits per digit", "PSNR, dB", log_x=True)
ticks = [32 * 2**i for i in range(8)]
figure.axes[0].set_xticks(ticks, ticks)
figure

# %% [markdown]
# How much is header? The cell stores black images, in which there is nothing to store. And digits are so simple that PNG, which loses nothing, takes no more than a JPEG file of middling quality.

# %%
def png(pixels):
    file = BytesIO()
    Image.fromarray(pixels.numpy()).save(file, "png", optimize=True)
    return 8 * file.tell()


print("a black JPEG file:", jpeg(torch.zeros(1, 1, 28, 28), 20, 1)[1], "bits")
print("a digit as PNG:", round(sum(png(x[0]) for x in thousand.x) / len(thousand)), "bits")

# %% [markdown]
# The comparison is kind to the autoencoder in two ways. It knows nothing but digits, while JPEG stores any picture. And its decoder, some hundred thousand weights, must be sent once before the first digit can be read; with four bytes a weight that
# is as much as the codes of 26,000 digits. It pays off for many images of one kind. The cell prints after how many digits.

# %%
decoder_bits = 32 * count_parameters(vanillas[0].decoder)
quality = dict(zip(*curves["Vanilla, 4 bits a number"], strict=True))[128]
enough = min(bits for bits, reached in zip(*curves["JPEG, 100 digits a file"], strict=True) if reached >= quality)
print(f"{quality:.1f} dB: 128 bits a digit; JPEG needs {enough}. Even after {decoder_bits / (enough - 128):,.0f} digits.")

# %% [markdown]
# ## Use 5: finding what does not belong
#
# An autoencoder copies well what is like its training images. So a large error may mark an *anomaly*, an image of another kind. To test this, hold one digit out of training: learn to copy nine digits, then look for the tenth by its error.
#
# Every threshold on the error finds some anomalies and raises some false alarms. The *ROC curve* shows both for all thresholds. The area under it, the *AUC*, is the probability that a random anomaly has a larger error than a random normal digit: 1 is perfect, 0.5 is a coin.


# %%
def without(digit):
    """The first 20,000 training images of the nine other digits."""
    return data.train[(data.train.y != digit).nonzero()[: profile(smoke=200, quick=20_000, full=20_000), 0]]


def errors(model):
    return image_errors(copies(model, x_test), x_test)


# %%
def watchman(digit, latent=16):
    return trained(lambda: vanilla(latent), images=without(digit), epochs=4)


def auc(model, digit):
    return roc_auc_score(data.test.y == digit, errors(model))


# %%
watchmen = {digit: watchman(digit) for digit in range(10)}
flat = {digit: pca(without(digit).images(), 16) for digit in range(10)}
found = {"Vanilla": {d: auc(watchmen[d], d) for d in range(10)}, "PCA": {d: auc(flat[d], d) for d in range(10)}}
pd.DataFrame(found).T.round(2)

# %% mystnb={"figure": {"caption": "ROC curves for two held-out digits, codes of 16 numbers. A 2 is found well, better by the autoencoder than by PCA. A 1 is found no better than by a coin. Worse, the largest errors, where one would look first, hold hardly a 1.", "name": "fig-00-roc"}, "image": {"alt": "Two panels. Held-out 2: both curves above the diagonal. Held-out 1: both curves start below it and cross it late."}}
figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.8), sharey=True)
for axis, digit in zip(axes, (2, 1), strict=True):
    for name, model in {"Vanilla": watchmen[digit], "PCA": flat[digit]}.items():
        false_alarms, hits, _ = roc_curve(data.test.y == digit, errors(model))
        axis.plot(false_alarms, hits, color=plots.color_of(name), label=f"{name}, AUC {found[name][digit]:.2f}")
    axis.plot((0, 1), (0, 1), ":", color="black", label="coin")
    axis.set(title=f"{digit} held out", xlabel="fraction of normal digits that raise an alarm")
    axis.legend(loc="lower right")
axes[0].set(ylabel="fraction of anomalies found")
plt.close(figure)
figure

# %% [markdown]
# ## What breaks it
#
# For nine of the ten digits the autoencoder is a better watchman than PCA; 1, 7 and 9 are hard for both. Look at the 1: it is an anomaly, and yet its error is small. A network that can draw strokes can draw a single one, and an image with little ink has little to get wrong. The error measures two things at once: how *strange* an image is, and how *complicated* it is
# {cite}`gong2019memorizing`.
#
# If that is right, an image that is stranger than any digit but simpler should pass without any alarm. The extreme is a black image. The cell tries it, with other images that are no digits.

# %% mystnb={"figure": {"caption": "What is no digit, copied by the vanilla network with 32 numbers; above each copy, its error. The black image, the dot and the bar pass as good digits. Busy images are found at once.", "name": "fig-00-strange"}, "image": {"alt": "Six images, black, a dot, a bar, a chessboard, noise and a negative digit, above their copies with errors."}}
torch.manual_seed(0)
black, dot, bar = torch.zeros(3, 1, 28, 28)
dot[:, 13:15, 13:15], bar[:, 13:16, 6:22] = 1, 1
chess = ((torch.arange(28) // 4)[:, None] + torch.arange(28) // 4) % 2
strange = torch.stack([black, dot, bar, chess[None].float(), torch.rand(1, 28, 28), 1 - x_test[0]])
strange_copies = copies(vanillas[0], strange)
normal = errors(vanillas[0])
low, middle, high = normal.quantile(torch.tensor([0.01, 0.5, 0.99])).tolist()
print(f"errors of test digits: half are below {middle:.1f}, one percent below {low:.1f} and one percent above {high:.1f}")
assert profile.name != "full" or image_errors(strange_copies, strange)[0] < high
plots.reconstruction_rows(strange, {"Vanilla": strange_copies})

# %% [markdown]
# There is a second half to it. **Does a network with a larger code still find the digit strange?** Give the network that never saw a 2 larger and larger codes, and watch both errors.

# %% mystnb={"figure": {"caption": "Error of the nine digits that were trained on, and of the 2, which was not, against the size of the code. Both fall: with 128 numbers the network copies a 2, which it never saw, better than one with 2 numbers copies what it was trained on.", "name": "fig-00-watch"}, "image": {"alt": "Two falling lines side by side, the held-out 2 above the normal digits."}}
WATCH = profile(smoke=(4, 16), quick=(2, 16), full=(2, 8, 16, 128))
sized_watchmen = {size: watchmen[2] if size == 16 else watchman(2, size) for size in WATCH}
is_two = data.test.y == 2
both = {"2, held out": is_two, "the nine others": ~is_two}
two_errors = {name: (WATCH, [errors(m)[which].mean().item() for m in sized_watchmen.values()]) for name, which in both.items()}
print("AUC:", {size: round(auc(m, 2), 2) for size, m in sized_watchmen.items()})
plots.lines(two_errors, "numbers in the code", "squared error per image", log_x=True, log_y=True)

# %% [markdown]
# A good autoencoder copies anomalies too. The AUC hardly changes, since the error of normal digits falls as well: a better copy does not make a better watchman. And no fixed threshold on the error means anything by itself. In practice the error is compared with that of images equally complicated.
#
# ## Draw one yourself
#
# Two of the networks run inside this page.
#
# - Draw a digit. Which of the two copies is nearer to it?
# - The anomaly score is the share of test digits whose error is smaller than your drawing's. Draw a spiral, then a single dot. Neither is a digit; which of the two does the score catch?
# - Draw a letter. Into which digit does each of them turn it?

# %%
explorer.draw({"Vanilla": vanillas[0], "Convolutional": conv}, data.train[:100], unseen=data.test[::5])

# %% [markdown]
# ## The numbers of this page
#
# There is no paper behind this chapter, so no published values stand beside ours. The vanilla network is trained from three random starts, and the spread follows the ±; the rest is trained once.

# %% tags=["hide-cell"]
def over(models, measure):
    return [measure(models[seed]) for seed in seeds]


def error_of(model):
    return per_image(copies(model, x_test), x_test)


# %% tags=["hide-cell"]
ERROR, PSNR = ("squared error", "per image", False), ("PSNR", "dB", True)
HOLE, AUC = ("squared error", "per erased pixel", False), ("area under the ROC curve", "of 1", True)
how = "60,000 training images, batch 128, Adam with one cycle, "
clip = "Gaussian noise of standard deviation 0.5, clipped to [0, 1]. "
hole_of = f"A hole of 10 × 10 pixels in each of the first {len(some)} test images. "
four = "32 numbers of 4 bits, first 1,000 test images."
table = [
    ("reconstruction", "Vanilla", ERROR, over(vanillas, error_of), how + "784-128-32, 5 epochs."),
    ("reconstruction", "Sparse", ERROR, [error_of(sparses[0.1])], how + "784-256, α = 0.1, 3 epochs."),
    ("reconstruction", "Convolutional", ERROR, [error_of(conv)], how + "32 numbers, 2 epochs."),
    ("reconstruction", "PCA", ERROR, [error_of(linear)], "32 components, not clipped."),
    ("active numbers of 256", "Sparse", ("active numbers", "per image", False), [activity(sparses[0.1])[0]], how + "α = 0.1, 3 epochs."),
    ("noise removed", "Conv, denoising", PSNR, [psnr(denoised["Conv, denoising"], x_test)], clip + how + "2 epochs."),
    *(("noise removed", n, PSNR, [psnr(denoised[n], x_test)], clip) for n in ("noisy", "median filter", "PCA", "Convolutional")),
    ("hole filled", "Conv, inpainting", HOLE, [in_hole["Conv, inpainting"]], hole_of + how + "2 epochs."),
    *(("hole filled", n, HOLE, [in_hole[n]], hole_of) for n in ("biharmonic", "PCA")),
    *(("stored in 128 bits", n.split(",")[0], PSNR, [dict(zip(*curves[n], strict=True))[128]], four) for n in list(curves)[:2]),
]

# %% tags=["hide-input"]
nine = "20,000 training images of the other nine digits, 4 epochs, codes of 16 numbers; the score is the error."
for digits, what in ((range(10), "mean of ten held-out digits"), ([2], "2 held out"), ([1], "1 held out")):
    for name in ("Vanilla", "PCA"):
        table.append((f"anomalies, {what}", name, AUC, [float(np.mean([found[name][d] for d in digits]))], nine))
for claim, model, (metric, unit, higher), values, protocol in table:
    claims.add(claim, model=model, dataset="MNIST test", metric=metric, unit=unit, higher_is_better=higher,
               values=values, seeds=list(range(len(values))), protocol=protocol)
claims.save()
claims

# %% [markdown]
# ## Summary
#
# - An autoencoder copies its input through a code that makes copying hard. A narrow code, a sparse code and damage to the input are three ways to make it hard.
# - With 32 numbers it copies digits with about half of PCA's error.
# - Trained on damage and its undoing, it removes noise and fills holes, because it knows what digits look like.
# - As a compressor of digits it beats JPEG at low rates. It can store nothing else.
# - Its error finds strange images only if they are not simple. A black image passes as an excellent digit.
#
# Next, [chapter 1](01_hinton_salakhutdinov) goes deeper, to the network of 2006 with which it all began.
#
# ## Exercises
#
# **1.** How bad is the worst reasonable answer? Always reply with the mean training image. Show that its error on the training images is the sum of the pixels' variances, and that PCA's error with any number of components is smaller.

# %% tags=["hide-cell"]
mean_image = x_train.mean(0).expand_as(x_train)
variances = x_train.flatten(1).double().var(0, correction=0).sum().item()
assert abs(per_image(mean_image, x_train) / variances - 1) < 1e-3
assert per_image(copies(pca(x_train, 1), x_train), x_train) < variances

# %% [markdown]
# **2.** The levels of a quantized code are not used equally often, so a clever archiver needs fewer than four bits for each. The least it needs is the entropy, $-\sum_k p_k \log_2 p_k$, where $p_k$ is how often level $k$ occurs. Estimate the saving.

# %% tags=["hide-cell"]
z = codes(vanillas[0], data.train[:5000])
low, high = z.quantile(0.005, dim=0), z.quantile(0.995, dim=0)
levels = ((quantized(z, 4, low, high) - low) / (high - low) * 15).round().long()
frequencies = F.one_hot(levels, 16).double().mean(0)  # (32, 16), a row for each number of the code
entropy = torch.special.entr(frequencies).sum(1) / np.log(2)
assert (entropy > 0).all() and (entropy < 4).all()
print(f"{entropy.sum():.0f} bits instead of 128")

# %% [markdown]
# **3.** A convolution does the same at every place. Shift an image by four pixels and show that the second layer's output, whose places are four pixels apart, shifts by one.

# %% tags=["hide-cell"]
layers = conv.encoder[:4]
with torch.no_grad():
    before, after = layers(x_test[:50]), layers(x_test[:50].roll(4, dims=3))
# The rim is left out: there the convolutions see the padding beyond the image.
torch.testing.assert_close(after[..., 2:-1, 3:-1], before[..., 2:-1, 2:-2], rtol=1e-4, atol=1e-4)

# %% [markdown]
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
