# ---
# jupyter:
#   chapter:
#     source: Ng 2011
#     idea: 'A wide code of which few units are active at a time: each unit stands for something.'
#     thumbnail: fig-03-edges-100
#     result:
#       claim: 'two sparse layers of 200, after fine-tuning'
#       model: 'KL to ρ'
#       says: 'Two sparse layers reach {ours} %; published: {paper} %'
#     family:
#       - model: Sparse
#         year: '2011'
#         copying: by a penalty on the code
#     summary:
#       - model: Sparse, by a penalty
#         label: Sparse
#         idea: a wide code of small mean activation or small size
#         objective: $L(x, \hat x)$ $+ \, \beta \sum_j \text{KL}(\rho \Vert \hat\rho_j)$ or $+ \, \alpha \lVert z \rVert_1$
#         latent: a wide vector, mostly near zero
#         use: features that can be looked at one by one
#         weakness: shrinks what it keeps
#       - model: Sparse, top-k
#         label: Top-k
#         idea: keep the $k$ largest units
#         objective: $L(x, \hat x)$, the others set to zero
#         latent: a wide vector with $k$ units active
#         use: the same, with the sparseness given
#         weakness: dead units
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
# # Sparse autoencoders
#
# *Ng, lecture notes of Stanford's CS294A (2011) {cite}`ng2011sparse`, and what became of them.*
# [Open in Colab](https://colab.research.google.com/github/address--not-fixed/autoencoders/blob/main/notebooks/03_sparse.ipynb)
#
# - A code may be wider than the image if few of its units are active at a time. Trained on patches of photographs, each
#   unit then becomes an edge.
# - There are three ways to keep a code sparse: a penalty on mean activations, a penalty on the code's size, and simply
#   keeping the k largest. We put all three on one network and compare.
# - One of the three shrinks what it should reconstruct, another leaves units dead. We measure both, and try the cures.

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
import matplotlib.pyplot as plt
import pandas as pd
import torch
from torch import nn

from aelib import explorer, plots
from aelib.data import Batch, mnist, photographs, whiten, whitened_patches
from aelib.likelihoods import bernoulli_kl
from aelib.metrics import accuracy, codes, dead_units, l0, reconstructions, refit, unexplained
from aelib.models.sparse import AuxK, DeadUnits, KLSparse, L1Sparse, Sparse, SparseAutoencoder
from aelib.models.sparse_activations import TopK
from aelib.models.stacked import Classifier, LabelCrossEntropy, OnCodes
from aelib.records.claims import Claims
from aelib.records.first_edition import recorded
from aelib.records.profiles import current_profile
from aelib.training import Phase, fit
from aelib.training.optimizers import adam, adamw, one_cycle

profile = current_profile()
seeds = profile.seeds(smoke=1, quick=1, full=1)
claims = Claims("03_sparse")

# %% [markdown]
# ## The idea
#
# [Chapter 1](01_hinton_salakhutdinov) made copying hard by a narrow code, [chapter 2](02_denoising) by damaging the input. A {term}`sparse` autoencoder makes it hard in a third way. Its code $z$ may have
# more numbers than the image $x$, but for any one image most of them must be near zero. Which ones are not is then what the code says.
#
# Ng's network has one hidden layer of logistic units, $z = \sigma(Wx + b)$ and $\hat x = \sigma(Dz + c)$. The columns of $D$ are called the {term}`dictionary`. The loss has three terms:
#
# ```{math}
# :label: eq-03-cost
# L = \frac{1}{N} \sum_{n=1}^{N} \tfrac12 \lVert x_n - \hat x_n \rVert^2
#   + \frac{\lambda}{2} \left( \lVert W \rVert^2 + \lVert D \rVert^2 \right)
#   + \beta \sum_j \mathrm{KL}(\rho \,\Vert\, \hat\rho_j)
# ```
#
# The first is the squared error. The second, *weight decay*, keeps weights small; biases are free. The third asks each unit $j$ to be active rarely.
# Its mean activation over the images, $\hat\rho_j = \frac1N \sum_n z_{nj}$, should be a small number $\rho$. Read each as a coin's probability of heads. The Kullback–Leibler divergence, a kind of distance between the coins, is
#
# ```{math}
# :label: eq-03-kl
# \mathrm{KL}(\rho \,\Vert\, \hat\rho_j) = \rho \log \frac{\rho}{\hat\rho_j} + (1 - \rho) \log \frac{1 - \rho}{1 - \hat\rho_j} .
# ```
#
# It is zero at $\hat\rho_j = \rho$ and grows without bound as $\hat\rho_j$ goes to 0 or to 1. So a unit may neither sleep nor shout: it has to choose the few images for which it speaks.
#
# ## The data
#
# The exercise that goes with the notes takes 10,000 patches of 8 × 8 pixels from ten photographs of Olshausen and Field {cite}`olshausen1996emergence`. Those
# are no longer to be had as a package, so **these are other photographs**: ten that scikit-image ships. They are *whitened* as the originals were. Neighboring pixels of a photograph are nearly equal;
# whitening gives all frequencies the same power, so that what is left to learn is not that, but shapes.

# %% mystnb={"figure": {"caption": "Above: a photograph, and the same whitened: edges and textures remain. Below: twenty of the patches, scaled to lie between 0.1 and 0.9; gray is 0.5.", "name": "fig-03-data"}, "image": {"alt": "A gray photograph of a photographer with a camera beside its edge-like whitened form, over two rows of small noisy patches."}}
patches, patches_test = (whitened_patches(profile(smoke=1000, quick=n, full=n), seed=s) for s, n in ((0, 50_000), (2, 10_000)))
x_patches, p_test = patches.images(), patches_test.images()
camera = photographs()["camera"]
figure, axes = plt.subplot_mosaic([["a"] * 5 + ["b"] * 5, list("0123456789"), list("ABCDEFGHIJ")],
                                  figsize=(7.5, 5), height_ratios=(5, 1, 1))
axes["a"].imshow(camera, cmap="gray")
axes["b"].imshow(whiten(camera), cmap="gray", vmin=-4, vmax=4)
for name, patch in zip("0123456789ABCDEFGHIJ", p_test, strict=False):
    axes[name].imshow(patch[0], cmap="gray", vmin=0, vmax=1)
for axis in axes.values():
    axis.set_axis_off()
plt.close(figure)
figure

# %% [markdown]
# ## The cost
#
# Here is {eq}`eq-03-cost`, complete. The package's objective `KLSparse` must give the same number.


# %%
def sparse_cost(x, W, b, D, c, rho=0.01, weight_decay=1e-4, beta=3.0):
    """The cost (eq-03-cost) of patches x (N, 64)."""
    z = torch.sigmoid(x @ W.T + b)  # (N, units)
    x_hat = torch.sigmoid(z @ D.T + c)  # (N, 64)
    error = (x_hat - x).square().sum(1).mean()
    decay = W.square().sum() + D.square().sum()
    rho_hat = z.mean(0)  # (units,): the mean over the batch
    kl = rho * torch.log(rho / rho_hat) + (1 - rho) * torch.log((1 - rho) / (1 - rho_hat))
    return error / 2 + weight_decay / 2 * decay + beta * kl.sum()


# %%
torch.manual_seed(0)
net = SparseAutoencoder(25, nn.Sigmoid, shape=(1, 8, 8), output=nn.Sigmoid)
out = net(p_test[:100])
assert out.z.shape == (100, 25)
assert out.x_hat.shape == (100, 1, 8, 8)
ours = KLSparse(rho=0.01, weight_decay=1e-4, beta=3.0)({"ae": net}, Batch(p_test[:100], None))["loss"]
torch.testing.assert_close(ours, sparse_cost(p_test[:100].flatten(1), *net.parameters()))

# %% mystnb={"figure": {"caption": "The exercise's network, 64–25–64, drawn from the model: encoder in blue, decoder in orange.", "name": "fig-03-architecture"}, "image": {"alt": "Bar chart of three layers: 64, 25 and 64 numbers."}}
plots.architecture(net, (1, 8, 8))

# %% [markdown]
# ## Edges
#
# The exercise minimizes the cost on all 10,000 patches at once, by L-BFGS, with $\rho = 0.01$, $\lambda = 10^{-4}$ and $\beta = 3$. So do we. The mean in {eq}`eq-03-kl` is then the mean over all patches.


# %%
def minimize(model, objective, x, iterations):
    """Full-batch L-BFGS from Glorot's start, as in the exercise."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    search = torch.optim.LBFGS(model.parameters(), max_iter=iterations, history_size=20, line_search_fn="strong_wolfe")

    def closure():
        search.zero_grad()
        loss = objective({"ae": model}, Batch(x, None))["loss"]
        loss.backward()
        return loss

    search.step(closure)
    return model


# %%
iterations = profile(smoke=20, quick=400, full=400)
edge_nets = {}
for units in (25, 100):
    torch.manual_seed(0)
    model = SparseAutoencoder(units, nn.Sigmoid, shape=(1, 8, 8), output=nn.Sigmoid)
    edge_nets[units] = minimize(model, KLSparse(rho=0.01, weight_decay=1e-4, beta=3.0), x_patches[:10_000], iterations)

# %% mystnb={"figure": {"caption": "What each of the 25 units looks for: its weights, each on its own scale (red raises the unit, blue lowers it).", "name": "fig-03-edges"}, "image": {"alt": "A five by five grid of small images, each a red bar beside a blue one at some angle."}}
plots.filters(edge_nets[25].encoder[1].weight, (8, 8), columns=5)

# %% [markdown]
# Nearly each unit is an edge detector: a bright bar beside a dark one, or a few of them, at a place and an angle of its own. Nobody told the network about edges. They are what
# a patch can be composed of with few parts. Cells in the first visual area of the brain respond to edges too, which is why Olshausen and Field's result became famous.
#
# With 100 units, more than there are pixels, there is room for more kinds: fine stripes at every angle, broad edges, and blobs.

# %% mystnb={"figure": {"caption": "The same with 100 units, for 64 pixels: fine stripes at many angles, broad edges, and blobs.", "name": "fig-03-edges-100"}, "image": {"alt": "A ten by ten grid of small images: stripes, edges and blobs in red and blue."}}
plots.filters(edge_nets[100].encoder[1].weight, (8, 8))

# %% [markdown]
# Did the penalty do what it was asked to? The same 25 units are trained once more without it, and the mean activation of each unit is measured on new patches.

# %%
torch.manual_seed(0)
free = SparseAutoencoder(25, nn.Sigmoid, shape=(1, 8, 8), output=nn.Sigmoid)
minimize(free, Sparse(weight_decay=1e-4), x_patches[:10_000], iterations)
activations = {"KL to ρ": codes(edge_nets[25], patches_test), "No penalty": codes(free, patches_test)}
means = pd.DataFrame({name: z.mean(0) for name, z in activations.items()}).describe()
means.loc[["min", "mean", "max"]].round(4)

# %% mystnb={"figure": {"caption": "All activations of the 25 units on 10,000 new patches; the count is logarithmic. With the penalty nearly all are close to zero and few are large. Without it they gather around one half.", "name": "fig-03-activations"}, "image": {"alt": "Two histograms, one piled up at zero, one a hump in the middle."}}
plots.histogram({name: z.flatten() for name, z in activations.items()}, "activation", ylabel="patches × units", log_y=True)

# %% [markdown]
# The mean of each unit has landed within a fifth of $\rho = 0.01$, on patches that it never saw. Without the penalty it is near one half, where the logistic curve is straightest.
#
# ## Why a wide code needs a penalty
#
# Give a network twice as many ReLU units as pixels, and it can copy: one unit for each pixel, and one for each pixel's negative, since $x = \max(x, 0) - \max(-x, 0)$. Nothing about
# images needs to be learned for that. Logistic units can do nearly the same where their curve is straight. Does training find the copy? Look at the *Jacobian* $\partial \hat x_i / \partial x_k$: how output pixel $i$ follows
# input pixel $k$. For a copy it is the identity.

# %%
torch.manual_seed(0)
wide = SparseAutoencoder(100, nn.Sigmoid, shape=(1, 8, 8), output=nn.Sigmoid)
minimize(wide, Sparse(), x_patches[:10_000], iterations)
wide_nets = {"No penalty": wide, "KL to ρ": edge_nets[100]}


# %%
def jacobian(model, x):
    """The mean of ∂x̂/∂x over patches x (N, 1, 8, 8): (64, 64)."""
    each = torch.func.vmap(torch.func.jacrev(lambda one: model.decode(model.encoder(one[None]))[0].flatten()))(x)
    return each.flatten(2).mean(0).detach()


# %% mystnb={"figure": {"caption": "Mean Jacobian of two networks with 100 units: 64 output pixels (rows) against 64 input pixels (columns). Without a penalty: nearly the identity. With it: close to zero, since on most patches most units are silent.", "name": "fig-03-jacobian"}, "image": {"alt": "Two square images: a sharp red diagonal on the left, nearly blank on the right."}}
figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.4))
for axis, (name, model) in zip(axes, wide_nets.items(), strict=True):
    shown = axis.imshow(jacobian(model, p_test[:500]), cmap="RdBu_r", vmin=-1, vmax=1)
    axis.set(title=name, xlabel="input pixel", ylabel="output pixel")
    axis.grid(visible=False)
figure.colorbar(shown, ax=axes, label="output's change per input's change")
plt.close(figure)
figure

# %% [markdown]
# A network that copies does not care what it is given. So test both on patches, and on noise with the same mean and spread. The number is the fraction of variance that is left unexplained: 0 is a perfect copy, 1 is what the mean image scores.

# %%
torch.manual_seed(0)
noise = p_test.mean() + p_test.std() * torch.randn_like(p_test)
with torch.no_grad():
    wide_errors = {name: {"patches": unexplained(model(p_test).x_hat, p_test), "noise": unexplained(model(noise).x_hat, noise)}
                   for name, model in wide_nets.items()}
pd.DataFrame(wide_errors).T.round(3)

# %% [markdown]
# Without a penalty next to nothing of a patch is lost, and two thirds of the noise come through as well: the network has learned to pass pixels on. The sparse network loses much of a patch, and nearly all of the noise, which has no edges.
#
# ## Three ways to be sparse
#
# The penalty on mean activations needs units between 0 and 1. Two younger ways need not.
#
# - **L1.** Add $\alpha \sum_j |z_j|$ to the loss, with ReLU units. The slope of $|z|$ does not fade near zero, so small activations are driven to zero *exactly*. This is the lasso {cite}`tibshirani1996lasso`.
# - **Top-k.** No penalty at all. Keep the $k$ largest of the units and set the others to zero {cite}`makhzani2014ksparse`.
#
# L1 has a loophole: halve $z$, double the columns of $D$, and the penalty is halved for nothing. So columns of $D$ are kept at length one, for L1 and top-k both. In the package each variant overrides one term or one activation.

# %%
VARIANTS = {
    "KL to ρ": lambda s: (nn.Sigmoid, "free", KLSparse(rho=s)),
    "L1": lambda s: (nn.ReLU, "unit columns", L1Sparse(alpha=s)),
    "Top-k": lambda s: (lambda: TopK(s), "unit columns", Sparse()),
}
STRENGTHS = {"KL to ρ": (0.1, 0.05, 0.02, 0.01), "L1": (0.02, 0.05, 0.1, 0.2), "Top-k": (32, 16, 8, 4)}


def train_variant(name, strength):
    torch.manual_seed(0)
    activation, decoder, objective = VARIANTS[name](strength)
    model = SparseAutoencoder(256, activation, shape=(1, 8, 8), decoder=decoder)
    if name == "KL to ρ":  # by L-BFGS, as above: logistic units from Glorot's start learn slowly by Adam
        return minimize(model, objective, x_patches[:10_000], iterations // 2)
    phase = Phase(objective, adam(3e-3), one_cycle())
    fit({"ae": model.center(x_patches)}, phase, patches, epochs=profile(smoke=1, quick=2, full=8), batch_size=500)
    return model


variants = {(name, s): train_variant(name, s) for name, strengths in STRENGTHS.items() for s in strengths}

# %% [markdown]
# Two numbers matter: how many units are active for a patch, written $L_0$, and how much of the patches is left unexplained. A logistic unit is never exactly zero, so for KL we count activations above 0.1; the many small ones take part in the reconstruction and go uncounted.

# %%
frontier = {name: ([], []) for name in VARIANTS}
for (name, _), model in variants.items():
    z = codes(model, patches_test)
    frontier[name][0].append(l0(z > (0.1 if name == "KL to ρ" else 0)))
    frontier[name][1].append(unexplained(reconstructions(model, patches_test), p_test))

# %% mystnb={"figure": {"caption": "Unexplained variance of new patches against the number of active units, of 256, for four strengths of each way. Lower left is better: top-k is below L1 at any number of active units. For KL only units above 0.1 are counted, which flatters it: see the text.", "name": "fig-03-frontier"}, "image": {"alt": "Three falling lines on a logarithmic axis; top-k is below L1, KL is at the far left but for one point."}}
plots.lines(frontier, "active units, L0", "variance unexplained", log_y=True)

# %% [markdown]
# KL's line is no victory. With free columns and a linear output the network meets its mean by making *all* activations small and the columns of $D$ large: at three of the four strengths hardly a unit is above 0.1, and yet all 256 carry the patch. A small mean is not a sparse code. Compare L1 and top-k, which count fairly: top-k explains more.
#
# ## Shrinkage
#
# Why does L1 lose? It has to pay for every active unit's *size*. With orthonormal columns the best answer is known: each activation is too small by exactly $\alpha$ (exercise 3). This is {term}`shrinkage`, and it makes L1's reconstructions pale.
#
# To measure it, keep which units are active and solve for the best sizes, by least squares. What that gains is what shrinkage cost.

# %%
rows = {}
for name, s in (("L1", 0.05), ("L1", 0.1), ("L1", 0.2), ("Top-k", 16), ("Top-k", 8), ("Top-k", 4)):
    model, z = variants[name, s], codes(variants[name, s], patches_test)
    with torch.no_grad():
        wanted = (p_test.flatten(1) - model.decoder[0].bias)
        best = refit(z, model.dictionary(), wanted)
        rows[f"{name}, {s}"] = {"active units": l0(z), "unexplained": unexplained(model.decode(z), p_test),
                                "refitted": unexplained(model.decode(best), p_test),
                                "size of z / refitted": (z.sum() / best.sum()).item()}
shrinkage = pd.DataFrame(rows).T
shrinkage.round(3)

# %% [markdown]
# L1's reconstructions gain between a half and three quarters of what they lack, top-k's little. Refitted, L1 is even ahead of top-k: at a like number of active units it leaves less unexplained. So its choice of units is good; it pays for the choice with their sizes.
# This is the case for top-k in one line: nothing pulls its units to zero.
#
# ## Dead units
#
# Top-k has a trouble of its own. A unit that does not win gets no gradient, so it does not learn to win: it is a {term}`dead unit`. With 512 units for 64 pixels, that happens to many. The cure of Gao et al. {cite}`gao2025scaling`
# is an auxiliary loss, *AuxK*. Take the dead units alone, and let them reconstruct what the living have left over:
#
# ```{math}
# :label: eq-03-auxk
# L = \tfrac12 \lVert x - \hat x \rVert^2 + \tfrac{\alpha}{2} \lVert (x - \hat x) - D z_{\text{dead}} \rVert^2
# ```
#
# The residual $x - \hat x$ is held fixed in the second term, and only the 32 dead units (half the pixels) that would be most active take part. A unit counts as dead when it was not active for 5,000 patches in a row. The paper has $\alpha = 1/32$, but divides both errors by the size of what they should match;
# the residual is about a quarter of the patch here, so our $\alpha = 1/4$ is of like strength. We try two learning rates, too.

# %%
revival = {}
for rate in (0.003, 0.001):
    for label, objective in ((f"rate {rate}", Sparse()), (f"rate {rate}, AuxK", AuxK(alpha=0.25))):
        torch.manual_seed(0)
        model = SparseAutoencoder(512, lambda: TopK(8), shape=(1, 8, 8), decoder="unit columns").center(x_patches)
        nets = {"ae": model, "dead units": DeadUnits(512, patience=5000)}
        phase = Phase(objective, adam(rate), one_cycle(), updates=("ae",))
        history = fit(nets, phase, patches, epochs=profile(smoke=2, quick=2, full=6), batch_size=500)
        revival[label] = model, history

# %%
dead_counts = {name: dead_units(codes(model, patches)) for name, (model, _) in revival.items()}
misses = {name: unexplained(reconstructions(model, patches_test), p_test) for name, (model, _) in revival.items()}
pd.DataFrame({"never active": dead_counts, "unexplained": misses}).round(4)

# %% mystnb={"figure": {"caption": "Units idle for 5,000 patches or more, of 512, during training. At the large learning rate fewer die with AuxK, and some wake again in the last two epochs: a fifth fewer are idle at the end. At the small rate fewer die, and AuxK does not help.", "name": "fig-03-dead"}, "image": {"alt": "Four lines over six epochs that rise and level off; those of the larger learning rate are the higher ones, and one of them falls a little at the end."}}
plots.learning_curves({name: history for name, (_, history) in revival.items()}, "dead units", term="dead", log=False)

# %% [markdown]
# The larger rate explains more in the same number of steps, and kills more units: a large step can push a unit below its rivals on every patch, for good. There AuxK does what it promises, if modestly (the table counts units that are active for none of 50,000 patches, the figure those that have been idle for 5,000). At the smaller rate it does harm: units that win rarely, but do win, are drawn to the residual and win no more.
# Gao et al. report few dead units with AuxK and with the encoder started as the decoder's transpose, which all our networks are, after runs that are longer by orders of magnitude. At our size, count the dead before you cure them.
#
# ## Digits: how sparse for which use?
#
# Makhzani and Frey trained k-sparse autoencoders with 1,000 units on MNIST. Their units are linear, the decoder is the encoder's transpose, and $k$ is the only knob.
# Their question: does sparsity alone give codes from which a linear classifier can read the digit? These networks take minutes to train, so the page loads recorded runs.

# %%
digits = mnist().subset(train=profile(smoke=600, quick=None, full=None), test=profile(smoke=200, quick=None, full=None))
x_digits = digits.train.images()
held_out = len(digits.train) // 12
KS = profile(smoke=(25, 10), quick=(25, 10), full=(70, 40, 25, 10))


def k_sparse(k, seed=0):
    """A k-sparse autoencoder of the paper's form, trained on digits or loaded from its record."""
    torch.manual_seed(seed)
    model = SparseAutoencoder(1000, lambda: TopK(k, negative=True), decoder="tied").center(x_digits)

    def run():
        phase = Phase(Sparse(), adam(1e-3), one_cycle())
        epochs = profile(smoke=1, quick=3, full=10)
        return fit({"ae": model}, phase, digits.train[held_out:], epochs=epochs, batch_size=250, seed=seed)

    recorded(f"03-k{k}", model, run) if seed == 0 else run()
    return model


digit_nets = {k: k_sparse(k) for k in KS}

# %% mystnb={"figure": {"caption": "Weights of ten units each, the same ten places in networks trained with different k. Parts of strokes at k = 40 and 25, whole digits at k = 10, where about half of the units have kept the random weights that they started from.", "name": "fig-03-digit-filters"}, "image": {"alt": "Four rows of ten images of weights: speckled patches, strokes, and in the last row digits and noise."}}
some = torch.cat([model.encoder[1].weight[:10] for model in digit_nets.values()])
plots.filters(some, (28, 28), labels=[f"k = {k}" for k in digit_nets])

# %% [markdown]
# As $k$ falls each unit has to explain more alone. With 70 the weights are speckled and hard to read; with 40 and 25 they are parts of strokes; with 10 those that live look like whole digits. A code of that kind is near to a vote for a few prototypes. The others are dead: noise is what they started from.
#
# Which is best for a linear classifier? Train softmax regression on the frozen codes, a {term}`probe`. When codes are read rather than trained, the paper lets somewhat more than $k$ units be active. Both $k$ and how many times $k$ are read are chosen here on 5,000 training images that neither network nor classifier
# has seen, with a classifier trained on 20,000 others; these runs are recorded too.


# %%
def read_out(encoder, width, data, ridge=1e-4):
    """Softmax regression on a frozen encoder's codes, a convex problem: full batch, L-BFGS."""
    with torch.no_grad():
        z = torch.cat([encoder(data.batch(part).x) for part in torch.arange(len(data)).split(2000)])
    head = Classifier(nn.Identity(), width)
    steps = profile(smoke=5, quick=100, full=100)
    search = torch.optim.LBFGS(head.parameters(), max_iter=steps, history_size=10, line_search_fn="strong_wolfe")

    def closure():
        search.zero_grad()
        loss = nn.functional.cross_entropy(head(z).logits, data.y) + ridge / 2 * head.head.weight.square().sum()
        loss.backward()
        return loss

    search.step(closure)
    head.encoder = encoder
    return head


def with_k(model, k):
    """The encoder, with k units active."""
    return nn.Sequential(*model.encoder[:-1], TopK(k, negative=True))

# %%
def read_out_error(k, times, seed=0):
    """Validation error, %, of the read-out with times·k units active."""

    def run():
        encoder = with_k(digit_nets[k], times * k)
        head = read_out(encoder, 1000, digits.train[held_out : 5 * held_out])
        history = pd.DataFrame(columns=["epoch", "split", "phase", "term", "value"])
        history.attrs["error"] = 100 - accuracy(head, digits.train[:held_out]).percent
        return history

    return recorded(f"03-validation-k{k}-times{times}", nn.Module(), run, weights=False).attrs["error"]


validated = {times: [read_out_error(k, times) for k in KS] for times in profile(smoke=(1,), quick=(1,), full=(1, 2))}
errors = {(k, times): e for times, row in validated.items() for k, e in zip(KS, row, strict=True)}
best_times = {k: min(validated, key=lambda times: errors[k, times]) for k in KS}
best_k = min((k for k in KS if k <= 40), key=lambda k: errors[k, best_times[k]])  # those that the paper reports
print(f"chosen: k = {best_k}, read with {best_times[best_k] * best_k} active")

# %% mystnb={"figure": {"caption": "Error of softmax regression on codes of 5,000 held-out training digits, against k. Letting twice as many units be active when read helps at every k; k = 10 is too sparse.", "name": "fig-03-k"}, "image": {"alt": "Two lines over k, both highest at k = 10 and lowest in the middle."}}
plots.lines({f"{times}k active when read": (KS, row) for times, row in validated.items()}, "k in training",
            "validation error, %", log_x=True)

# %% [markdown]
# Now each $k$ with its best multiple, on all labels, and on the test set once. Then {term}`fine-tuning`: the encoder, too, is trained on the labels, from where the sparse autoencoder left it.


# %%
def fine_tune(head, epochs, rate, seed=0):
    phase = Phase(LabelCrossEntropy(), adamw(rate, weight_decay=0.1), one_cycle())
    fit({"classifier": head}, phase, digits.train, epochs=epochs, batch_size=250, seed=seed)
    return head


def test_errors(k, seed):
    """Test errors, %, of the read-out and of the fine-tuned network."""

    def run():
        model = digit_nets[k] if seed == 0 else k_sparse(k, seed)
        head = read_out(with_k(model, best_times[k] * k), 1000, digits.train)
        history = pd.DataFrame(columns=["epoch", "split", "phase", "term", "value"])
        history.attrs["code"] = 100 - accuracy(head, digits.test).percent
        fine_tune(head, profile(smoke=1, quick=2, full=5), 1e-3, seed)
        history.attrs["fine-tuned"] = 100 - accuracy(head, digits.test).percent
        return history

    return recorded(f"03-test-k{k}-seed{seed}", nn.Module(), run, weights=False).attrs


# %%
raw = 100 - accuracy(read_out(nn.Flatten(), 784, digits.train), digits.test).percent
on_test = {k: [test_errors(k, seed) for seed in (seeds if k == best_k else [0])] for k in KS if k <= 40}
table = {f"k = {k}": {kind: sum(e[kind] for e in runs) / len(runs) for kind in ("code", "fine-tuned")}
         for k, runs in on_test.items()}
pd.DataFrame({"raw pixels": {"code": raw}} | table).T.round(2)

# %% [markdown]
# The code is worth a lot: it takes the linear classifier from over 7 % to near 2 %, without a label in its making. It is not the paper's 1.35 %, and our target of 1.5 % is missed. Our networks see each image ten times; the paper's were trained far longer, and with $k$ lowered step by step, so that
# units do not die early. Fine-tuned, those with $k = 40$ and $25$ come under 1.5 %.
#
# ## Two sparse layers
#
# Ng's notes grew into Stanford's tutorial on unsupervised feature learning, UFLDL for short. Its exercise on digits stacks two KL-sparse layers of 200 units. The second is trained on the codes of the first ($\rho = 0.1$, $\lambda = 0.003$, $\beta = 3$). A softmax layer is trained on top, and then the whole is fine-tuned.


# %%
def stack(seed):
    """Two sparse layers, each trained on the codes below it; returns both."""
    torch.manual_seed(seed)
    first = SparseAutoencoder(200, output=nn.Sigmoid)
    second = SparseAutoencoder(200, shape=(200,), output=nn.Sigmoid)
    objective, epochs = KLSparse(rho=0.1, weight_decay=3e-3, beta=3.0), profile(smoke=1, quick=2, full=8)
    options = dict(data=digits.train, epochs=epochs, batch_size=250, seed=seed)
    fit({"ae": first}, Phase(objective, adam(2e-2), one_cycle()), **options)
    nets = {"ae": second, "below": first.encoder}
    fit(nets, Phase(OnCodes(objective), adam(2e-2), one_cycle(), updates=("ae",)), **options)
    return first, second


# %%
stack_accuracy = {"before fine-tuning": [], "after": []}
for seed in seeds:
    first, second = stack(seed)
    encoder = nn.Sequential(*first.encoder, *second.encoder)
    deep = read_out(encoder, 200, digits.train)
    stack_accuracy["before fine-tuning"].append(accuracy(deep, digits.test).percent)
    first_layer = SparseAutoencoder(200, output=nn.Sigmoid)
    first_layer.load_state_dict(first.state_dict())  # fine-tuning changes first
    fine_tune(deep, profile(smoke=1, quick=2, full=6), 2e-3, seed)
    stack_accuracy["after"].append(accuracy(deep, digits.test).percent)
pd.DataFrame(stack_accuracy).mean().round(2).to_frame("test accuracy, %")

# %% [markdown]
# Before fine-tuning we fall short of UFLDL's number, after it we pass it. Adam with batches gives the second layer a worse start than 400 iterations of L-BFGS on the whole set; fine-tuning forgives that.
#
# ## Dictionaries for large networks
#
# Since 2023 sparse autoencoders have had a second life, as microscopes {cite}`bricken2023monosemanticity,gao2025scaling`. A hidden unit of a language model often answers to several unrelated things. The hope is that the model's activations are sums of few directions, each with one
# meaning, and that a sparse autoencoder trained on the *activations* finds them. Gao et al. trained one with 16 million units on activations of GPT-4.
#
# We can do the same in small: the network under the lens is our own fine-tuned classifier, the activations are the 200 of its last hidden layer, the dictionary has 800 columns. That is twenty thousand times smaller, and digits are simpler
# than language: take what follows as a picture of the method, not as evidence about large models.

# %%
units = 800
torch.manual_seed(0)
seen = deep.encode(x_digits[:10_000]).detach()
lens = SparseAutoencoder(units, lambda: TopK(16), shape=(200,), decoder="unit columns").center(seen)
nets = {"ae": lens, "below": deep.encoder, "dead units": DeadUnits(units, patience=len(digits.train))}
phase = Phase(OnCodes(AuxK()), adam(1e-3), one_cycle(), updates=("ae",))
history = fit(nets, phase, digits.train, epochs=profile(smoke=1, quick=1, full=4), batch_size=500)


def purity(z, y, most=50):
    """For each unit, the share of the commonest digit among the images that excite it most: (units,)."""
    excited = y[z.topk(most, dim=0).indices]  # (most, units)
    return torch.stack([excited == digit for digit in range(10)]).float().mean(1).amax(0)


with torch.no_grad():
    neurons = deep.encode(digits.test.images())
    features = lens.encode(neurons)
    explained = 1 - unexplained(lens.decode(features), neurons)
active = (features > 0).float().mean(0)
often = active * len(features) >= 50  # else the 50 that excite a unit most would not excite it at all
print(f"{explained:.1%} of the activations' variance explained by {l0(features):.0f} of {units} units, {dead_units(features)} dead")
for name, z in {"neurons": neurons, "units": features[:, often]}.items():
    print(f"{name}: mean purity {purity(z, digits.test.y).mean():.2f}")

# %% mystnb={"figure": {"caption": "The ten test digits that excite a unit most, for six units active for about one digit in a hundred, a row each. Some rows are one way to write one digit; others mix digits that look alike.", "name": "fig-03-lens"}, "image": {"alt": "Six rows of ten handwritten digits, similar to each other within a row."}}
rare = (active - 0.01).abs().topk(6, largest=False).indices  # active for about one digit in a hundred
plots.image_grid(torch.cat([digits.test.images()[features[:, unit].topk(10).indices] for unit in rare]))

# %% [markdown]
# A row often shows one *way of writing* a digit rather than the digit: that is finer than the ten classes. But most units of this dictionary are dead, and the classifier's own neurons, which were trained on labels, are already pure; on this toy the dictionary has little left to untangle. Whether its units mean something is not
# settled by a picture of the ten best examples, here or in a language model.
#
# ## An explorer
#
# The first layer of the stack above runs in this page. Draw a digit, then draw what is no digit: a grid, a house, a row of dots.
#
# - What does it make of a stroke at the rim, where no digit has ink?
# - Which training digits have the nearest codes? Add one stroke, and see them change.
# - The anomaly score is the share of test digits with a smaller error. How much of the grid can you erase before it falls?

# %%
explorer.draw({"KL to ρ": first_layer}, digits.train[:200], unseen=digits.test[::5])

# %% [markdown]
# ## What breaks it
#
# The mean $\hat\rho_j$ in {eq}`eq-03-kl` should be over the data. In training by batches it is over the batch, and KL is convex: averaged over small batches the penalty is larger than that of the whole. In the extreme, a batch of *one* patch asks each unit to be $\rho$ for *every* patch. A unit that is always $\rho$ says nothing. So
# nothing but the mean image should be left: unexplained variance 1. The penalty that batches of one have on average is another override of one term.


# %%
class BatchesOfOne(KLSparse):
    def penalty(self, out, x):
        return self.beta * bernoulli_kl(self.rho, out.z) / len(x)


broken = {}
for name, objective in {"mean over the data": KLSparse(), "batches of one": BatchesOfOne()}.items():
    torch.manual_seed(0)
    model = SparseAutoencoder(25, nn.Sigmoid, shape=(1, 8, 8), output=nn.Sigmoid)
    minimize(model, objective, x_patches[:10_000], iterations)
    broken[name] = unexplained(reconstructions(model, patches_test), p_test)
print({name: f"{error:.1%} unexplained" for name, error in broken.items()})
assert profile.name != "full" or broken["batches of one"] > 0.95 > 0.8 > broken["mean over the data"]

# %% [markdown]
# The same happens by halves on several processes: each takes the mean over its own share of the batch. So give each process a large share.
#
# ## The published numbers and ours

# %% tags=["hide-input"]
NG = "UFLDL tutorial, exercise on stacked autoencoders"
K_SPARSE = "Makhzani & Frey 2014, as recalled"
common = dict(dataset="MNIST test", metric="error of softmax regression", unit="%", higher_is_better=False)
for k, paper in {40: 1.54, 25: 1.35, 10: 2.10}.items():
    if k in on_test:
        claims.add(f"linear read-out of the code, k = {k}", model="Top-k", **common, values=[e["code"] for e in on_test[k]], seeds=list(range(len(on_test[k]))),
                   paper=paper, paper_source=K_SPARSE, target=1.5 if k == best_k else None,
                   protocol=f"1000 linear units, tied weights, 10 epochs on 55,000 images without labels; read with {best_times[k] * k} active, "
                   "trained on 60,000 labels; chosen on 5,000 held-out training images.")
claims.add("fine-tuned", model="Top-k", **common, values=[e["fine-tuned"] for e in on_test[best_k]], seeds=seeds, paper=1.08, paper_source=K_SPARSE,
           protocol=f"From the code with k = {best_k}: all weights trained on 60,000 labels, 5 epochs.")
claims.add("softmax regression on raw pixels", model="none", **common, values=[raw], seeds=[0], paper=7.20, paper_source=K_SPARSE,
           protocol="60,000 labels, L-BFGS, 100 iterations.")
for when, paper in (("before fine-tuning", 87.7), ("after", 97.6)):
    claims.add(f"two sparse layers of 200, {when.replace('after', 'after fine-tuning')}", model="KL to ρ", dataset="MNIST test",
               metric="accuracy", unit="%", higher_is_better=True, values=stack_accuracy[when], seeds=seeds, paper=paper, paper_source=NG,
               protocol="ρ = 0.1, λ = 0.003, β = 3, 8 epochs a layer in batches of 250 by Adam; softmax on top; fine-tuned for 6 epochs.")

# %% tags=["hide-input"]
for name, (active_units, errors) in frontier.items():
    claims.add("patches: the frontier's third point", model=name, dataset="whitened photographs, 8 × 8", metric="variance unexplained",
               unit=f"fraction, at {active_units[2]:.1f} active units", higher_is_better=False, values=[errors[2]], seeds=[0],
               protocol="256 units, 8 epochs on 50,000 patches (KL: L-BFGS on 10,000); for KL, units above 0.1 are counted.")
for name, dead in dead_counts.items():
    claims.add(f"dead units, {name}", model="Top-k", dataset="whitened photographs, 8 × 8", metric="units never active on 50,000 patches",
               unit="of 512", higher_is_better=False, values=[dead], seeds=[0], protocol="k = 8, 6 epochs on 50,000 patches.")

# %% tags=["hide-input"]
claims.save()
claims

# %% [markdown]
# What differs from the sources:
#
# - The photographs are others than Olshausen and Field's. The filters cannot be compared one by one, only in kind.
# - UFLDL fine-tunes and stacks by L-BFGS on the full batch; our digits are trained by Adam in batches of 250. Its rate was picked from two after a look at how
#   well *test* images were reconstructed, which breaks this book's rule. No label was used, but the stack's two accuracies are not as clean as the others.
# - Makhzani and Frey trained far longer, and raised sparseness slowly. Their numbers are printed as recalled, not checked against the paper. Ours are of one seed.
# - Gao et al. subtract the decoder's bias from the input; ours starts there and is then free. They call a unit dead after ten million tokens, we after one epoch.
#
# ## Summary
#
# - A wide code without a penalty copies, noise too. With one, patches of photographs come apart into edges.
# - KL fixes each unit's mean activation, which a dense code of small numbers can meet too; L1 penalizes the size of the code; top-k fixes the number of active units.
# - L1 shrinks what it keeps. Top-k does not, and leaves units dead. A smaller learning rate kills fewer; AuxK wakes some of those that a large rate has killed.
# - The mean in the KL penalty is the batch's. Small batches change the objective.
#
# Next, [chapter 4](04_variational) turns the code into a distribution, so that new images can be drawn from it.
#
# ## Exercises
#
# **1.** L1's loophole: show that with free columns the penalty can be halved while the reconstruction stays, and that with unit columns it cannot in this way.

# %% tags=["hide-cell"]
torch.manual_seed(0)
for decoder, escapes in (("free", True), ("unit columns", False)):
    model = SparseAutoencoder(80, nn.ReLU, shape=(1, 8, 8), decoder=decoder)
    before = model(p_test[:50])
    with torch.no_grad():
        for layer, factor in ((model.encoder[1], 0.5), (model.decoder[0], 2.0)):
            layer.weight.mul_(factor)
        model.encoder[1].bias.mul_(0.5)
    after = model(p_test[:50])
    torch.testing.assert_close(after.z, before.z / 2)
    assert torch.allclose(after.x_hat, before.x_hat, atol=1e-5) == escapes

# %% [markdown]
# **2.** Measure how the KL penalty of the trained edge network depends on the size of the batch, from 1 to 1,000 patches.

# %% tags=["hide-cell"]
model, x = edge_nets[25], p_test[: profile(smoke=200, quick=1000, full=1000)]
with torch.no_grad():
    by_size = {size: torch.stack([KLSparse().penalty(model(part), part) for part in x.split(size)]).mean().item()
               for size in (1, 10, 100, len(x))}
values = list(by_size.values())
assert values == sorted(values, reverse=True)  # by Jensen's inequality

# %% [markdown]
# **3.** With orthonormal columns the best L1 code is the *soft threshold* $z_j = \mathrm{sign}(a_j) \max(|a_j| - \alpha, 0)$ of $a = D^\top x$. Check it: no small step in any direction lowers the loss.

# %% tags=["hide-cell"]
torch.manual_seed(0)
D, _ = torch.linalg.qr(torch.randn(64, 64, dtype=torch.float64))
x, alpha = p_test[0].flatten().double() - 0.5, 0.05
a = D.T @ x
z = a.sign() * (a.abs() - alpha).relu()


def loss(z):
    return 0.5 * (x - z @ D.T).square().sum(-1) + alpha * z.abs().sum(-1)


assert (loss(z + 1e-3 * torch.randn(1000, 64, dtype=torch.float64)) > loss(z)).all()

# %% [markdown]
# **4.** Does it matter where units start? Count the units of an untrained top-k network that win for no patch, with and without centering.

# %% tags=["hide-cell"]
never = {}
for centered in (True, False):
    torch.manual_seed(0)
    model = SparseAutoencoder(1024, lambda: TopK(8), shape=(1, 8, 8), decoder="unit columns")
    if centered:
        model.center(x_patches)
    never[centered] = dead_units(codes(model, patches[:1000]))
assert never[True] < never[False]

# %% [markdown]
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
