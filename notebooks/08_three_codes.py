# ---
# jupyter:
#   chapter:
#     source: Rifai et al. 2011, van den Oord et al. 2017
#     idea: Three ways to shape a code, compared at equal budgets.
#     thumbnail: fig-08-symbols
#     result:
#       claim: 'one layer, fine-tuned'
#       model: 'Contractive'
#       says: 'Contractive: test error {ours} %; the paper has {paper} %'
#     family:
#       - model: Contractive
#         year: '2011'
#         copying: by a penalty on the code
#       - model: VQ-VAE
#         year: '2017'
#         copying: by a code of few symbols
#     summary:
#       - model: Contractive
#         label: Contractive
#         idea: a code that moves little where the input does
#         objective: $L(x, \hat x) + \lambda \lVert J \rVert_F^2$
#         latent: a vector
#         use: features that ignore small changes
#         weakness: the penalty is cheated unless weights are tied or the code's size counts
#       - model: Vector-quantized (VQ-VAE)
#         label: VQ-VAE
#         idea: a grid of symbols, each the nearest of $K$ vectors
#         objective: $\lVert x - \hat x \rVert^2$ $+ \, \lVert \text{sg}[z] - e \rVert^2$ $+ \, \beta \lVert z - \text{sg}[e]
#           \rVert^2$
#         latent: a grid of symbols
#         use: bits; a sequence model as prior
#         weakness: needs a second model to draw from; unused vectors
#       - model: FSQ
#         label: FSQ
#         idea: bound each number and round it
#         objective: $\lVert x - \hat x \rVert^2$, straight through the rounding
#         latent: a grid of symbols
#         use: the same without a codebook to learn
#         weakness: few numbers a place
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
# # Contractive, variational, vector-quantized
#
# *Rifai et al., ICML 2011 {cite}`rifai2011contractive`; Kingma and Welling, ICLR 2014 {cite}`kingma2014auto`; van den Oord et al., NeurIPS 2017 {cite}`oord2017neural`.*
# [Open in Colab](https://colab.research.google.com/github/address--not-fixed/autoencoders/blob/main/notebooks/08_three_codes.ipynb)
#
# - A code can be shaped in three ways: make it insensitive (contractive), make it a distribution (variational), or make it a list of symbols
#   (vector-quantized). We write the heart of the first and of the third here; [chapter 4](04_variational) has the second.
# - Then all three get the same data, the same convolutions, the same number of epochs and the same 49 places in the code. Five seeds each.
# - It is often said that the VQ-VAE reconstructs best. We test that where it can be tested: at an equal number of bits.

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
import copy
import math
from functools import partial

import matplotlib.pyplot as plt
import pandas as pd
import torch
from torch import nn

from aelib import explorer, plots
from aelib.data import Batch, mnist
from aelib.metrics import codes, per_pixel, reconstructions
from aelib.models.contractive import Contractive, ContractiveAutoencoder, encoder_jacobian, hutchinson
from aelib.nets import count_parameters, he_init
from aelib.records.claims import Claims
from aelib.records.first_edition import recorded
from aelib.records.profiles import current_profile
from aelib.training import Phase, fit
from aelib.training.optimizers import adam, one_cycle

profile = current_profile()
seeds = profile.seeds(smoke=1, quick=1, full=5)
few_seeds = seeds[:3]
claims = Claims("08_three_codes")

# %% mystnb={"figure": {"caption": "Twenty test digits of MNIST, the one data set of this page.", "name": "fig-08-data"}, "image": {"alt": "Two rows of ten handwritten digits, white on black."}}
data = mnist().subset(train=profile(smoke=300, quick=None, full=None), test=profile(smoke=100, quick=None, full=None))
x_test = data.test.images()
plots.image_grid(x_test[:20])

# %% [markdown]
# The networks on this page come from recorded runs; seed 0 of each is measured anew here, from its weights. Without the records (on Colab, say) the page trains everything, for more than an hour on two CPU cores.
#
# ## A code that does not move
#
# Let $J$ be the Jacobian of the encoder at an image, $J_{ji} = \partial z_j / \partial x_i$. It says how the code moves when the image moves a little. The *contractive autoencoder* (CAE)
# {cite}`rifai2011contractive` asks for a small one. To the reconstruction error $L$, here the cross-entropy, it adds the squared Frobenius norm, the sum of the squares of all entries:
#
# ```{math}
# :label: eq-08-contractive
# L(x, \hat x) + \lambda \lVert J(x) \rVert_F^2 .
# ```
#
# The two terms pull in opposite directions: a code that never moves cannot tell images apart. So the encoder must keep the directions in which digits differ, and may forget all others.
#
# A Jacobian of 1000 × 784 numbers for each image is expensive. For one logistic layer, $z = \sigma(W x + b)$, it need not be formed. The derivative of $\sigma(a)$ is $z(1 - z)$, so
#
# ```{math}
# :label: eq-08-closed
# \lVert J \rVert_F^2 = \sum_j \bigl(z_j (1 - z_j)\bigr)^2 \sum_i W_{ji}^2 .
# ```


# %%
def squared_norm(z, W):
    """(eq-08-closed) for outputs z (B, latent) of a logistic layer with weights W (latent, pixels)."""
    slope = z * (1 - z)  # (B, latent)
    return (slope**2 * (W**2).sum(1)).sum(1)  # (B,)


torch.manual_seed(0)
cae = ContractiveAutoencoder(1000)
x = x_test[:5]
W = cae.encoder[1].weight
exact = encoder_jacobian(cae.encode, x)  # by automatic differentiation
assert exact.shape == (5, 1000, 784)
torch.testing.assert_close(squared_norm(cae.encode(x), W), exact.square().sum((1, 2)))
torch.testing.assert_close(squared_norm(cae.encode(x), W), cae(x).jacobian)

# %% [markdown]
# Deep encoders have no such formula. But the norm is an average, which a few random vectors can estimate (Hutchinson's estimator {cite}`hutchinson1989stochastic`): if the entries of $v$ are $\pm 1$ by the toss of a coin, then
#
# ```{math}
# :label: eq-08-hutchinson
# \mathbb{E} \lVert J^\top v \rVert^2 = \sum_{j, j'} (J J^\top)_{j j'} \, \mathbb{E}[v_j v_{j'}] = \sum_j (J J^\top)_{jj} = \lVert J \rVert_F^2 ,
# ```
#
# and $J^\top v$ costs one backward pass, whatever the size of the code.

# %% mystnb={"figure": {"caption": "Hutchinson's estimate for one digit, relative to the exact norm, against the number of probe vectors: mean and range of thirty repetitions.", "name": "fig-08-hutchinson"}, "image": {"alt": "A horizontal line at one with a band that narrows to the right."}}
truth = exact[0].square().sum()
probes = [1, 2, 4, 8, 16, 32, 64]
thirty = x_test[:1].expand(30, -1, -1, -1)
draws = torch.stack([hutchinson(cae.encode, thirty)[1] / truth for _ in range(probes[-1])]).detach()
estimates = draws.cumsum(0)[[n - 1 for n in probes]] / torch.tensor(probes)[:, None]
runs = [(probes, one.tolist()) for one in estimates.T]
plots.bands({"estimate / exact": runs}, "probe vectors", "estimate relative to the exact norm")

# %% [markdown]
# ### The paper's table
#
# The paper trains one layer of 1000 units without labels, uses it to start a classifier with one hidden layer, and *fine-tunes* that with labels. It compares kinds of pretraining by the final test error. So do we: a plain autoencoder ($\lambda = 0$), a
# denoising one ([chapter 2](02_denoising)), the contractive one, and no pretraining at all. $\lambda$ and the rate of fine-tuning are chosen on 5,000 held-out digits.

# %%
from aelib.metrics import accuracy
from aelib.models.denoising import Denoising, GaussianNoise
from aelib.models.stacked import Classifier, LabelCrossEntropy

held_out = len(data.train) // 12
pretraining, tuning = profile(smoke=1, quick=3, full=10), profile(smoke=1, quick=3, full=10)


def pretrained(objective, seed, **options):
    torch.manual_seed(seed)
    model = ContractiveAutoencoder(1000)
    fit({"ae": model}, Phase(objective, adam(1e-3), one_cycle()), data.train, epochs=pretraining, seed=seed, **options)
    return model


def fine_tuned(model, rate, seed, **options):
    classifier = Classifier(copy.deepcopy(model.encoder), 1000)
    phase = Phase(LabelCrossEntropy(), adam(rate), one_cycle())
    return classifier, fit({"classifier": classifier}, phase, data.train, epochs=tuning, seed=seed, **options)


# %%
RATES = profile(smoke=(1e-3,), quick=(1e-3, 4e-3), full=(1e-3, 2e-3, 4e-3, 8e-3))


def validated(strength):
    """Errors on the held-out digits, in percent, one a rate; seed 100 is used by no reported run."""

    def run():
        model = pretrained(Contractive(strength), 100, validation=held_out)
        logs = [fine_tuned(model, rate, 100, validation=held_out)[1] for rate in RATES]
        last = [log[(log.split == "validation") & (log.term == "error")].value.iloc[-1] for log in logs]
        logs[0].attrs["errors"] = [float(error) for error in last]
        return logs[0]

    return recorded(f"08-validation-{strength:g}", nn.Module(), run, weights=False).attrs["errors"]


STRENGTHS = profile(smoke=(0.1,), quick=(1.0,), full=(0.3, 1.0, 3.0, 10.0))
found = {(s, rate): error for s in STRENGTHS for rate, error in zip(RATES, validated(s), strict=True)}
strength, rate = min(found, key=found.get)
print("held-out error, %:", {key: round(error, 2) for key, error in found.items()}, "chosen:", (strength, rate))

# %% [markdown]
# Besides the error, the paper reports two properties of the code: the mean of $\lVert J \rVert_F$ over images, and how many units are *saturated*, below 0.05 or above 0.95, where the slope $z(1 - z)$ is nearly zero.

# %%
PRETRAINING = {
    "Contractive": Contractive(strength), "Denoising": Denoising(Contractive(0.0), GaussianNoise(0.3)),
    "Autoencoder": Contractive(0.0), "Random start": None,
}


@torch.no_grad()
def properties(model):
    z = codes(model, data.test)
    norm = squared_norm(z, model.encoder[1].weight).sqrt().mean().item()
    return {"mean ‖J‖": norm, "saturated, %": 100 * ((z < 0.05) | (z > 0.95)).float().mean().item()}


def layer(name, seed):
    torch.manual_seed(seed)
    model = ContractiveAutoencoder(1000)

    def run():
        model.load_state_dict((pretrained(PRETRAINING[name], seed) if PRETRAINING[name] else model).state_dict())
        classifier, history = fine_tuned(model, rate, seed)
        history.attrs |= {"error, %": 100 - accuracy(classifier, data.test).percent, **properties(model)}
        return history

    kept = seed == 0 and name in ("Contractive", "Autoencoder")
    return model, recorded(f"08-layer-{name}-seed{seed}", model, run, weights=kept).attrs


# %%
layers = {(name, seed): layer(name, seed) for name in PRETRAINING for seed in few_seeds}
KEYS = ("error, %", "mean ‖J‖", "saturated, %")


def values(name, key):
    return [layers[name, seed][1][key] for seed in few_seeds]


ratios = [a / c for a, c in zip(values("Autoencoder", KEYS[1]), values("Contractive", KEYS[1]), strict=True)]
print(f"mean ‖J‖, plain over contractive: {sum(ratios) / len(ratios):.1f}; published: about 24")
again = properties(layers["Contractive", 0][0])
assert profile.name != "full" or abs(again["mean ‖J‖"] / layers["Contractive", 0][1]["mean ‖J‖"] - 1) < 0.02
pd.DataFrame({name: {key: sum(values(name, key)) / len(few_seeds) for key in KEYS} for name in PRETRAINING}).T.round(3)

# %% [markdown]
# The contractive layer moves a fifth as much as the plain one, and it does so by saturating its units: nine in ten of them. Its error is the lowest with each of the three seeds; the other three kinds can hardly be told apart.
#
# The paper's ratio of 24 is not reached, and the held-out digits do not ask for it: at the largest rate the strengths 1 and 10 have the same error, and of equals the search keeps the first. A larger rate of fine-tuning helped more than any strength, and the best one is again the largest that we tried.
#
# Which directions does it keep? The singular values of $J$ at a digit say how strongly the code responds to each direction in the space of images.

# %% mystnb={"figure": {"caption": "Singular values of the encoder's Jacobian, mean over four test digits, divided by the largest. The contractive layer's fall faster: it responds to few directions.", "name": "fig-08-spectrum"}, "image": {"alt": "Two falling curves over the index of the singular value on a logarithmic axis; the contractive one falls faster."}}
few, spectra, ranks = x_test[:4], {}, (1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 200)
for name in ("Autoencoder", "Contractive"):
    with torch.no_grad():
        z, W = layers[name, 0][0].encode(few), layers[name, 0][0].encoder[1].weight
        s = torch.linalg.svdvals((z * (1 - z))[:, :, None] * W).mean(0)  # the rows of J are scaled rows of W
    spectra[name] = (ranks, (s / s[0])[[rank - 1 for rank in ranks]].tolist())
plots.lines(spectra, "singular value, largest first", "relative size", log_x=True, log_y=True)

# %% [markdown]
# Over the first few directions the two are much alike. From the tenth on the contractive curve falls away: at the 200th it is at 0.04, where the plain one is at 0.36. It answers to few directions and forgets the rest. In the paper's reading the few strong directions are those along which a digit can be deformed and remain a digit.
#
# ## A code of symbols
#
# The *vector-quantized* autoencoder (VQ-VAE) {cite}`oord2017neural` allows each place of the code only $K$ values. The encoder answers with a grid of vectors, here 7 × 7 of them. Each is replaced by the nearest of $K$ {term}`codebook` vectors $e_1, \dots, e_K$, and the decoder sees only these:
#
# ```{math}
# :label: eq-08-nearest
# k_p = \arg\min_k \lVert z_p - e_k \rVert \qquad \text{for each place } p.
# ```
#
# So the code of an image is 49 numbers from 1 to $K$, or $49 \log_2 K$ bits. The choice has no useful gradient: it is constant almost everywhere. The paper's way out is the {term}`straight-through estimator` {cite}`bengio2013estimating`: forward, use $e$; backward, behave as if it had been $z$.
# The codebook then gets no gradient from the reconstruction, so it gets a term of its own. With sg for "stop the gradient here",
#
# ```{math}
# :label: eq-08-vq
# \lVert x - \hat x \rVert^2 + \lVert \text{sg}[z] - e \rVert^2 + \beta \lVert z - \text{sg}[e] \rVert^2 .
# ```
#
# The second term moves the chosen vectors to the encoder's answers. The third, the *commitment*, keeps the answers near the vectors. Here it is, complete.


# %%
def vq_loss(x, encoder, codebook, decoder, beta=0.25):
    """(eq-08-vq), summed over dimensions and averaged over the batch."""
    z = encoder(x).movedim(1, -1)  # (B, 7, 7, dim)
    nearest = torch.cdist(z.detach().flatten(0, 2), codebook.detach()).argmin(1).view(z.shape[:-1])
    e = codebook[nearest]  # (B, 7, 7, dim)
    passed = z + (e - z).detach()  # e in value, z in gradient
    x_hat = decoder(passed.movedim(-1, 1)).sigmoid()
    return (((x_hat - x) ** 2).sum() + ((z.detach() - e) ** 2).sum() + beta * ((z - e.detach()) ** 2).sum()) / len(x)


# %%
from aelib.models.quantizers import FSQ, EMAQuantizer, VectorQuantizer
from aelib.models.vqvae import VQLoss, small_vqvae

torch.manual_seed(0)
vq = small_vqvae(VectorQuantizer(512, 16))
parts = [*vq.encoder.parameters(), vq.codebook, *vq.decoder.parameters()]
inline = vq_loss(x_test[:8], vq.encoder, vq.codebook, vq.decoder)
ours = VQLoss()({"ae": vq.eval()}, Batch(x_test[:8], None))["loss"]
torch.testing.assert_close(ours, inline)
for a, b in zip(torch.autograd.grad(ours, parts), torch.autograd.grad(inline, parts), strict=True):
    torch.testing.assert_close(a, b)
assert vq.indices(x_test[:8]).shape == (8, 7, 7)

# %% [markdown]
# Two changes to it are in use. In the paper's second form the codebook has no gradient and no term: $e_k$ is the running mean of the answers that chose it (EMA, for exponential moving average), k-means one batch at a time. A vector that is hardly ever chosen is *dead*; we move it to a random answer of the encoder.
#
# And *finite scalar quantization* (FSQ) {cite}`mentzer2024finite` has no codebook to learn at all. Each place has a few numbers, each is bounded by a tanh and rounded to one of a few levels. Three numbers of eight levels make $8^3 = 512$ symbols. The loss is the squared error alone.

# %%
fsq = FSQ((8, 8, 8))
z = torch.randn(1, 3, 7, 7)
levels = (3.5 * (1 + z.tanh())).round()  # 0 to 7 in each of the three numbers
assert torch.equal(fsq.indices(z), (64 * levels[:, 0] + 8 * levels[:, 1] + levels[:, 2]).long())
torch.testing.assert_close(fsq(z).e, levels / 3.5 - 1)
assert fsq.codebook.shape == (512, 3)

# %% mystnb={"figure": {"caption": "The VQ-VAE, drawn from the model: encoder in blue, decoder in orange. Between them stand 16 × 7 × 7 numbers; but each of the 49 vectors is one of 512.", "name": "fig-08-architecture"}, "image": {"alt": "Bar chart of layer output sizes: three convolutions down, a grid of vectors, and three layers back up."}}
plots.architecture(vq)

# %% [markdown]
# ## Equal budgets
#
# Now the comparison. All networks share the convolutions of the drawing above, down to 32 × 7 × 7 and back. All get the same digits (a third of the 60,000), batches of 128, Adam with one cycle to $2 \cdot 10^{-3}$, and the same epochs. And all get **49 places** for the code:
#
# - **Autoencoder**: a linear layer to 49 numbers. No constraint.
# - **Contractive**: the same, with {eq}`eq-08-hutchinson` as the penalty. The penalty is divided by the variance of the codes; *What breaks it* shows why.
# - **VAE**: the same, with a Gaussian posterior for each of the 49 latents ([chapter 4](04_variational)), and pixels of standard deviation 0.1.
# - **VQ-VAE**: 49 symbols, $K = 512$, an EMA codebook of 16-number vectors.
# - **FSQ**: 49 symbols, $K = 512$, implied.

# %%
from aelib.likelihoods import Gaussian
from aelib.models.autoencoder import EncoderDecoder, SquaredError
from aelib.models.contractive import DeepContractive, RelativeContractive
from aelib.models.vae import ELBO, VAE
from aelib.models.vqvae import grid_decoder, grid_encoder

PLACES, K = 49, 512


def dense(ends=1):
    """Encoder and decoder with a linear layer between the shared convolutions and 49 numbers."""
    down = nn.Sequential(*grid_encoder(1)[:-1], nn.Flatten(), nn.Linear(32 * 49, ends * PLACES))
    up = nn.Sequential(nn.Linear(PLACES, 32 * 49), nn.ReLU(), nn.Unflatten(1, (32, 7, 7)), *grid_decoder(32))
    return down, up


def gaussian_vae(sigma):
    """A VAE whose gray pixels have this standard deviation."""
    return VAE(*dense(ends=2), likelihood=Gaussian(sigma, link="logit"))


MODELS = {
    "Autoencoder": lambda: EncoderDecoder(*dense()),
    "Contractive": lambda: DeepContractive(*dense()),
    "VAE": lambda: gaussian_vae(0.1),
    "VQ-VAE": lambda: small_vqvae(EMAQuantizer(K, 16)),
    "FSQ": lambda: small_vqvae(FSQ((8, 8, 8))),
}
pd.Series({name: count_parameters(make()) for name, make in MODELS.items()}, name="parameters").to_frame()

# %% [markdown]
# The strength of the contractive penalty: a penalty that does nothing is no comparison, nor is one that ruins the reconstruction. We take the largest of three whose held-out error is at most twice the plain network's, after two epochs.

# %%
epochs, digits = profile(smoke=1, quick=2, full=5), data.train[: profile(smoke=None, quick=20_000, full=20_000)]


def trained(name, model, objective, *, seed, epochs=epochs, **options):
    net = {"vae" if name == "VAE" else "ae": model}
    return fit(net, Phase(objective, adam(2e-3), one_cycle()), digits, epochs=epochs, seed=seed, **options)


def held_out_error(strength):
    torch.manual_seed(100)  # a seed that no reported run uses
    model = he_init(MODELS["Contractive"]())
    options = dict(seed=100, epochs=profile(smoke=1, quick=1, full=2), validation=held_out)
    run = partial(trained, "Contractive", model, RelativeContractive(strength), **options)
    history = recorded(f"08-strength-{strength:g}", model, run, weights=False)
    return history[(history.split == "validation") & (history.term == "reconstruction")].value.iloc[-1]


errors = {strength: held_out_error(strength) for strength in (0.0, 0.3, 1.0, 3.0)}
deep_strength = max(strength for strength, error in errors.items() if error <= 2 * errors[0.0])
print("squared error per image:", {s: round(float(e), 2) for s, e in errors.items()}, "chosen:", deep_strength)

# %% [markdown]
# What is measured on each network, once, on the test digits: the reconstruction (squared error per pixel, PSNR in decibels, SSIM {cite}`wang2004image`), the accuracy of logistic regression trained on the codes of 10,000 digits, and how well ten k-means clusters agree with the classes
# (normalized mutual information, NMI, and adjusted Rand index, ARI; 0 is chance, 1 is perfect).

# %% [markdown]
# For the question of bits, below, each network with 49 real numbers is also measured with its code rounded to 9 bits a number.

# %%
from aelib.metrics import clustering, logistic_regression, psnr, ssim
from aelib.metrics.rounding import Rounded

some = data.train[: profile(smoke=200, quick=10_000, full=10_000)]
part = data.test[: profile(smoke=100, quick=2000, full=2000)]


def measured(model):
    """Reconstruction and structure of the code, from the test digits."""
    x_hat = reconstructions(model, data.test)
    z, z_test = codes(model, some).flatten(1), codes(model, data.test).flatten(1)
    groups = clustering(z_test, data.test.y)
    # The symbols of K = 512 have nine bits as they are.
    nine = reconstructions(Rounded(model, some, 9), data.test) if z.shape[1] == PLACES else x_hat
    return {
        "error": per_pixel(x_hat, x_test), "error, 9 bits": per_pixel(nine, x_test), "PSNR": psnr(x_hat, x_test),
        "SSIM": ssim(x_hat[: len(part)], x_test[: len(part)]), "NMI": groups.nmi, "ARI": groups.ari,
        "probe": logistic_regression(z, some.y, z_test, data.test.y).percent,
    }


# %%
OBJECTIVES = {
    "Autoencoder": SquaredError(), "Contractive": RelativeContractive(deep_strength),
    "VAE": ELBO(), "VQ-VAE": VQLoss(codebook=0.0), "FSQ": SquaredError(),
}
watched = data.train[: profile(smoke=50, quick=2000, full=2000)]


def compared(name, seed, make=None, objective=None, label="", measure=measured):
    """A network of this name, trained, with what was measured on it and its error after each epoch."""
    torch.manual_seed(seed)
    model, curve = he_init((make or MODELS[name])()), []

    def run():
        def watch(end):
            curve.append(per_pixel(reconstructions(model, watched), watched.images()))

        history = trained(name, model, objective or OBJECTIVES[name], seed=seed, callbacks=[watch])
        history.attrs |= {"curve": curve, **measure(model)}
        return history

    history = recorded(f"08-{name}{label}-seed{seed}", model, run, weights=seed == 0 and not label)
    return model, history.attrs


runs = {(name, seed): compared(name, seed) for name in MODELS for seed in seeds}
models = {name: runs[name, 0][0] for name in MODELS}

# %%
from aelib.models.pca import pca

DIGITS = {"error": 5, "PSNR": 2, "SSIM": 3, "probe": 2, "NMI": 2, "ARI": 2}


def over_seeds(name, key):
    return [runs[name, seed][1][key] for seed in seeds]


table = {name: {key: sum(over_seeds(name, key)) / len(seeds) for key in DIGITS} for name in MODELS}
linear = pca(data.train.images(), PLACES)
table["PCA-49"] = {key: value for key, value in measured(linear).items() if key in DIGITS}
for name, model in models.items():  # seed 0, measured anew from its weights
    error = per_pixel(reconstructions(model, data.test), x_test)
    assert profile.name != "full" or abs(error / runs[name, 0][1]["error"] - 1) < 0.03
pd.DataFrame(table).T.round(DIGITS)

# %% [markdown]
# The table has the means over the seeds. Of the codes of 49 real numbers the plain one has the lowest error, with the VAE close behind; the contractive penalty costs a third more. The two grids of symbols lie below all of them.
# A low error does not make a readable code: FSQ has the second lowest error and a worse probe than the plain autoencoder, though it gives the probe three times as many numbers.

# %% mystnb={"figure": {"caption": "Test digits and their reconstructions. The number above an image is its squared error, summed over pixels.", "name": "fig-08-reconstructions"}, "image": {"alt": "Rows of digits: original, PCA, autoencoder, contractive, VAE, VQ-VAE, FSQ."}}
shown = {"PCA-49": linear, **models}
rows = {name: reconstructions(model, data.test[:10]).clamp(0, 1) for name, model in shown.items()}
plots.reconstruction_rows(x_test[:10], rows)

# %% [markdown]
# ## Are they stable?
#
# Five seeds each, from different random starts and in different order of the digits.

# %% mystnb={"figure": {"caption": "Error on 2,000 training digits after each epoch: mean of five seeds, and the band from the best to the worst.", "name": "fig-08-stability"}, "image": {"alt": "Five falling curves with narrow bands."}}
curves = {name: [(range(1, epochs + 1), curve) for curve in over_seeds(name, "curve")] for name in MODELS}
plots.bands(curves, "epoch", "squared error per pixel", log_y=True)

# %%
spread = {name: {"best": min(over_seeds(name, "error")), "worst": max(over_seeds(name, "error"))} for name in MODELS}
pd.DataFrame(spread).T.assign(ratio=lambda t: t.worst / t.best).round(5)

# %% [markdown]
# No run fails. The VQ-VAE is ahead of the other models with each of its seeds. Autoencoder and VAE overlap, and one of FSQ's five seeds ends a quarter above the others: with one seed the order of these three would be chance.
#
# ## Does the VQ-VAE reconstruct best?
#
# It depends on what is held equal. Of 49 places each, the autoencoder's hold real numbers, the VQ-VAE's one of 512 symbols: 9 bits. Make it fair in three ways.
#
# 1. **Equal bits.** Round the autoencoder's 49 numbers, after training, to $2^b$ levels between their smallest and largest values on the training digits. Then it too has $49 b$ bits; $b = 9$ is the VQ-VAE's budget.
# 2. **The VAE's bits.** A VAE transmits, on average, its KL divergence: that many bits suffice to send a sample of the code (the bound of [chapter 4](04_variational), read as a message length). A sharper pixel noise $\sigma_x$ buys more bits.
# 3. **Equal numbers.** The VQ-VAE's decoder sees 49 × 16 real numbers. Take the quantizer out and give the same network all 784 of them.


# %%
bits = profile(smoke=(2, 9), quick=(2, 9), full=tuple(range(2, 10)))
rounded = {b: per_pixel(reconstructions(Rounded(models["Autoencoder"], some, b), data.test), x_test) for b in bits}

# %% [markdown]
# The VAE with four noises, the VQ-VAE and FSQ with four sizes of codebook, and the paper's first form of the VQ-VAE, whose codebook follows the gradient and never restarts:

# %%
from aelib.metrics import code_grids, code_usage

SIZES = profile(smoke=(8, 64), quick=(8, 64), full=(8, 64, 512, 4096))
NOISES = profile(smoke=(0.1,), quick=(0.1,), full=(0.05, 0.1, 0.2, 0.4))
QUANTIZERS = {
    "VQ-VAE": (lambda size: EMAQuantizer(size, 16), VQLoss(codebook=0.0)),
    "FSQ": (lambda size: FSQ((8,) * round(math.log(size, 8))), SquaredError()),
    "Straight-through": (lambda size: VectorQuantizer(size, 16), VQLoss()),
}


def used(model):
    usage = code_usage(code_grids(model, data.test), len(model.codebook))
    error = per_pixel(reconstructions(model, data.test), x_test)
    return {"error": error, "perplexity": usage.perplexity, "percent": usage.percent}


def quantized(name, size):
    make, objective = QUANTIZERS[name]
    if (name, size) in (("VQ-VAE", K), ("FSQ", K)):
        return used(models[name])
    return compared(name, 0, lambda: small_vqvae(make(size)), objective, f"-K{size}", used)[1]


swept = {(name, size): quantized(name, size) for name in QUANTIZERS for size in SIZES}


# %%
@torch.no_grad()
def rate_and_error(model):
    """The KL divergence in bits per image, and the error of reconstructions from sampled codes."""
    torch.manual_seed(0)
    out = model(x_test)
    kl = 0.5 * (out.mu**2 + out.logvar.exp() - out.logvar - 1).sum(1).mean()
    return {"bits": kl.item() / math.log(2), "error": per_pixel(out.x_hat, x_test)}


noisy = {0.1: rate_and_error(models["VAE"])}
for sigma in set(NOISES) - {0.1}:
    noisy[sigma] = compared("VAE", 0, partial(gaussian_vae, sigma), None, f"-sigma{sigma:g}", rate_and_error)[1]


def its_error(model):
    return {"error": per_pixel(reconstructions(model, data.test), x_test)}


def free():
    return EncoderDecoder(grid_encoder(16), grid_decoder(16))


whole = compared("Autoencoder", 0, free, None, "-784", its_error)[1]

# %% mystnb={"figure": {"caption": "Test error against bits for the code of an image. Circles on one line belong to one kind of code. Lower and further left is better.", "name": "fig-08-rate"}, "image": {"alt": "Falling curves of error against bits for the rounded autoencoder, the VAE, the VQ-VAE and FSQ."}}
rates = {"Autoencoder, rounded": ([PLACES * b for b in bits], [*rounded.values()])}
rates["VAE"] = tuple(zip(*sorted((round(r["bits"]), r["error"]) for r in noisy.values()), strict=True))
for name in ("VQ-VAE", "FSQ"):
    rates[name] = [PLACES * math.log2(size) for size in SIZES], [swept[name, size]["error"] for size in SIZES]
plots.lines(rates, "bits for an image", "squared error per pixel", log_x=True, log_y=True)

# %%
budget = {name: over_seeds(name, "error") for name in ("VQ-VAE", "FSQ")}
budget["Autoencoder, rounded"] = over_seeds("Autoencoder", "error, 9 bits")
means = {name: sum(errors) / len(errors) for name, errors in budget.items()}
order = sorted(means, key=means.get)
print("49 places of 9 bits, best first:", ", ".join(f"{name} {means[name]:.5f}" for name in order))
print(f"784 numbers: VQ-VAE {means['VQ-VAE']:.5f}, the same network without its quantizer {whole['error']:.5f}")
verdict = "reconstructs best." if order[0] == "VQ-VAE" else f"does not reconstruct best: {order[0]} does."
print("At equal bits the VQ-VAE", verdict)

# %% [markdown]
# Read the figure at 441 bits, with the printed verdict. Nine bits are ample for one number of the autoencoder: rounding costs it next to nothing. At few bits the picture changes: the decoder meets codes that it never saw, while a quantizer that is trained with the network knows what it will be left with. And at the very left the VAE leads: its 98 bits do what the VQ-VAE needs 147 for.
#
# A caution about the verdict. The two networks of symbols have a sixth of the others' weights and keep the image's layout in their grids. After five short epochs that is an advantage. With a long training the dense layers of the others catch up, and the order may change.
#
# With equal *numbers* the question answers itself. A quantizer can only take away: without it the same network, with 784 free numbers and no bottleneck, copies the image.

# %% mystnb={"figure": {"caption": "Test digits and their codes: the 49 symbols of each, one color a symbol, under the learned codebook of the VQ-VAE.", "name": "fig-08-symbols"}, "image": {"alt": "A row of digits above a row of 7 by 7 colored mosaics; the corners have one color each, the same in all ten."}}
palette = torch.rand(K, 3, generator=torch.Generator().manual_seed(0))  # a color for each symbol
symbols = models["VQ-VAE"].indices(x_test[:10])  # (10, 7, 7)
plots.image_rows({"digit": x_test[:10], "symbols": palette[symbols].movedim(-1, 1)})

# %% [markdown]
# Look at the corners: each has a symbol of its own, the same in all ten digits. So the empty border is not spelled with one symbol. Near an edge the convolutions see its padding, and answer differently at each place; with 512 vectors there are enough for all of them.
#
# ## How much of the codebook is in use?
#
# A vector that is never chosen carries nothing. Two measures: the percentage of the $K$ symbols that occur at all on the test digits, and the {term}`perplexity`, the number of symbols that would give the same entropy if all were used equally often.

# %% mystnb={"figure": {"caption": "Percentage of the codebook that occurs on the test digits, against the size K of the codebook.", "name": "fig-08-codebook"}, "image": {"alt": "Three curves against the size of the codebook: straight-through, EMA with restarts, FSQ."}}
in_use = {name: (SIZES, [swept[name, size]["percent"] for size in SIZES]) for name in QUANTIZERS}
plots.lines(in_use, "codes K", "codes in use, %", log_x=True)

# %%
measures = {"percent": 1, "perplexity": 1, "error": 5}
found = {f"{name}, K = {size}": {key: one[key] for key in measures} for (name, size), one in swept.items()}
pd.DataFrame(found).T.round(measures)

# %% [markdown]
# The gradient alone leaves most of a large codebook unused: a code that no answer is near gets no gradient, and stays where it is. Restarts avoid it: with them nearly all vectors are in use at every size. FSQ, which is said to need no such care, does not keep its promise here. At $K = 64$ it uses 8 codes: one of its two numbers is stuck at one level, in the flat part of its tanh. Three or four numbers do not fare better. The authors of FSQ report it on photographs of 64 × 64 pixels: of 512 codes a VQ uses 96 %, of 2,048 29 %, of 16,384 only 3 %; FSQ uses nearly all. That is not reproduced in our short training.
# A full codebook is no end in itself, though: compare the errors.
#
# ## The structure of the codes
#
# Neighbors in the code should be neighbors in meaning. Here are 1,000 test digits by t-SNE.

# %% mystnb={"figure": {"caption": "Codes of 1,000 test digits by t-SNE: contractive, VAE, VQ-VAE.", "name": "fig-08-tsne"}, "image": {"alt": "Three scatter plots colored by digit."}}
thousand = data.test[: profile(smoke=60, quick=1000, full=1000)]
figure, axes = plt.subplots(1, 3, figsize=(13, 3.8))
for axis, name in zip(axes, ("Contractive", "VAE", "VQ-VAE"), strict=True):
    plots.latent_scatter(codes(models[name], thousand).flatten(1), thousand.y, name, "t-sne", axis)
plt.close(figure)
figure

# %% [markdown]
# In all three a digit's codes gather in groups, in the contractive code the least. The numbers behind the picture are in the table above: k-means finds groups that agree with the classes only in part.
#
# ### Between two digits
#
# Go in a straight line from one code to another and decode on the way. A symbol has no halfway, so the VQ-VAE's encoder grid is interpolated *before* it is quantized.

# %% mystnb={"figure": {"caption": "From one test digit to another in ten equal steps of the code.", "name": "fig-08-paths"}, "image": {"alt": "Five rows of eleven images that change from one digit to another, one row a model."}}
from aelib.metrics import interpolation, journey

different = (data.test.y != data.test.y.roll(1)).nonzero()[:200, 0]
ends = x_test[different], x_test[different - 1]
paths = {name: interpolation(model, *ends) for name, model in models.items()}
plots.image_rows({name: images[:, 3] for name, images in paths.items()})

# %% [markdown]
# Is a path even? Take the squared distance between successive images, and divide the largest step by the mean one. And does it stay near digits? Take the halfway image's distance to the nearest of 10,000 training digits.

# %%
paths["pixels"] = torch.stack([ends[0].lerp(ends[1], t / 10) for t in range(11)])
ways = {name: journey(images, some.images())._asdict() for name, images in paths.items()}
pd.DataFrame(ways).T.round(2)

# %% [markdown]
# The last row is the cross-fade of the pixels: even steps, through images that are no digits. The VQ-VAE's path is the least even: its largest step is more than twice the mean one. Half-way no model is as near to training digits as the ends are, and all are nearer than the cross-fade.
#
# ## Robust to damage?
#
# Three kinds of damage to the test digits: noise, a shift, and a missing square. Against noise and missing parts we ask whether the reconstruction is near the *clean* digit (does the code repair?); for a shift, whether it is near the shifted one (does it follow?).

# %%
from aelib.metrics import error_under, missing_patch, noise, shift

DAMAGES = {
    "noise, standard deviation": (noise, (0, 0.1, 0.2, 0.4), "clean"),
    "shift, pixels": (shift, (0, 1, 2, 4), "damaged"),
    "missing square, side in pixels": (missing_patch, (0, 4, 8, 12), "clean"),
}
hurt = {
    (name, kind): [error_under(model, part, damage(much), target) for much in amounts]
    for name, model in models.items()
    for kind, (damage, amounts, target) in DAMAGES.items()
}

# %% mystnb={"figure": {"caption": "Error of the reconstruction against the amount of damage; the leftmost point is the undamaged digit.", "name": "fig-08-damage"}, "image": {"alt": "Three panels with five rising curves each."}}
figure, axes = plt.subplots(1, 3, figsize=(12, 3.6))
for axis, (kind, (_, amounts, target)) in zip(axes, DAMAGES.items(), strict=True):
    for i, name in enumerate(models):
        axis.plot(amounts, hurt[name, kind], "o-", label=name, color=plots.color_of(name, i))
    axis.set(xlabel=kind, ylabel=f"error per pixel, from the {target} digit", ylim=(0, None))
axes[0].legend(fontsize=8)
plt.close(figure)
figure

# %% [markdown]
# Grids follow shifts: convolutions carry a shift through, a linear layer does not. The same grids repair little: each place sees a small window, so a missing square is reconstructed as missing. The contractive penalty shows its use under noise: its error is higher without noise, and from a standard deviation of 0.2 on lower than that of the other two dense codes.
#
# ## A prior over symbols
#
# To draw new digits from a VQ-VAE one needs a distribution over grids of symbols. The paper trains one afterwards, autoregressively:
#
# ```{math}
# :label: eq-08-prior
# p(k_1, \dots, k_{49}) = \prod_p p(k_p \mid k_1, \dots, k_{p-1}).
# ```
#
# A convolutional network does all the conditionals at once if none of its outputs sees its own symbol or a later one. So the later half of each kernel is held at zero {cite}`oord2016pixel`. The cell checks it on the Jacobian, which must be strictly lower-triangular.

# %%
from aelib.metrics import bits_per_symbol
from aelib.models.pixelcnn import MaskedConv2d, PixelCNN, SymbolLikelihood

torch.manual_seed(0)
first, other = MaskedConv2d(1, 1, 5, center=False), MaskedConv2d(1, 1, 3, center=True)
print(first.mask)
jacobian = torch.func.jacrev(lambda v: other(first(v.view(1, 1, 7, 7))).flatten())(torch.randn(49))
assert not jacobian.triu(0).any() and jacobian.tril(-1).any()


# %%
def prior_run(seed):
    torch.manual_seed(seed)
    prior, model = PixelCNN(K, width=32), models["VQ-VAE"]

    def run():
        grids = code_grids(model, digits)
        phase = Phase(SymbolLikelihood(), adam(3e-3), one_cycle())
        history = fit({"prior": prior}, phase, grids, epochs=profile(smoke=1, quick=1, full=4), seed=seed)
        history.attrs["bits"] = bits_per_symbol(prior, code_grids(model, data.test))
        return history

    return prior, recorded(f"08-prior-seed{seed}", prior, run, weights=seed == 0).attrs["bits"]


priors = {seed: prior_run(seed) for seed in few_seeds}
prior, grids = priors[0][0], code_grids(models["VQ-VAE"], data.test)
cost = {"nothing known": math.log2(K), "frequencies known": math.log2(code_usage(grids, K).perplexity)}
cost["prior"] = bits_per_symbol(prior, grids)
pd.DataFrame({"bits a symbol": cost, "bits an image": {name: PLACES * value for name, value in cost.items()}}).round(2)

# %% [markdown]
# The prior needs far fewer bits than the nine that a symbol could hold: with it and an arithmetic coder the VQ-VAE would send less than 441 bits. The rounded autoencoder could have a prior, too; we did not train one.

# %% mystnb={"figure": {"caption": "Digits drawn from the VQ-VAE: with the prior; with symbols drawn independently, each as often as it occurs at its place; with symbols drawn uniformly. Below: the VAE and its own prior.", "name": "fig-08-samples"}, "image": {"alt": "Four rows of generated images; the rows of independent and uniform symbols are no digits."}}
torch.manual_seed(0)
with torch.no_grad():
    vqvae, places = models["VQ-VAE"], torch.arange(49)
    independent = grids.x.flatten(1)[torch.randint(len(grids), (12, 49)), places].view(12, 7, 7)
    drawn = {"prior": vqvae.decode_indices(prior.sample(12)), "independent": vqvae.decode_indices(independent),
             "uniform": vqvae.decode_indices(torch.randint(K, (12, 7, 7))),
             "VAE": models["VAE"].decode(torch.randn(12, PLACES))}
plots.image_rows(drawn)

# %% [markdown]
# The decoder alone is no model of digits: given independent symbols it prints scraps of strokes. How they belong together is known to the prior alone. The VAE, whose prior is fixed, pays for its small pixel noise with poor samples.
#
# ## What breaks it
#
# The contractive penalty, in a network whose decoder has weights of its own. Divide the last layer of the encoder by 100 and multiply the first of the decoder by 100. Then $\lVert J \rVert_F^2$ is a ten-thousandth, and the reconstruction is what it was: the penalty is satisfied and nothing is learned. The paper's tied
# weights forbid this. Our deep network divides by the codes' variance instead, which is not fooled.

# %%
cheat = copy.deepcopy(models["Contractive"])
with torch.no_grad():
    for parameter in cheat.encoder[-1].parameters():
        parameter /= 100
    cheat.decoder[0].weight *= 100
found = {}
for name, model in {"before": models["Contractive"], "after": cheat}.items():
    torch.manual_seed(0)  # the same probe vectors
    out = model(x_test[:1000])
    terms = {"error per pixel": per_pixel(out.x_hat, x_test[:1000]), "‖J‖²": out.jacobian.mean().item()}
    found[name] = terms | {"relative": RelativeContractive().penalty(out).item()}
assert abs(found["before"]["‖J‖²"] / found["after"]["‖J‖²"] - 1e4) < 1
assert abs(found["before"]["relative"] / found["after"]["relative"] - 1) < 1e-3
pd.DataFrame(found).T.round(4)

# %% [markdown]
# The VQ-VAE breaks at its start: if the codebook begins far from the encoder's answers, all choose the same few codes, and no gradient says which other would have been better. The straight-through runs above, with 8 % of 512 vectors in use, are instances.
#
# ## Try it
#
# The VQ-VAE's decoder runs inside this page. Choose a place of the grid and put another of the 512 symbols there: the change stays near that place, but it reaches a few pixels beyond, since the decoder's windows overlap. The histogram shows how often each symbol occurs on the digits.

# %%
explorer.codebook(models["VQ-VAE"], data.test[: profile(smoke=50, quick=2000, full=2000)], noun="digit")

# %% [markdown]
# ## The published numbers and ours

# %% tags=["hide-input"]
protocol = f"784-1000 tied logistic layer, {pretraining} epochs without labels, then {tuning} with them; "
protocol += f"strength {strength:g} and rate {rate:g} by validation."
one_layer = dict(dataset="MNIST test", seeds=few_seeds, protocol=protocol, paper_source="Rifai et al. 2011, table 1")
for name, paper in {"Contractive": 1.14, "Denoising": 1.18, "Autoencoder": 1.78, "Random start": None}.items():
    claims.add("one layer, fine-tuned", model=name, **one_layer, metric="test error", unit="%", higher_is_better=False,
               values=values(name, KEYS[0]), paper=paper, target=1.4 if name == "Contractive" else None)
claims.add("mean ‖J‖, plain over contractive", model="Contractive", **one_layer, metric="ratio", unit="times",
           higher_is_better=True, values=ratios, paper=24, target=10)
for name, paper in {"Contractive": 86, "Autoencoder": 50}.items():
    claims.add("saturated units", model=name, **one_layer, metric="units below 0.05 or above 0.95", unit="%",
               higher_is_better=True, values=values(name, KEYS[2]), paper=paper, tolerance=0.15)

# %% tags=["hide-input"]
protocol = f"49 places, shared convolutions, {epochs} epochs on {len(digits):,} digits, batch 128, Adam with one cycle to 2e-3, He start."
equal = dict(dataset="MNIST test", seeds=seeds, protocol=protocol)
MEASURES = {
    "error": ("squared error", "per pixel"), "PSNR": ("PSNR", "dB"), "SSIM": ("SSIM, first 2,000 images", "1 is identity"),
    "probe": ("logistic regression on 10,000 codes", "%"),
    "NMI": ("NMI of 10 k-means clusters", "0 to 1"), "ARI": ("ARI of 10 k-means clusters", "0 to 1"),
}
for name in MODELS:
    for key, (metric, unit) in MEASURES.items():
        claims.add(f"equal budgets: {key}", model=name, **equal, metric=metric, unit=unit,
                   higher_is_better=key != "error", values=over_seeds(name, key))
for name in ("VQ-VAE", "FSQ"):  # positive where this one reconstructs better
    gains = [a - b for a, b in zip(budget["Autoencoder, rounded"], budget[name], strict=True)]
    claims.add("441 bits: error of the rounded autoencoder minus this one's", model=name, **equal, unit="per pixel",
               metric="difference of squared errors, seed by seed", higher_is_better=True, values=gains, target=0.0, contrast=True)

# %% tags=["hide-input"]
for (name, size), found in swept.items():
    paper = {("Straight-through", 512): 96, ("FSQ", 512): 100}.get((name, size))
    claims.add(f"codebook in use, K = {size}", model=name, dataset="MNIST test", metric="codes that occur", unit="%",
               higher_is_better=True, values=[found["percent"]], seeds=[0], paper=paper, protocol=protocol,
               paper_source="Mentzer et al. 2024, on ImageNet at 64 × 64 pixels" if paper else "")
claims.add("a prior over the symbols", model="VQ-VAE", dataset="MNIST test", metric="bits per symbol", unit="bits",
           higher_is_better=False, values=[bits for _, bits in priors.values()], seeds=few_seeds, target=3.4,
           protocol=f"PixelCNN, 32 channels, 4 blocks, on the grids of {len(digits):,} training digits, VQ-VAE of seed 0; K = 512.")
claims.save()
claims

# %% [markdown]
# What differs from the papers:
#
# - Rifai et al. choose among many more settings and train longer; the ratio of the norms is what can be compared. Their errors for a restricted Boltzmann machine (1.30), binary denoising (1.57) and weight decay (1.68) are not repeated here.
# - The VQ-VAE paper's CIFAR-10 number, 4.67 bits per dimension against a VAE's 4.51, is published and not reproduced: this page has no CIFAR-10. Our bits are per symbol of the code of an MNIST digit, which is another quantity.
# - One learning rate serves all five networks, chosen for none of them. The VAE's pixel noise is fixed at 0.1.
#
# ## Summary
#
# - Contractive: the code is insensitive to most directions, at a price in reconstruction. In closed form for one logistic layer, by random probes for any. Tie the weights or divide by the spread.
# - Vector-quantized: each place holds one of $K$ symbols; straight-through carries the gradient. Averages with restarts keep the codebook in use; FSQ has no codebook to learn, but its numbers can get stuck.
# - "The VQ-VAE reconstructs best" is a statement about bits, to be tested at equal bits. At 441 bits a digit, and in a training this short, it held here with all five seeds.
# - A quantized code needs a second model, the prior, before it can generate.
#
# Next, [chapter 9](09_three_networks) takes a published comparison of three networks and asks what it measured.
#
# ## Exercises
#
# **1.** What is the contractive penalty of a *linear* encoder, $z = W x$? Show that it is weight decay.

# %% tags=["hide-cell"]
linear_map = nn.Linear(784, 30)
j = encoder_jacobian(nn.Sequential(nn.Flatten(), linear_map), x_test[:3])
# The Jacobian is W at every image: the penalty does not depend on x, and is the squared norm of the weights.
torch.testing.assert_close(j.square().sum((1, 2)), linear_map.weight.square().sum().expand(3))

# %% [markdown]
# **2.** An EMA codebook whose memory is zero is replaced, at each batch, by the means of the answers that chose each vector. Show that this is one step of k-means, with scikit-learn as the judge.

# %% tags=["hide-cell"]
from sklearn.cluster import KMeans

torch.manual_seed(0)
answers = torch.randn(50, 2, 4, 4)
forgetful = EMAQuantizer(5, 2, restart=0.0, decay=1e-9)
forgetful.vectors.copy_(torch.randn(5, 2))
points = answers.movedim(1, -1).reshape(-1, 2)
judge = KMeans(5, init=forgetful.vectors.clone().numpy(), n_init=1, max_iter=1).fit(points.numpy())
chosen = forgetful.indices(answers).flatten()
forgetful.train()(answers)
expected = torch.stack([points[chosen == k].mean(0) for k in range(5)])
torch.testing.assert_close(forgetful.codebook, expected, atol=1e-4, rtol=1e-4)
torch.testing.assert_close(torch.from_numpy(judge.cluster_centers_).float(), expected, atol=1e-4, rtol=1e-4)

# %% [markdown]
# **3.** Divide the prior's logits by a temperature below 1 before drawing. What happens to the bits of the samples under the prior itself, and what to their variety?

# %% tags=["hide-cell"]
from aelib.data import Grids

torch.manual_seed(0)
n = profile(smoke=5, quick=100, full=100)
warm, cold = (Grids(prior.sample(n, temperature), torch.zeros(n, dtype=torch.int64)) for temperature in (1.0, 0.5))
# Likely symbols are drawn more often: the samples cost fewer bits, and fewer different symbols occur.
if profile.name == "full":
    assert bits_per_symbol(prior, cold) < bits_per_symbol(prior, warm)
    assert code_usage(cold, K).perplexity < code_usage(warm, K).perplexity

# %% [markdown]
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
