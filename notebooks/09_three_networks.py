# ---
# jupyter:
#   chapter:
#     source: Three networks, one protocol
#     idea: What architecture does, and what initialization does that is taken for architecture.
#     thumbnail: fig-09-cost
#     result:
#       claim: 'published protocol'
#       model: 'Conv'
#       says: 'Convolutional: error {ours} a pixel; published: {paper}'
#     family:
#       - model: Convolutional
#         year: SR, stacked
#         copying: by a narrow code
#     summary:
#       - model: Convolutional
#         label: Conv
#         idea: keep the image an image
#         objective: $L(x, \hat x)$
#         latent: a vector or a grid
#         use: the lowest error for its size
#         weakness: more expensive per epoch
#       - model: Super-resolution
#         label: SR
#         idea: see less than you must give back
#         objective: $L(x, \hat x)$ from a smaller $x$
#         latent: a vector
#         use: enlarging
#         weakness: invents detail, confidently
#       - model: Stacked
#         label: Stacked
#         idea: more dense layers
#         objective: $L(x, \hat x)$
#         latent: a vector
#         use: cheap, on any kind of input
#         weakness: depends on its random start
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
# # Super-resolution, convolutional, stacked
#
# *A comparison of three autoencoders on MNIST, published on GitHub {cite}`ashraf2025comparison`, reproduced and then questioned.*
# [Open in Colab](https://colab.research.google.com/github/address--not-fixed/autoencoders/blob/main/notebooks/09_three_networks.ipynb)
#
# - Three networks with the same 64 numbers for a code are trained for five epochs. The convolutional one wins by a factor
#   of seven over the dense one. We repeat it with three seeds.
# - One line of code, another random start, takes more than half of the loser's error away. The famous ranking measured
#   the start more than the network.
# - A better schedule lowers all three errors at the same cost. A classifier on the codes hardly notices.

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

import matplotlib.pyplot as plt
import pandas as pd
import torch
from joblib import Parallel, delayed
from torch import nn

from aelib import explorer, plots
from aelib.data import mnist
from aelib.metrics import codes, image_errors, per_pixel, psnr, reconstructions, svm
from aelib.models.autoencoder import Autoencoder, CrossEntropy, SquaredError
from aelib.models.convolutional import Convolutional, SuperResolution
from aelib.models.pca import pca
from aelib.nets import count_parameters, he_init
from aelib.records.claims import Claims
from aelib.records.first_edition import recorded
from aelib.records.profiles import current_profile
from aelib.training import Phase, fit
from aelib.training.optimizers import adam, one_cycle

profile = current_profile()
seeds = profile.seeds(smoke=1, quick=1, full=1)
epochs = profile(smoke=1, quick=2, full=5)
claims = Claims("09_three_networks")

# %% [markdown]
# ## The data
#
# MNIST has 60,000 digits to train on and 10,000 to test on, gray images $x$ of 28 × 28 pixels. Pixels run from 0
# (black) to 1 (white). All errors on this page are squared differences, averaged over the 784 pixels and over the
# test images: the unit of `nn.MSELoss`. Multiply by 784 for the unit of [chapter 1](01_hinton_salakhutdinov).

# %% mystnb={"figure": {"caption": "Twenty test digits of MNIST.", "name": "fig-09-data"}, "image": {"alt": "Two rows of ten handwritten digits, white on black."}}
data = mnist().subset(train=profile(smoke=500, quick=None, full=None), test=profile(smoke=200, quick=None, full=None))
x_test = data.test.images()
plots.image_grid(x_test[:20])

# %% [markdown]
# ## Three networks, one code size
#
# An autoencoder has an encoder $f$, which turns an image into a code $z = f(x)$, and a decoder $g$, which turns the code
# into an image again, $\hat x = \sigma(g(z))$. The sigmoid $\sigma$ keeps pixels between 0 and 1. Training makes
#
# ```{math}
# :label: eq-09-loss
# L = \frac{1}{N d} \sum_{n=1}^{N} \lVert x_n - \hat x_n \rVert^2
# ```
#
# small, with $d = 784$ pixels. All three networks below have 64 numbers in $z$.
#
# - **Stacked** sees the image as a list of pixels. Dense layers of 512, 256 and 128 ReLU units lead down to the code, and
#   the same widths back up.
# - **Conv** keeps the image an image: three convolutions with batch normalization, two of which halve its side, then one
#   linear layer to the code.
# - **SR**, for super-resolution, first shrinks the image to 14 × 14 pixels and must give back all 28 × 28. It is asked
#   for details that it never saw.
#
# Here is the convolutional network, complete. The package holds the same one; the cell checks that.


# %%
def conv(inputs, outputs, **options):
    return [nn.Conv2d(inputs, outputs, 3, padding=1, **options), nn.BatchNorm2d(outputs), nn.ReLU()]


torch.manual_seed(0)
encoder = nn.Sequential(
    *conv(1, 32, stride=2), *conv(32, 64, stride=2), *conv(64, 128), nn.Flatten(), nn.Linear(128 * 7 * 7, 64)
)
decoder = nn.Sequential(
    nn.Linear(64, 128 * 7 * 7), nn.ReLU(), nn.Unflatten(1, (128, 7, 7)), *conv(128, 64),
    nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
    nn.ConvTranspose2d(32, 1, 4, stride=2, padding=1),
)

torch.manual_seed(0)
model = Convolutional()
z = encoder(x_test[:8])
assert z.shape == (8, 64)
torch.testing.assert_close(decoder(z).sigmoid(), model(x_test[:8]).x_hat)

# %% [markdown]
# The drawing comes from the model itself. Each bar is a layer; its height is how many numbers the layer puts out.

# %% mystnb={"figure": {"caption": "The convolutional autoencoder, layer by layer: encoder in blue, decoder in orange. Sizes are channels × height × width. The first layer puts out eight times as many numbers as the image has; the code has 64.", "name": "fig-09-architecture"}, "image": {"alt": "Bar chart of layer output sizes, high at both ends and lowest, 64, at the code in the middle."}}
plots.architecture(model)

# %%
NETWORKS = {
    "SR": SuperResolution,
    "Conv": Convolutional,
    "Stacked": partial(Autoencoder, (784, 512, 256, 128, 64), nn.ReLU),
}
pd.Series({name: count_parameters(make()) for name, make in NETWORKS.items()}, name="parameters").to_frame()

# %% [markdown]
# The published table says about 728 thousand, 774 thousand and 1.07 million. Counted from the published layers, the numbers are
# those above; SR is the largest of the three, not the smallest.
#
# ## The published protocol
#
# The {term}`protocol` is short: five epochs, batches of 128, Adam with a learning rate of $10^{-3}$, squared error. Nothing else: no schedule, PyTorch's own random start.
#
# Training Conv and SR this way takes minutes on two CPU cores. So this page trains Stacked, which takes seconds, and loads the weights of a
# recorded run for the other two. Every error is measured anew here, from the weights.

# %%
published = Phase(SquaredError(per_pixel=True), adam(1e-3))


def train(name, recipe, seed, start=lambda model: model, **options):
    """A network of this name, started by `start` and trained by the recipe, with its history."""
    torch.manual_seed(seed)
    model = start(NETWORKS[name]())

    def run():
        return fit({"ae": model}, data=data.train, epochs=epochs, seed=seed, **options)

    return model, run() if name == "Stacked" else recorded(f"09-{name}-{recipe}-seed{seed}", model, run)


runs = {(name, seed): train(name, "published", seed, phases=published) for name in NETWORKS for seed in seeds}

# %% [markdown]
# The test error is measured once, on all 10,000 test images. For a fair floor we add PCA with 64 components,
# the best *linear* code of this size; [chapter 1](01_hinton_salakhutdinov) introduces it. It has no hidden layer and needs no training.

# %%
PUBLISHED = {"SR": (0.008047, 0.007407), "Conv": (0.002153, 0.002096), "Stacked": (0.015532, 0.014568)}


def test_errors(runs, name):
    return [per_pixel(reconstructions(runs[name, seed][0], data.test), x_test) for seed in seeds]


linear = pca(data.train.images(), 64)
pca_error = per_pixel(reconstructions(linear, data.test).clamp(0, 1), x_test)
first = {name: test_errors(runs, name) for name in NETWORKS}
table = {name: {"published": PUBLISHED[name][1], "ours": sum(e) / len(e)} for name, e in first.items()}
pd.DataFrame(table | {"PCA-64": {"ours": pca_error}}).T

# %% tags=["hide-input"]
SOURCE = "Ashraf 2025, README, table «Test Set Reconstruction Error»"
for name in NETWORKS:
    claims.add(
        "published protocol", model=name, dataset="MNIST test", metric="squared error", unit="per pixel",
        higher_is_better=False, values=first[name], seeds=seeds, paper=PUBLISHED[name][1], paper_source=SOURCE, tolerance=0.15,
        protocol="64-number code, 5 epochs, batch 128, Adam 1e-3, PyTorch's default start, 60,000 training images.",
        )

# %% [markdown]
# The ranking is reproduced: Conv, then SR, then Stacked. So are the errors of Conv and Stacked, within 15 %. SR's is not; ours is lower. Layers, resizing, batches
# and optimizer are those of the published code, so look at its error epoch by epoch.

# %%
history = runs["SR", 0][1]
print("SR, training error by epoch:", *(f"{value:.4f}" for value in history.value), f"; published: {PUBLISHED['SR'][0]:.4f}")

# %% [markdown]
# The published training error lies between our third epoch and our fourth. Another seed does not explain that: our seeds differ by a hundredth of it. We do not know what does, and leave it as a miss.
#
# Two things deserve a second look. Stacked is worse than PCA, although a linear network of the same widths could compute PCA exactly. And Stacked has
# more parameters than Conv. What keeps it from using them?

# %% mystnb={"figure": {"caption": "Test digits and their reconstructions under the published protocol. The number above an image is its squared error, summed over pixels. Stacked blurs digits into one another; SR is sharper than PCA although it saw a quarter of the pixels.", "name": "fig-09-published"}, "image": {"alt": "Rows of digits: original, PCA, SR, Conv, Stacked; errors are lowest for Conv and highest for Stacked."}}
shown = {"PCA-64": reconstructions(linear, data.test[:10]).clamp(0, 1)}
shown |= {name: reconstructions(runs[name, 0][0], data.test[:10]) for name in NETWORKS}
plots.reconstruction_rows(x_test[:10], shown)

# %% [markdown]
# ## Where Stacked's error comes from
#
# Follow the signal through the untrained network. Write $h_l$ for the output of layer $l$. PyTorch starts a linear layer with $n$ inputs from a uniform
# distribution of variance $1/(3n)$. If the inputs have mean square $m$, each unit's sum has mean square $n \cdot m/(3n) = m/3$, and the ReLU
# keeps half of that:
#
# ```{math}
# :label: eq-09-shrink
# \mathbb{E}[h_{l+1}^2] \approx \tfrac{1}{6} \, \mathbb{E}[h_l^2]
# ```
#
# After eight layers what is left of the image is some $6^{-8}$, less than a millionth. The biases, which do not shrink, drown it: every
# image gives nearly the same output. He et al. {cite}`he2015delving` start from variance $2/n$ instead, which keeps the mean square as it is.
#
# The cell measures how much the layers' outputs *differ from image to image*, which is all that a code can use.


# %%
def spread_by_layer(model, x):
    """Standard deviation of each linear layer's output over the images, averaged over units."""
    spreads = []
    with torch.no_grad():
        for layer in [*model.encoder, *model.decoder]:
            x = layer(x)
            if isinstance(layer, nn.Linear):
                spreads.append(x.std(0).mean().item())
    return spreads


torch.manual_seed(0)
default = spread_by_layer(NETWORKS["Stacked"](), x_test)
he = spread_by_layer(he_init(NETWORKS["Stacked"]()), x_test)

# %% mystnb={"figure": {"caption": "How strongly each layer of the untrained Stacked network responds to the image. From PyTorch's default start the response falls by more than half at nearly every layer; from He's start it stays.", "name": "fig-09-signal"}, "image": {"alt": "Two lines over eight layers, logarithmic axis: default falls steeply, He is nearly flat."}}
plots.lines(
    {"Stacked, default start": (range(1, 9), default), "He start": (range(1, 9), he)},
    "layer", "spread over images (standard deviation)", log_y=True,
)

# %% [markdown]
# Now train the same network by the same protocol from He's start. Only one line differs.

# %%
he_runs = {("Stacked", seed): train("Stacked", "he", seed, start=he_init, phases=published) for seed in seeds}
he_errors = test_errors(he_runs, "Stacked")
print(f"default start {first['Stacked'][0]:.5f}, He start {he_errors[0]:.5f}, PCA-64 {pca_error:.5f}")

# %% mystnb={"figure": {"caption": "Training error of the Stacked network under the published protocol, from two random starts. The start alone is worth more than five epochs.", "name": "fig-09-he"}, "image": {"alt": "Two falling curves over five epochs; the He start is below the default start everywhere, by a factor of more than two at the end."}}
curves = {"Stacked, default start": runs["Stacked", 0][1], "He start": he_runs["Stacked", 0][1]}
plots.learning_curves(curves, "squared error per pixel")

# %% tags=["hide-input"]
claims.add(
    "published protocol from He's start", model="Stacked", dataset="MNIST test", metric="squared error",
    unit="per pixel", higher_is_better=False, values=he_errors, seeds=seeds, paper=PUBLISHED["Stacked"][1], paper_source=SOURCE,
    protocol="As published, but weights from N(0, 2/n) and zero biases.",
)

# %% [markdown]
# The published explanation of Stacked's last place is that dense layers have "no spatial awareness". That is true of them, but it is not what
# the number measured: with another start the same dense layers beat SR's published number and PCA. What remains between Stacked and
# Conv is the price of ignoring space, and it is a factor of less than three, not seven.
#
# ## A better schedule at the same cost
#
# Five epochs are few, so the learning rate matters. One cycle {cite}`smith2019super` raises it to a peak and then lowers it to zero.
# Small batches of 64 give twice as many steps. All three networks start from He's distribution.
#
# The peak is chosen by validation: train on 55,000 images, compare on the 5,000 held out, and only then look at the test set, once.
# Stacked, which is quick, trains for all five epochs here; the other two for two. For Stacked we also try another loss, the cross-entropy of
# [chapter 1](01_hinton_salakhutdinov). What is compared is the squared error all the same: it is what we report.

# %%
RATES = {
    "SR": (2e-3, 4e-3, 8e-3),
    "Conv": (5e-3, 1e-2, 2e-2, 4e-2),
    "Stacked": (1e-3, 2e-3, 4e-3, 8e-3),
    "Stacked, cross-entropy": (1e-3, 2e-3, 4e-3, 8e-3),
}


def ours(label, rate):
    objective = CrossEntropy() if "cross-entropy" in label else SquaredError()
    return Phase(objective, adam(rate), one_cycle())


def validation_error(label, rate):
    name = label.partition(",")[0]
    torch.manual_seed(100)  # a seed that no reported run uses
    model = he_init(NETWORKS[name]())
    options = dict(batch_size=64, seed=100, validation=len(data.train) // 12)
    options["epochs"] = profile(smoke=1, quick=1, full=5 if name == "Stacked" else 2)
    run = partial(fit, {"ae": model}, ours(label, rate), data.train, **options)
    history = recorded(f"09-validation-{label}-{rate:g}", model, run, weights=False)
    terms = history[history.split == "validation"].groupby("term").value.last()
    return terms.get("squared error", terms["loss"]) / 784


validated = {label: {rate: validation_error(label, rate) for rate in rates} for label, rates in RATES.items()}

# %% mystnb={"figure": {"caption": "Error on 5,000 held-out training images against the peak learning rate. The lowest point of each network is used below.", "name": "fig-09-rates"}, "image": {"alt": "Four short lines, two of them for Stacked; Conv's is far below the others."}}
plots.lines(
    {label: (list(e), list(e.values())) for label, e in validated.items()},
    "peak learning rate",
    "validation error per pixel",
    log_x=True,
    log_y=True,
)

# %%
best = {}
for name in NETWORKS:
    errors = {(label, rate): e for label in RATES if label.startswith(name) for rate, e in validated[label].items()}
    best[name] = min(errors, key=errors.get)
print({name: f"{label}, peak rate {rate:g}" for name, (label, rate) in best.items()})
our_runs = {
    (name, seed): train(name, f"ours-{rate:g}", seed, start=he_init, phases=ours(label, rate), batch_size=64)
    for name, (label, rate) in best.items()
    for seed in seeds
}
second = {name: test_errors(our_runs, name) for name in NETWORKS}

# %% tags=["hide-input"]
TARGETS = {"SR": 0.0041, "Conv": 0.0016, "Stacked": 0.0047}
for name in NETWORKS:
    claims.add(
        "our schedule, the same five epochs", model=name, dataset="MNIST test", metric="squared error",
        unit="per pixel", higher_is_better=False, values=second[name], seeds=seeds, paper=PUBLISHED[name][1], paper_source=SOURCE,
        target=TARGETS[name], protocol="5 epochs, batch 64, He start, Adam with one cycle; loss and peak rate chosen on 5,000 held-out training images.",
    )
pd.DataFrame({"published protocol": {n: first[n][0] for n in NETWORKS}, "ours": {n: second[n][0] for n in NETWORKS}})

# %% [markdown]
# ## What the codes know
#
# A code is useful if it makes the next task easy. That is tested by a {term}`probe`, a classifier trained on the codes. The published comparison trains a support vector machine with a Gaussian kernel on the 60,000 codes
# and reports 98.78 % for Conv. (Its text says "linear"; its code says `kernel="rbf", C=10`. We use the latter.) On raw pixels the same classifier reaches 98.37 %, on
# 64 principal components 98.60 %, so the bar is high before any network is trained.


# %%
def accuracy(model, width=1):
    z, z_test = codes(model, data.train), codes(model, data.test)
    return svm(z, data.train.y, z_test, data.test.y, width=width)


def in_parallel(models):
    """The accuracies of several models: scikit-learn's SVM uses one core each."""
    return dict(zip(models, Parallel(-1, prefer="threads")(delayed(accuracy)(m) for m in models.values()), strict=True))


probes = in_parallel(
    {("Conv, published", s): runs["Conv", s][0] for s in seeds}
    | {(f"{name}, ours", s): our_runs[name, s][0] for name in NETWORKS for s in seeds}
)
pd.DataFrame({"accuracy, seed 0": {name: str(a) for (name, s), a in probes.items() if s == 0}})

# %% [markdown]
# The standard error of an accuracy near 98.8 % on 10,000 images is 0.11 points. But all classifiers see the same test images and the same seeds, so we may look at
# *differences* seed by seed; they vary less than the accuracies themselves.


# %% tags=["hide-input"]
def difference(a, b):
    return [probes[a, s].percent - probes[b, s].percent for s in seeds]


pairs = [("Conv, ours", "SR, ours"), ("Conv, ours", "Stacked, ours"), ("Conv, ours", "Conv, published")]
for a, b in pairs:
    claims.add(
        "paired difference of the classifier's accuracy", model=f"{a} − {b}", dataset="MNIST test", higher_is_better=True,
        metric="difference of accuracies, seed by seed", unit="points", values=difference(a, b), seeds=seeds,
        protocol="SVC(C=10, gamma='scale') on the 64-number codes of all 60,000 training images.",
    )
pd.DataFrame({f"{a} − {b}": {"points, seed 0": difference(a, b)[0]} for a, b in pairs}).T.round(2)

# %% [markdown]
# The table at the end of the page has the same differences over three seeds, with their spread. Stacked's codes are worse by far more than that. Between Conv and SR,
# and between our schedule and the published one, the difference is of the size of its spread: no result.

# %% tags=["hide-input"]
CLASSIFIER = "Ashraf 2025, README, «Downstream Classification»"
for name, paper in {"Conv, published": 98.78, "Conv, ours": 98.78, "SR, ours": None, "Stacked, ours": None}.items():
    claims.add(
        "classifier on codes", model=name, dataset="MNIST test", metric="accuracy of an RBF-SVM on 64-number codes", unit="%",
        higher_is_better=True, values=[probes[name, s].percent for s in seeds], seeds=seeds, paper=paper,
        paper_source=CLASSIFIER if paper else "",
        protocol="SVC(C=10, gamma='scale') on the codes of all 60,000 training images.",
    )

# %% [markdown]
# Our schedule lowers Conv's reconstruction error by more than a third, and the classifier does not notice. A low squared error is a poor guide to a useful code:
# most of the error is in pixels at the edges of strokes, and the class does not depend on those.
#
# The classifier itself has more to give. Its kernel $e^{-\gamma \lVert z - z' \rVert^2}$ has a width, and `gamma="scale"` is only a rule of thumb for it: one over the code's size times its variance.
# Multiples of it are compared on training images, and the best is used on the test set, once.


# %%
def chosen_width(model):
    z, y = codes(model, data.train), data.train.y
    some = len(z) // 6
    tried = {width: svm(z[:some], y[:some], z[-some:], y[-some:], width=width) for width in (1, 2, 4)}
    print({width: str(a) for width, a in tried.items()})
    return max(tried, key=lambda width: tried[width].percent)


width = chosen_width(our_runs["Conv", 0][0])
tuned = [accuracy(our_runs["Conv", s][0], width) for s in seeds]
print(f"chosen: {width}; on the test set: {tuned[0]}")

# %% tags=["hide-input"]
claims.add(
    "classifier on codes, kernel chosen", model="Conv, ours", dataset="MNIST test", metric="accuracy of an RBF-SVM on 64-number codes",
    unit="%", higher_is_better=True, values=[a.percent for a in tuned], seeds=seeds, paper=98.78, paper_source=CLASSIFIER, target=98.9,
    protocol="SVC(C=10) on the codes of all 60,000 training images; gamma chosen by training on 10,000 of them and validating on 10,000 others.",
)

# %% [markdown]
# ## Pictures of the codes
#
# The published page draws 200 test codes, 20 of each digit, by t-SNE {cite}`maaten2008visualizing`. The method places points that are near each other in 64 dimensions near each other in the
# plane; distances between far groups mean little. PCA's view of the same codes is linear and shows less separation, but its axes mean the same everywhere.

# %% mystnb={"figure": {"caption": "The same 200 test codes of Conv, by t-SNE and by PCA. t-SNE shows groups by digit; in the two directions of largest variance the digits overlap.", "name": "fig-09-codes"}, "image": {"alt": "Two scatter plots colored by digit: separate groups left, overlapping clouds right."}}
twenty = torch.cat([(data.test.y == digit).nonzero()[:20, 0] for digit in range(10)])
few = data.test[twenty]
figure, axes = plt.subplots(1, 2, figsize=(9.6, 4))
for axis, project in zip(axes, ("t-sne", "pca"), strict=True):
    plots.latent_scatter(codes(our_runs["Conv", 0][0], few), few.y, project=project, axis=axis)
plt.close(figure)
figure

# %% [markdown]
# ## What each network costs
#
# Time each network for one epoch on a tenth of the data, here and now, in one run, and multiply by ten. The seconds are
# those of the machine named at the page's foot; their ratios hold elsewhere too.


# %%
def seconds_per_epoch(name):
    tenth = data.train[: len(data.train) // 10]
    history = fit({"ae": NETWORKS[name]()}, published, tenth, epochs=2)
    return 10 * history.attrs["seconds"][-1]  # the first epoch warms up


cost = {name: seconds_per_epoch(name) for name in NETWORKS}
points = {f"{name}, {recipe}": (cost[name], errors[name][0])
          for name in NETWORKS for recipe, errors in (("published", first), ("ours", second))}

# %% mystnb={"figure": {"caption": "Test error after five epochs against the time of one epoch. Circles: the published protocol. Squares: our schedule and start. Conv is the best and the dearest; our Stacked has a lower error than the published SR at a fraction of its time.", "name": "fig-09-cost"}, "image": {"alt": "Scatter plot with one circle and one square for each network; the squares are lower than the circles, the Stacked points far to the left."}}
plots.trade_off(points, "seconds an epoch", "test error per pixel")

# %% [markdown]
# Stacked is by far the cheapest. If a code is needed quickly and its use is classification, it is a sound choice. Conv
# pays for its low error with about eight times the time.
#
# ## Enlarging an image
#
# SR was never shown a full image at its input, so it can be used to enlarge: feed it a 14 × 14 digit, read a 28 × 28 one. The plain alternative is interpolation, which keeps all 196 numbers of the small image,
# where SR keeps 64. Which picture is nearer to the truth?

# %% mystnb={"figure": {"caption": "Digits shrunk to 14 × 14 and enlarged again, by bicubic interpolation and by SR through its code. The number above an image is its squared error, summed over pixels. Interpolation blurs; SR restores sharp strokes.", "name": "fig-09-enlarged"}, "image": {"alt": "Three rows of ten digits: original, bicubic, SR. SR's are sharper, and each of their errors is less than half of bicubic's."}}
coarse = nn.functional.interpolate(x_test, (14, 14), mode="bilinear")
bicubic = nn.functional.interpolate(coarse, (28, 28), mode="bicubic").clamp(0, 1)
enlarged = reconstructions(our_runs["SR", 0][0], data.test)
plots.reconstruction_rows(x_test[:10], {"bicubic": bicubic[:10], "SR": enlarged[:10]})

# %%
both = {"bicubic": bicubic, "SR": enlarged}
better = (image_errors(enlarged, x_test) < image_errors(bicubic, x_test)).float().mean().item()
print(f"SR is nearer to the truth on {better:.2%} of the test digits.")
pd.DataFrame(
    {name: {"error per pixel": per_pixel(x, x_test), "PSNR, dB": psnr(x, x_test)} for name, x in both.items()}
).T

# %% [markdown]
# ## Draw one yourself
#
# All digits so far come from the same few hundred hands. How does a code do on yours? Conv is too large for this page to carry, so here is a Stacked network with one hidden layer of 128 units,
# beside PCA. Both keep 64 numbers, and both run inside the page.
#
# - Draw a digit, or start from one of the examples and change it. Which pixels do the two get wrong?
# - Draw what is no digit: a letter, a face, a chessboard. Which of the two copies it better, and why is that no praise?

# %%
torch.manual_seed(0)
light = he_init(Autoencoder((784, 128, 64), nn.ReLU))
fit({"ae": light}, ours(*best["Stacked"]), data.train, epochs=profile(smoke=1, quick=2, full=5), batch_size=64)
explorer.draw({"Stacked, one hidden layer": light, "PCA-64": linear}, data.train[:300])

# %% [markdown]
# ## How large a code?
#
# The error falls with the size of the code, for PCA and for the networks alike. Stacked is quick enough to sweep.

# %%
sizes = profile(smoke=(4, 16), quick=(4, 16), full=(4, 8, 16, 32, 64))
swept, linear_errors = [], []
for size in sizes:
    torch.manual_seed(0)
    model = he_init(Autoencoder((784, 512, 256, 128, size), nn.ReLU))
    fit({"ae": model}, ours(*best["Stacked"]), data.train, epochs=profile(smoke=1, quick=1, full=2), batch_size=128)
    swept.append(per_pixel(reconstructions(model, data.test), x_test))
    flat = pca(data.train.images(), size)
    linear_errors.append(per_pixel(reconstructions(flat, data.test).clamp(0, 1), x_test))

# %% mystnb={"figure": {"caption": "Test error against code size: Stacked from He's start, two epochs each, and PCA. With 16 numbers Stacked does better than PCA with 32. Beyond that the gain shrinks; with 64 numbers two epochs do not suffice to pass PCA, while the five epochs above did.", "name": "fig-09-sizes"}, "image": {"alt": "Two falling lines on logarithmic axes, Stacked below PCA up to 32 numbers; at 64 they cross."}}
plots.lines(
    {"Stacked, He start": (sizes, swept), "PCA": (sizes, linear_errors)}, "numbers in the code", "test error per pixel",
    log_x=True, log_y=True,
)

# %% [markdown]
# ## What breaks it
#
# Eight layers from the default start still learn, slowly. If {eq}`eq-09-shrink` is right, a default stack four times as deep must fail outright:
# nothing of the image reaches its output. Then the best that training can do is to print the mean image for every input. The cell trains
# such a stack of 32 layers and checks the prediction. The same depth from He's start learns.

# %%
deep = (784, 512, 256, *[128] * 13, 64)
always_mean = per_pixel(data.train.images().mean(0).expand_as(x_test), x_test)
broken = {}
for name, start in (("default start", lambda m: m), ("He start", he_init)):
    torch.manual_seed(0)
    model = start(Autoencoder(deep, nn.ReLU))
    fit({"ae": model}, published, data.train, epochs=profile(smoke=1, quick=1, full=2))
    broken[name] = per_pixel(reconstructions(model, data.test), x_test)
print(f"the mean image {always_mean:.4f}", *(f"{name} {error:.4f}" for name, error in broken.items()), sep=", ")
assert profile.name != "full" or broken["default start"] > 0.98 * always_mean > 1.5 * broken["He start"]

# %% [markdown]
# ## The published numbers and ours

# %% tags=["hide-input"]
claims.save()
claims

# %% [markdown]
# What differs from the published comparison: the parameter counts (theirs do not match their layers); the weights of their random start are not recorded, so we
# can match their distribution, not their draw; and the classifier, where the text and the code disagree.
#
# ## Summary
#
# - Under one protocol Conv reconstructs best, SR next, Stacked last: reproduced, Conv and Stacked within 15 %.
# - Most of Stacked's error is its random start: He's start takes more than half of it away.
# - With a good start and one cycle, every network improves at the same number of epochs.
# - The codes' use for classification differs by less than a percent. The reconstruction error does not predict it.
#
# ## Exercises
#
# **1.** Equation {eq}`eq-09-shrink` is for ReLU. By what factor does a layer without any activation, from the default start, multiply the mean square? Check it on ten linear layers.

# %% tags=["hide-cell"]
torch.manual_seed(0)
x = torch.randn(1000, 256)
with torch.no_grad():
    for _ in range(10):
        layer = nn.Linear(256, 256)
        layer.bias.zero_()
        x = layer(x)
assert abs(x.square().mean().item() ** 0.1 - 1 / 3) < 0.02  # a third a layer: nothing halves it

# %% [markdown]
# **2.** Batch normalization makes Conv insensitive to its start. Multiply all weights of its first convolution by 100. What happens to the code, in training mode?

# %% tags=["hide-cell"]
torch.manual_seed(0)
model = Convolutional().train()
before = model.encode(x_test[:100])
with torch.no_grad():
    model.encoder[0].weight.mul_(100)
    model.encoder[0].bias.mul_(100)
after = model.encode(x_test[:100])
# Nothing, but for the small constant under the root: the normalization divides the factor out again.
assert (after - before).abs().max() < 0.05 * before.abs().max()

# %% [markdown]
# **3.** PCA-64 loses to Stacked from He's start. Show that a *linear* Stacked network, without any ReLU, cannot beat PCA's error on the images it was fitted to, however long it trains.

# %% tags=["hide-cell"]
few = data.train[:2000]
x = few.images()
flat = pca(x, 16)
torch.manual_seed(0)
one = Autoencoder((784, 128, 16), nn.Identity)
one.output = nn.Identity()
fit({"ae": one}, Phase(SquaredError(), adam(2e-3)), few, epochs=profile(smoke=5, quick=15, full=60), batch_size=100)
# A linear map of rank 16 at most: by the theorem of Eckart and Young none is nearer than PCA's.
assert per_pixel(reconstructions(one, few), x) >= per_pixel(reconstructions(flat, few), x)

# %% [markdown]
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
