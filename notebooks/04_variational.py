# ---
# jupyter:
#   chapter:
#     source: Kingma & Welling 2014
#     idea: 'The code becomes a distribution, the loss a bound on the likelihood: new images can be drawn.'
#     thumbnail: fig-04-manifold
#     result:
#       claim: 'importance weighting, likelihood'
#       model: 'IWAE, k = 50'
#       says: 'Negative log-likelihood {ours} nats; the paper has {paper}'
#     family:
#       - model: Variational
#         year: '2014'
#         copying: by noise in the code and a prior for it
#     summary:
#       - model: Variational (VAE)
#         label: VAE
#         idea: the code is a distribution, held near a prior
#         objective: $-\mathbb{E}_q \log p_\theta(x \mid z)$ $+ \, \text{KL}(q_\phi \Vert p)$
#         latent: a Gaussian for each $x$
#         use: drawing new data; a bound on the likelihood
#         weakness: smooth images; latents that collapse
#       - model: Importance-weighted (IWAE)
#         label: IWAE
#         idea: several codes for each input, a tighter bound
#         objective: $-\mathbb{E} \log \frac1k \sum_i w_i$
#         latent: a Gaussian for each $x$
#         use: better likelihoods
#         weakness: $k$ times the decoder's work; the encoder learns less from each
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
# # Auto-encoding variational Bayes
#
# *Kingma and Welling, ICLR 2014 {cite}`kingma2014auto`.*
# [Open in Colab](https://colab.research.google.com/github/address--not-fixed/autoencoders/blob/main/notebooks/04_variational.ipynb)
#
# - The code becomes a distribution and the loss a bound on the likelihood. From then on an autoencoder can draw new digits, and be compared
#   with any other model of the data by one number, in nats.
# - We derive the bound line by line, check each line by computation, and tighten it by importance weighting.
# - Code in the wild sums here and averages there. Each such choice is a hidden β. The KL lab computes it: one common loss has β = 39.2
#   and does not say so.

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
from dataclasses import dataclass
from functools import partial

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from aelib import explorer, plots
from aelib.data import Batch, Binarized, binarize, mnist
from aelib.likelihoods import Gaussian, bernoulli_log_prob, gaussian_kl, gaussian_kl_terms, gaussian_log_prob
from aelib.metrics import codes, one_class, per_pixel, reconstructions
from aelib.metrics.likelihood import active_units, elbo, importance_bounds, nll, unit_activity
from aelib.models.autoencoder import Autoencoder, CrossEntropy
from aelib.models.iwae import IWAE
from aelib.models.vae import ELBO, DenseVAE, Posterior, WarmUp
from aelib.nets import he_init
from aelib.records.claims import Claims
from aelib.records.first_edition import recorded
from aelib.records.profiles import current_profile
from aelib.training import Phase, fit
from aelib.training.optimizers import adam, one_cycle

profile = current_profile()
seeds = profile.seeds(smoke=1, quick=1, full=1)
claims = Claims("04_variational")

# %% [markdown]
# ## The idea
#
# The autoencoder of [chapter 1](01_hinton_salakhutdinov) gives each image $x$ a code $z$. It says nothing of the codes in between. Decode a code that you made
# up, and what comes out need not be a digit.
#
# A *variational autoencoder* (VAE) starts at the other end, with a recipe for making images. Draw a code from a fixed *prior*, then draw each pixel, black or white, with probabilities that the decoder
# $g$ computes from the code:
#
# ```{math}
# :label: eq-04-model
# p(z) = N(0, I), \qquad p_\theta(x \mid z) = \prod_i \text{Bernoulli}\bigl(x_i;\, \sigma(g(z))_i\bigr).
# ```
#
# The parameters $\theta$ should make the training images probable. But the probability of an image, $p_\theta(x) = \int p_\theta(x \mid z)\, p(z)\, dz$, is an integral over all codes, and nearly all of them explain this image badly.
# The way out is an encoder that names the few codes worth looking at. It answers with a mean and a variance for each latent:
#
# ```{math}
# :label: eq-04-posterior
# q_\phi(z \mid x) = N\bigl(\mu(x), \sigma^2(x)\bigr).
# ```
#
# ## The bound, line by line
#
# Take expectations over $z \sim q_\phi(z \mid x)$. Since $\log p_\theta(x)$ does not depend on $z$, it is its own expectation. Then use $p(x) = p(x, z) / p(z \mid x)$, and multiply and divide by $q$:
#
# ```{math}
# :label: eq-04-derivation
# \begin{aligned}
# \log p_\theta(x) &= \mathbb{E}_q[\log p_\theta(x)] \\
# &= \mathbb{E}_q\left[\log \frac{p_\theta(x, z)}{p_\theta(z \mid x)}\right] \\
# &= \mathbb{E}_q\left[\log \frac{p_\theta(x, z)}{q_\phi(z \mid x)}\right] + \mathbb{E}_q\left[\log \frac{q_\phi(z \mid x)}{p_\theta(z \mid x)}\right] \\
# &= \mathcal{L}(x) + \mathrm{KL}\bigl(q_\phi(z \mid x) \,\|\, p_\theta(z \mid x)\bigr).
# \end{aligned}
# ```
#
# The last term is a Kullback–Leibler divergence, so it is never negative. Hence $\mathcal{L}(x) \le \log p_\theta(x)$: it is the {term}`evidence lower bound` (ELBO). Raising it raises the likelihood,
# or brings $q$ nearer to the true posterior, or both. Split the joint, $p_\theta(x, z) = p_\theta(x \mid z)\, p(z)$, and an autoencoder appears:
#
# ```{math}
# :label: eq-04-elbo
# \mathcal{L}(x) = \mathbb{E}_q[\log p_\theta(x \mid z)] - \mathrm{KL}\bigl(q_\phi(z \mid x) \,\|\, p(z)\bigr).
# ```
#
# The first term asks for a good reconstruction. The second asks the codes of each image to look like the prior. For two Gaussians it has a closed form (the paper's appendix B):
#
# ```{math}
# :label: eq-04-kl
# \mathrm{KL}\bigl(q_\phi(z \mid x) \,\|\, p(z)\bigr) = \tfrac12 \sum_j \bigl(\mu_j^2 + \sigma_j^2 - \log \sigma_j^2 - 1\bigr) .
# ```
#
# One problem is left. The expectation in {eq}`eq-04-elbo` is estimated from a sample of $z$, and a gradient does not pass through a random draw. So move the randomness out of the way. This is the {term}`reparameterization`:
#
# ```{math}
# :label: eq-04-reparameterization
# z = \mu + \sigma \varepsilon, \qquad \varepsilon \sim N(0, I).
# ```
#
# Now $z$ is a smooth function of $\mu$ and $\sigma$. That is all of the paper's algorithm, and here it is.


# %%
def negative_elbo(x, encoder, decoder):
    """Minus (eq-04-elbo) in nats per image, from one sample of the code for each image."""
    mu, logvar = encoder(x).chunk(2, dim=1)  # (B, latent) each
    epsilon = torch.randn_like(mu)
    z = mu + (0.5 * logvar).exp() * epsilon
    logits = decoder(z)
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - logvar - 1).sum(1).mean()
    return reconstruction + kl


# %% [markdown]
# Pixels must be bits for {eq}`eq-04-model` to be a probability. So each gray pixel is set to 1 with its gray value as the probability, and anew each time an image is used: *dynamic binarization*. The test digits are
# drawn once, from a fixed seed, as the authors of the importance-weighted autoencoder do in their code {cite}`burda2016importance`.

# %% mystnb={"figure": {"caption": "Ten test digits (top) and the bits that were drawn from them (bottom). Only gray edges are decided by chance.", "name": "fig-04-data"}, "image": {"alt": "Ten gray handwritten digits above the same digits in pure black and white with ragged edges."}}
data = mnist().subset(train=profile(smoke=500, quick=None, full=None), test=profile(smoke=200, quick=None, full=None))
train, test = Binarized(data.train), binarize(data.test)
x_test = test.images()
plots.image_rows({"gray": data.test[:10].images(), "bits": x_test[:10]})

# %% [markdown]
# The package's network and objective are the same function: given the same random numbers they return the same loss.

# %% mystnb={"figure": {"caption": "The network, drawn from the model: encoder in blue, decoder in orange. The encoder ends in 100 numbers, 50 means and 50 log variances; the decoder starts from 50.", "name": "fig-04-architecture"}, "image": {"alt": "Bar chart of layer sizes: 784, 400, 400, 100, then 400, 400, 784."}}
torch.manual_seed(0)
vae = DenseVAE((784, 400, 400, 50), nn.ReLU)
out = vae(x_test[:8])
assert out.z.shape == out.mu.shape == out.logvar.shape == (8, 50)
assert out.x_hat.shape == (8, 1, 28, 28)

torch.manual_seed(1)
inline = negative_elbo(x_test[:8], vae.encoder, vae.decoder)
torch.manual_seed(1)
torch.testing.assert_close(ELBO()({"vae": vae}, Batch(x_test[:8], None))["loss"], inline)
plots.architecture(vae)

# %% [markdown]
# ## Training
#
# Batches of 200, Adam with one cycle, 25 epochs. The peak learning rate is chosen on 5,000 held-out training digits, from runs of eight epochs. This network, one seed, comes from a recorded run;
# its bound is measured anew here.


# %%
def validation_loss(rate):
    torch.manual_seed(100)  # a seed that no reported run uses
    model = DenseVAE((784, 400, 400, 50), nn.ReLU)
    options = dict(epochs=profile(smoke=1, quick=2, full=8), batch_size=200, seed=100, validation=len(data.train) // 12)
    run = partial(fit, {"vae": model}, Phase(ELBO(), adam(rate), one_cycle()), train, **options)
    history = recorded(f"04-validation-{rate:g}", model, run, weights=False)
    return history[(history.split == "validation") & (history.term == "loss")].value.iloc[-1]


validated = {rate: validation_loss(rate) for rate in (1e-3, 2e-3, 4e-3, 8e-3)}
rate = min(validated, key=validated.get)
print({rate: round(float(loss), 2) for rate, loss in validated.items()}, "chosen:", rate)


# %%
k_nll, n_nll = profile(smoke=10, quick=200, full=1000), profile(smoke=50, quick=1000, full=1000)


def main_network(seed):
    torch.manual_seed(seed)
    model = DenseVAE((784, 400, 400, 50), nn.ReLU)

    def run():
        phase, epochs = Phase(ELBO(), adam(rate), one_cycle()), profile(smoke=2, quick=7, full=25)
        history = fit({"vae": model}, phase, train, epochs=epochs, batch_size=200, seed=seed)
        history.attrs |= {"ELBO": elbo(model, test).mean().item(), "NLL": nll(model, test, k_nll, on=n_nll).nats}
        return history

    return model, recorded(f"04-main-seed{seed}", model, run, weights=seed == 0)


mains = {seed: main_network(seed) for seed in seeds}
vae, history = mains[0]
bounds = elbo(vae, test)
print(f"{sum(history.attrs['seconds']):.0f} s of training; test ELBO {bounds.mean():.2f} nats, ", end="")
print(f"standard error {bounds.std() / len(bounds) ** 0.5:.2f}")
assert profile.name != "full" or abs(bounds.mean().item() - history.attrs["ELBO"]) < 0.1

# %% mystnb={"figure": {"caption": "The loss (minus the bound) and its two terms against epochs, in nats per image. The divergence rises: the code is put to use. The reconstruction pays it back several times.", "name": "fig-04-training"}, "image": {"alt": "Three curves over 25 epochs: loss and reconstruction fall, the KL divergence rises to about 22 nats."}}
terms = {"loss": history[history.term == "loss"]}
terms |= {name: history[history.term == term].assign(term="loss")
          for name, term in {"reconstruction": "reconstruction", "KL divergence": "kl"}.items()}
plots.learning_curves(terms, "nats per image", log=False)

# %% [markdown]
# ## Is the closed form right?
#
# The divergence {eq}`eq-04-kl` is an expectation too, $\mathbb{E}_q[\log q(z \mid x) - \log p(z)]$, and can be estimated by sampling. With $L$ samples (here $L$ counts; elsewhere it is the loss) the error should fall as $1/\sqrt{L}$.

# %% mystnb={"figure": {"caption": "Difference between the sampled divergence and the closed form, root mean square over 100 test digits, against the number of samples L. The orange line falls exactly as one over the root of L, and the sampled error follows it.", "name": "fig-04-kl"}, "image": {"alt": "Two nearly straight falling lines on logarithmic axes, close to each other."}}
with torch.no_grad():
    q = vae.posterior(x_test[:100])
closed = gaussian_kl_terms(*q).sum(1)
z, counts, zero = q.sample(4096), [4**i for i in range(7)], torch.zeros_like(q.mu)
sampled = gaussian_log_prob(z, *q) - gaussian_log_prob(z, zero, zero)  # (4096, 100)
errors = [(sampled[:n].mean(0) - closed).square().mean().sqrt().item() for n in counts]
plots.lines({"sampled": (counts, errors), "1/√L": (counts, [errors[0] / n**0.5 for n in counts])},
            "samples L", "error, nats", log_x=True, log_y=True)

# %% [markdown]
# The closed form is the limit, and it saves noise: with one sample the divergence alone would be off by two nats.
#
# ## Why reparameterize?
#
# There is an older way to differentiate an expectation: the score function, also called REINFORCE {cite}`williams1992simple`. It needs no derivative of $f(z) = \log p_\theta(x \mid z)$:
#
# ```{math}
# :label: eq-04-score
# \nabla_\mu \mathbb{E}_q[f(z)] = \mathbb{E}_q\left[f(z)\, \nabla_\mu \log q(z \mid x)\right]
# = \mathbb{E}_q\left[f(z)\, \frac{z - \mu}{\sigma^2}\right].
# ```
#
# Both estimators have the same mean. Compare their spread, on one test digit and the trained network. A *baseline*, the mean of $f$, may be subtracted from $f$ in {eq}`eq-04-score` without changing the gradient.


# %%
def gradients(x, samples):
    """Single-sample estimates (samples, latent) of the gradient of E[log p(x|z)] for μ, three ways."""
    with torch.no_grad():
        q = Posterior(*vae.posterior(x))
    z = q.sample(samples).requires_grad_()
    f = bernoulli_log_prob(vae.decoder(z.flatten(0, 1)).unflatten(0, (samples, 1)), x)  # (samples, 1)
    (path,) = torch.autograd.grad(f.sum(), z)
    f, score = f.detach()[..., None], ((z - q.mu) / q.logvar.exp()).detach()
    ways = {"reparameterized": path, "score, baseline": (f - f.mean()) * score, "score": f * score}
    return {name: way[:, 0] for name, way in ways.items()}


torch.manual_seed(0)
estimates = gradients(x_test[:1], profile(smoke=200, quick=20_000, full=20_000))
variance = {name: g.var(0).sum().item() for name, g in estimates.items()}
print({name: f"variance {v / variance['reparameterized']:.3g} times" for name, v in variance.items()})

# %% mystnb={"figure": {"caption": "One component of the gradient, for the latent that this digit uses most: the mean of the first n samples, for the three estimators. The reparameterized mean is near its value after some tens of samples, the score function's with a baseline after some hundreds, and without one it still wanders after 20,000. The axis is linear between −1 and 1 and logarithmic outside.", "name": "fig-04-gradients"}, "image": {"alt": "Three wandering lines over the number of samples; one is nearly flat after some tens of samples, one settles after some hundreds, one keeps swinging."}}
latent, n = unit_activity(vae, test).argmax(), torch.arange(1, len(estimates["score"]) + 1)
figure, axis = plt.subplots(figsize=(6.2, 3.4))
for i, (name, estimate) in enumerate(estimates.items()):
    axis.plot(n, estimate[:, latent].cumsum(0) / n, label=name, color=plots.color_of("", i), zorder=3 - i)
axis.set(xscale="log", yscale="symlog", xlabel="samples n", ylabel="gradient for μ, nats per unit")
axis.legend(loc="lower right")
plots.style.finish(figure)

# %% [markdown]
# The score function sees only *how good* each code was; the path through $z$ also sees *in which direction* it would be better. A baseline brings the variance down to ten times that of the path; without one it is two thousand times as large, hopeless for a training with one sample an image.
#
# ## New digits
#
# Draw a code from the prior and decode it.

# %% mystnb={"figure": {"caption": "Top two rows: digits drawn from the model; the probability of each pixel is shown. Most are digits, some are between two. Below: test digits in bits and their reconstructions.", "name": "fig-04-samples"}, "image": {"alt": "Two rows of generated digits, then a row of binary digits and a row of their smooth reconstructions."}}
torch.manual_seed(0)
with torch.no_grad():
    drawn = vae.decode(torch.randn(20, 50))
rows = {"drawn": drawn[:10], "also drawn": drawn[10:], "test": x_test[:10]}
plots.image_rows({**rows, "reconstructed": reconstructions(vae, test[:10])})

# %% [markdown]
# ## How probable are the test digits?
#
# The bound is below $\log p_\theta(x)$ by an unknown amount. {term}`Importance sampling <importance sampling>` finds it. The weight of a code, $w = p_\theta(x \mid z)\, p(z) / q_\phi(z \mid x)$, has the mean $p_\theta(x)$, so
#
# ```{math}
# :label: eq-04-iwae
# \mathcal{L}_k(x) = \mathbb{E}\left[\log \frac1k \sum_{i=1}^{k} w_i\right], \qquad \mathcal{L} = \mathcal{L}_1 \le \mathcal{L}_2 \le \dots \to \log p_\theta(x).
# ```
#
# Burda et al. {cite}`burda2016importance` had two ideas about it. With $k = 5000$ it is a measure of the likelihood, which every paper since reports (as the NLL, minus the log-likelihood). And with a small $k$ it is a *loss*:
# the importance-weighted autoencoder (IWAE) is the same network trained on a tighter bound. In code it is one line more.


# %%
def log_weights(x, samples):
    """log w of (eq-04-iwae), shape (samples, B)."""
    out = vae(x, samples)
    log_prior = gaussian_log_prob(out.z, torch.zeros_like(out.mu), torch.zeros_like(out.mu))
    return bernoulli_log_prob(out.logits, x) + log_prior - gaussian_log_prob(out.z, out.mu, out.logvar)


torch.manual_seed(1)
log_w = log_weights(x_test[:8], 50)
bound = (log_w.logsumexp(0) - torch.tensor(50.0).log()).mean()
torch.manual_seed(1)
torch.testing.assert_close(IWAE(50)({"vae": vae}, Batch(x_test[:8], None))["loss"], -bound)

# %% [markdown]
# First the measure. The bound is taken on all 10,000 digits, its gap to the likelihood on 1,000 of them with 1,000 samples each: gaps differ much less from digit to digit than likelihoods do.

# %%
whole, first = nll(vae, test, k_nll, on=n_nll), nll(vae, test[:500], k_nll)
half = len(test) // 2
print(f"NLL of all test digits: {whole}; of the first 500: {first.nats:.2f}")
print(f"ELBO of the first half of the test digits: {bounds[:half].mean():.2f}, of the second: {bounds[half:].mean():.2f}")

# %% [markdown]
# The gap between bound and likelihood is about four and a half nats. And note the second number: the first 500 digits are more probable than the average digit by two nats, although the two halves of the set agree. A likelihood from a few hundred images must say which they are.
#
# Now the loss. Training with 50 samples costs almost 50 times as much. So we follow the authors' other experiment and *fine-tune*: a VAE with their widths, 784-200-200-50 and tanh, is trained first. Then it goes on, through half the digits once, in five ways:
# as a VAE that averages its loss over $k$ samples, and as an IWAE. At $k = 1$ the two are one. All of it comes from a recorded run.

# %%
K = profile(smoke=(1, 5), quick=(1, 5), full=(1, 5, 50))
start_epochs, more_epochs = profile(smoke=1, quick=5, full=20), profile(smoke=1, quick=1, full=1)
more = Binarized(data.train[: profile(smoke=500, quick=30_000, full=30_000)])
torch.manual_seed(0)
start = DenseVAE((784, 200, 200, 50), nn.Tanh)
go = partial(fit, {"vae": start}, Phase(ELBO(), adam(2e-3), one_cycle()), train, epochs=start_epochs, batch_size=100)
started = recorded("04-start", start, go)


def fine_tuned(name, k):
    model = copy.deepcopy(start)
    objective = ELBO(samples=k) if name == "VAE" else IWAE(k)

    phase = Phase(objective, adam(1e-3), one_cycle(warm_up=0.1))
    run = partial(fit, {"vae": model}, phase, more, epochs=more_epochs, batch_size=100, seed=1)
    return model, recorded(f"04-{name}-{k}", model, run)


tight = {("VAE", 1): fine_tuned("VAE", 1)} | {(name, k): fine_tuned(name, k) for k in K[1:] for name in ("VAE", "IWAE")}

# %%
PUBLISHED = {("VAE", 1): (86.76, 19), ("VAE", 5): (86.47, 20), ("VAE", 50): (86.35, 20),
             ("IWAE", 5): (85.54, 22), ("IWAE", 50): (84.78, 25)}
measured = {key: (nll(model, test, k_nll, on=n_nll).nats, active_units(model, test)) for key, (model, _) in tight.items()}
columns = pd.MultiIndex.from_product([("published", "ours"), ("NLL, nats", "active units")])
rows = {f"{name}, k = {k}": (*PUBLISHED[name, k], *measured[name, k]) for name, k in tight}
pd.DataFrame.from_dict(rows, orient="index", columns=columns).round(2)

# %% [markdown]
# Read the two columns of each side against each other. Our networks are far from the published likelihoods: some twenty epochs stand against 3,280. But the differences go the published way. Averaging a VAE's loss over more samples changes next to nothing. The importance-weighted loss gains half a nat with five samples
# and almost one with 50, after half an epoch. These gains are large against the standard error of 0.08 nats, but they come from one seed. Active units go from 27 to 29.
#
# How many samples does the measure need?

# %% mystnb={"figure": {"caption": "The estimate of minus the log-likelihood against the number of importance samples, 100 test digits. At one sample it is minus the ELBO. The curves cross: the VAE is ahead up to five samples, the IWAE from twenty on. Both still fall at 5,000. (These hundred digits are easier than the average one, so the numbers are below those of the table.)", "name": "fig-04-nll"}, "image": {"alt": "Two falling curves of the negative log-likelihood against the number of importance samples, crossing near five: the IWAE starts higher and ends lower."}}
ks = profile(smoke=(1, 10), quick=(1, 5, 20, 100, 500, 2000, 5000), full=(1, 5, 20, 100, 500, 2000, 5000))
compared = {f"{name}, k = {k}": tight[name, k][0] for name, k in (("VAE", K[0]), ("IWAE", K[-1]))}
few = test[torch.randperm(len(test), generator=torch.Generator().manual_seed(0))[:100]]
curves = {name: (ks, (-importance_bounds(model, few, ks).mean(1)).tolist()) for name, model in compared.items()}
plots.lines(curves, "importance samples", "NLL, nats", log_x=True)

# %% [markdown]
# With one sample the curve starts at minus the ELBO, and there the VAE is ahead: it was trained on just that. With more samples the IWAE passes it. It gave up some of the bound of one sample, that is, a posterior that fits in one guess, for a better model.
# The estimate errs on the safe side: more samples can only make the likelihood look better, on average.
#
# ## Active units
#
# The networks have 50 latents. How many do they use? Burda et al. call a latent {term}`active <active unit>` if its mean moves with the image, $\text{Var}_x(\mu_j(x)) > 0.01$.

# %% mystnb={"figure": {"caption": "The variance of each latent's mean over the test digits, sorted. Fourteen latents carry the image; then comes a steep step, and a shoulder that crosses the threshold of 0.01.", "name": "fig-04-units"}, "image": {"alt": "Two sorted curves on a logarithmic axis: a plateau near 1 for fourteen latents, a steep fall to 0.03, then a slow decline through 0.01."}}
figure, axis = plt.subplots(figsize=(6.2, 3.4))
for name, model in compared.items():
    activity = unit_activity(model, test).sort(descending=True).values
    axis.plot(range(1, len(activity) + 1), activity, marker=".", label=name, color=plots.color_of(name))
axis.axhline(0.01, color="black", linestyle=":", label="threshold")
axis.set(yscale="log", xlabel="latents, the most active first", ylabel="variance of the mean")
axis.legend()
plots.style.finish(figure)

# %% [markdown]
# Fourteen latents do the work in both networks. The shoulder just above the threshold is counted as active too, and that is where the IWAE's two extra units come from: here the count says more about the threshold than about the code. After 3,280 epochs, Burda et al. report, the groups are far apart.
#
# ## How many latents?
#
# The paper's figure 2 trains networks with 3 to 200 latents and finds that too many do no harm. So do we, with one hidden layer of 200 units.

# %%
sizes = profile(smoke=(2, 5), quick=(2, 5, 20), full=(2, 5, 10, 20, 100))
by_size, quick = {}, dict(epochs=profile(smoke=1, quick=1, full=3), batch_size=200)
for size in sizes:
    torch.manual_seed(0)
    by_size[size] = DenseVAE((784, 200, size), nn.ReLU)
    fit({"vae": by_size[size]}, Phase(ELBO(), adam(3e-3), one_cycle()), train, **quick)
on_train = binarize(data.train[: len(data.test)], seed=1)
curves = {
    name: (sizes, [elbo(model, images).mean().item() for model in by_size.values()])
    for name, images in {"test": test, "training": on_train}.items()
}

# %% mystnb={"figure": {"caption": "The bound on test digits and on as many training digits, against the number of latents. It rises steeply up to 20 latents; 100 are slightly worse after three epochs. Training and test lie on each other.", "name": "fig-04-sizes"}, "image": {"alt": "Two nearly identical curves that rise steeply to twenty latents and fall a little at a hundred."}}
plots.lines(curves, "latents", "ELBO, nats", log_x=True)

# %% mystnb={"figure": {"caption": "Digits drawn from networks with different numbers of latents, one row a network. With two latents they are blurred and alike; with twenty and a hundred strokes are sharper, and more of the images are no digit.", "name": "fig-04-samples-by-size"}, "image": {"alt": "Rows of generated digits; few latents give blurred, similar digits, many latents sharper and more broken ones."}}
torch.manual_seed(0)
noise = torch.randn(12, max(sizes))
with torch.no_grad():
    rows = {f"{size} latents": model.decode(noise[:, :size]) for size, model in by_size.items()}
plots.image_rows(rows)

# %% [markdown]
# Training and test agree at every size: more latents do not overfit, because the divergence makes each of them pay. That is the paper's finding too. What a hundred latents do cost here is training time: each brings noise into the decoder until it is switched off, and three epochs are few for that.
#
# ## The plane of two latents
#
# With two latents the whole model can be seen. Lay a grid over the unit square, and send each coordinate through the inverse distribution function of the normal. The codes are then spread as the prior spreads them, and each cell of the grid
# is equally probable. Beside it we train a plain autoencoder of the same widths, for later.

# %%
WIDTHS = (784, 128, 32, 2)
flat = {}
for name, make, objective in (("VAE", DenseVAE, ELBO()), ("Autoencoder", Autoencoder, CrossEntropy())):
    torch.manual_seed(0)
    flat[name] = make(WIDTHS, nn.SiLU)
    net = {"vae" if name == "VAE" else "ae": flat[name]}
    fit(net, Phase(objective, adam(3e-3), one_cycle()), train, epochs=profile(smoke=1, quick=2, full=8), batch_size=200)

# %% mystnb={"figure": {"caption": "The plane of the two-latent VAE: 20 × 20 codes at equal steps of probability, decoded. Every place of the plane is a digit, or a passage between two.", "name": "fig-04-manifold"}, "image": {"alt": "A sheet of four hundred digits that change smoothly from one to the next."}}
steps = torch.special.ndtri((torch.arange(20) + 0.5) / 20)
grid = torch.cartesian_prod(steps.flip(0), steps).flip(1)  # (400, 2): rows from the top, z1 along a row
with torch.no_grad():
    cells = flat["VAE"].decode(grid)
plots.sheet(cells, 20, "quantile of z₁", "quantile of z₂", ticks=("0", "0.25", "0.5", "0.75", "1"))

# %% [markdown]
# Now both planes under one cursor.
#
# - In the VAE's plane, go anywhere within about 2 of the origin. Is there a place that is no digit?
# - In the autoencoder's plane, leave the arms. The empty regions between them are *holes*: no training image is encoded there, and nothing told the decoder what to do.
# - Compare the axes. The prior fixed the VAE's scale; the autoencoder chose its own.

# %%
few = data.test[: profile(smoke=100, quick=500, full=500)]
explorer.plane(flat, few, thumbnails=100)

# %% [markdown]
# ## The KL lab
#
# Here is a question that is asked again and again where VAE code is discussed ([one place](https://github.com/pytorch/examples/issues/817), [another](https://github.com/rail-berkeley/rlkit/issues/119)):
# should the reconstruction error be summed over pixels or averaged? And the divergence, over latents? It looks like a matter of taste. It is not.
#
# Write $R$ for the reconstruction error summed over the $d$ pixels, and $\mathrm{KL}$ for the divergence {eq}`eq-04-kl`, summed over the $m$ latents, both averaged over the batch. Minus the ELBO is $R + \mathrm{KL}$. Whatever the code does, its loss is
#
# ```{math}
# :label: eq-04-beta
# L = r R + s\, \mathrm{KL} = r \left(R + \beta\, \mathrm{KL}\right), \qquad \beta = \frac{s}{r},
# ```
#
# where $r$ is $1$ for a sum over pixels and $1/d$ for a mean, and $s$ is $1$ for a sum over latents and $1/m$ for a mean. The factor $r$ in front is only a scale, and Adam's steps do not depend on the loss's scale. What is left is the loss of the β-VAE {cite}`higgins2017beta`, the model of [chapter 5](05_beta_vae),
# with a β that nobody chose. For means on both sides $\beta = d / m$. With 784 pixels and 20 latents that is 39.2.


# %%
@dataclass(frozen=True)
class AsFound:
    """A loss as one finds it: each term a sum or a mean over its dimensions, then a mean over the batch."""

    pixels: str = "sum"
    latents: str = "sum"
    squared: bool = False

    def __call__(self, nets, batch):
        out = nets["vae"](batch.x)
        cross = F.binary_cross_entropy_with_logits(out.logits, batch.x, reduction="none")
        errors = ((out.x_hat - batch.x) ** 2 if self.squared else cross).flatten(1)  # (B, d)
        kl = gaussian_kl_terms(out.mu, out.logvar)  # (B, m)
        loss = getattr(errors, self.pixels)(1).mean() + getattr(kl, self.latents)(1).mean()
        return {"loss": loss, "reconstruction": errors.sum(1).mean(), "kl": kl.sum(1).mean()}


def implied_beta(pixels, latents, d=784, m=20):
    r, s = (1 / n if reduction == "mean" else 1 for reduction, n in ((pixels, d), (latents, m)))
    return s / r


# %% [markdown]
# Check {eq}`eq-04-beta` where it must hold exactly, at the gradient. The found loss, divided by $r$, must have the gradient of the ELBO with the implied β.


# %%
def gradient(objective):
    torch.manual_seed(0)
    model = DenseVAE((784, 50, 20), nn.ReLU)
    objective({"vae": model}, Batch(x_test[:50], None))["loss"].backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()])


FOUND = {f"{pixels}, {latents}": (pixels, latents) for pixels in ("sum", "mean") for latents in ("sum", "mean")}
for pixels, latents in FOUND.values():
    r = 1 / 784 if pixels == "mean" else 1
    expected = gradient(ELBO(implied_beta(pixels, latents)))
    torch.testing.assert_close(gradient(AsFound(pixels, latents)) / r, expected, rtol=1e-3, atol=1e-4)

# %% [markdown]
# Now train all four; "mean, sum" is short for a mean over pixels and a sum over latents. For each train a *twin* too: the ELBO in nats, with the β that we computed. Network, data, optimizer and random numbers are the same. If the four conventions are nothing but four values of β, every pair must coincide.

# %%
part = data.train[: profile(smoke=500, quick=20_000, full=20_000)]


def in_the_lab(objective, images=None, **options):
    torch.manual_seed(0)
    model = DenseVAE((784, 200, 20), nn.ReLU, **options)
    phase, epochs = Phase(objective, adam(2e-3), one_cycle()), profile(smoke=1, quick=2, full=6)
    return model, fit({"vae": model}, phase, images or Binarized(part), epochs=epochs, batch_size=200)


found = {name: in_the_lab(AsFound(*how)) for name, how in FOUND.items()}
twins = {name: in_the_lab(ELBO(implied_beta(*how))) for name, how in FOUND.items()}

# %% mystnb={"figure": {"caption": "The four losses as the code prints them, against epochs. All fall, on scales that cannot be compared. Nothing here tells which network has learned anything.", "name": "fig-04-lab-raw"}, "image": {"alt": "Four falling curves on a logarithmic axis; two end near 100 and two near 0.3."}}
plots.learning_curves({name: history for name, (_, history) in found.items()}, "loss as the code prints it")

# %% mystnb={"figure": {"caption": "The same runs in nats: reconstruction R (left) and divergence KL (right) over epochs. Lines are the losses as found, circles their twins with the implied β: each circle lies on its line. The two with a mean over pixels nearly coincide, and their divergence is zero.", "name": "fig-04-lab"}, "image": {"alt": "Two panels of four curves; circles lie on every curve."}}
figure, axes = plt.subplots(1, 2, figsize=(9.6, 3.6))
for axis, (term, label) in zip(axes, {"reconstruction": "R, nats", "kl": "KL, nats"}.items(), strict=True):
    for i, (name, how) in enumerate(FOUND.items()):
        line, twin = (log[log.term == term] for log in (found[name][1], twins[name][1]))
        color = plots.color_of("", i)
        axis.plot(line.epoch, line.value, color=color, label=f"{name}: β = {implied_beta(*how):.3g}")
        axis.plot(twin.epoch, twin.value, "o", color=color, markerfacecolor="none")
    axis.set(xlabel="epoch", ylabel=label)
axes[1].legend(title="over pixels, over latents")
plots.style.finish(figure)

# %%
gaps, table = {}, {}
for name, how in FOUND.items():
    one, other = (runs[name][1].query("term != 'loss'").value.to_numpy() for runs in (found, twins))
    gaps[name] = abs(one - other).max()
    model = found[name][0]
    out = ELBO()({"vae": model}, Batch(x_test, None))
    table[name] = {"implied β": implied_beta(*how), "R, nats": out["reconstruction"].item(), "KL, nats": out["kl"].item(),
                   "ELBO, nats": -out["loss"].item(), "active units of 20": active_units(model, test),
                   "largest gap to its twin, nats": gaps[name]}
pd.DataFrame(table).T.round(2)

# %% [markdown]
# Each circle is on its line, to a hundredth of a nat. So a convention *is* a β, and read in nats the four runs can be compared at last.
#
# - **mean, sum** (β = 784) and **mean, mean** (β = 39.2) send nothing through the code. No unit is active; every digit is reconstructed as the same gray average. Their printed losses of 0.26 look like success.
# - **sum, mean** (β = 0.05) has the lowest reconstruction error and four times the divergence. As a model of digits it is nearer to the two that ignore their codes than to the best one: see the ELBO.
# - **sum, sum** (β = 1) is the ELBO itself, and wins by it. Of course it does: it is what it was trained on.
#
# Other β may well be wanted. The point is to choose it, and to write it down in nats. The safe habit is the one of this book: sum over dimensions, average over the batch.
# A different batch convention is one more hidden factor: the reconstruction summed over the batch and the divergence averaged over it make β smaller by the size of the batch (exercise 1).
#
# ### And the squared error?
#
# The squared error is no likelihood until one says how noisy a pixel is. With $p_\theta(x \mid z) = N(\hat x, \sigma_x^2)$,
#
# ```{math}
# :label: eq-04-gaussian
# -\log p_\theta(x \mid z) = \frac{\lVert x - \hat x \rVert^2}{2 \sigma_x^2} + \frac d2 \log 2 \pi \sigma_x^2,
# \qquad \text{so} \quad \lVert x - \hat x \rVert^2 + \beta\, \mathrm{KL} \quad \text{means} \quad \sigma_x^2 = \frac{\beta}{2} .
# ```
#
# So each squared-error loss claims to know the noise. Sum and sum claims $\sigma_x = 0.71$. Mean and mean, with 20 latents, claims $\sigma_x = 4.4$ for pixels that run from 0 to 1. If that were true, an image
# would tell almost nothing about its code, and a good encoder would say so. The noise that fits is the error that one ends up with {cite}`rybkin2021simple`; we try $\sigma_x = 0.1$.

# %%
x_gray = data.test.images()
squared = {name: (AsFound(*how, squared=True), (implied_beta(*how) / 2) ** 0.5)
           for name, how in FOUND.items() if how != ("sum", "mean")}
squared["twin of mean, mean"] = ELBO(), 19.6**0.5
squared["Gaussian, σ = 0.1"] = ELBO(), 0.1
rows, rebuilt = {}, {}
for name, (objective, sigma) in squared.items():
    model, _ = in_the_lab(objective, part, likelihood=Gaussian(sigma, link="logit"))
    rebuilt[name] = reconstructions(model, data.test[:10])
    error = per_pixel(reconstructions(model, data.test), x_gray)
    rows[name] = {"σ claimed": sigma, "σ found (root of the error per pixel)": error**0.5,
                  "KL, nats": gaussian_kl(*model.posterior(x_gray)).item(),
                  "active units of 20": active_units(model, data.test)}
pd.DataFrame(rows).T.round(3)

# %% mystnb={"figure": {"caption": "Reconstructions under squared-error losses. Sum and sum blurs; both means over pixels print one gray average, and the twin of mean, mean prints the same one; a claimed noise of 0.1 gives sharp digits.", "name": "fig-04-lab-squared"}, "image": {"alt": "Rows of digits: original, and reconstructions under five losses, from one gray average to sharp digits."}}
plots.image_rows({"original": x_gray[:10], **rebuilt})

# %% [markdown]
# Again the twin agrees with the loss that it explains. The second column is what the data say: the error that remains is far below what the first four losses claim. The closer the claim comes to it, the more of the code is used.
#
# So when somebody's VAE "blurs", or its KL term "vanishes", ask for σ before asking for a better network.
#
# ## Posterior collapse, provoked and cured
#
# A latent has {term}`collapsed <posterior collapse>` when its $q_\phi(z_j \mid x)$ is the prior for every image. It happens for two reasons, which look alike and have different cures.
#
# The first is a decoder that does not need the code. Let ours see, for each pixel, its neighbors that come earlier in reading order, through a small masked convolution: $p_\theta(x_i \mid z, x_{<i})$. Then strokes continue by themselves, and each nat that is sent through $z$ costs a nat.


# %%
class Strong(DenseVAE):
    """The logits of a pixel also get a function of the pixels before it, within a square of 7 x 7."""

    def __init__(self, widths, activation):
        super().__init__(widths, activation)
        self.near = nn.Conv2d(1, 16, 7, padding=3)
        self.rest = nn.Sequential(nn.ReLU(), nn.Conv2d(16, 16, 1), nn.ReLU(), nn.Conv2d(16, 1, 1))
        self.register_buffer("before", (torch.arange(49) < 24).float().view(7, 7))  # rows above, and to the left

    def forward(self, x, samples=None):
        out = super().forward(x, samples)
        return out._replace(logits=out.logits + self.seen(x))

    def seen(self, x):
        return self.rest(F.conv2d(x, self.near.weight * self.before, self.near.bias, padding=3))


pair = x_test[:1].repeat(2, 1, 1, 1)
pair[1, 0, 14, 14] = 1 - pair[1, 0, 14, 14]  # one pixel is changed: only pixels after it may notice
noticed = torch.ne(*Strong((784, 20, 2), nn.ReLU).seen(pair)).flatten().nonzero()
assert noticed.min() == 14 * 28 + 15

# %% [markdown]
# The second reason is a network that cannot learn to use the code in the time it has: six hidden layers from PyTorch's default start, through which little of the image gets ([chapter 9](09_three_networks) follows it layer by layer). The divergence is there from the first step, so the quickest way to a better bound is to empty the code.
#
# Three remedies. *Warm-up* {cite}`bowman2016generating,sonderby2016ladder` lets β rise from 0 to 1 over the first half of the training, so that the code is filled before it has to pay. *Free bits* {cite}`kingma2016improved` charge nothing for the first
# half nat of each latent. And for the deep network, He's start.

# %%
def provoked(name, make, objective, images, epochs):
    """Train a model in danger of collapse; the bound, the divergence and the active units of the test digits."""
    torch.manual_seed(0)
    vae = make()

    def run():
        phase = Phase(objective, adam(2e-3), one_cycle())
        history = fit({"vae": vae}, phase, Binarized(images), epochs=epochs, batch_size=200)
        bound, kl = elbo(vae, test).mean().item(), gaussian_kl(*vae.posterior(x_test)).item()
        history.attrs |= {"ELBO, nats": bound, "KL, nats": kl, "active units of 20": active_units(vae, test)}
        return history

    return recorded(f"04-collapse-{name}", vae, run, weights=False)


# %%
shallow, deep = partial(DenseVAE, (784, 200, 20), nn.ReLU), partial(DenseVAE, (784, *[150] * 6, 20), nn.ReLU)
strong, free = partial(Strong, (784, 200, 20), nn.ReLU), ELBO(free=0.5)
few_digits, n = part[: profile(smoke=200, quick=5000, full=5000)], profile(smoke=2, quick=10, full=10)
by_strength = {"plain decoder": (shallow, ELBO()), "strong decoder": (strong, ELBO()),
               "strong, warm-up": (strong, ELBO(WarmUp(n / 2))), "strong, free bits": (strong, free)}
by_strength = {name: provoked(name, *how, few_digits, n) for name, how in by_strength.items()}

# %%
n = profile(smoke=2, quick=8, full=8)
by_depth = {"deep": (deep, ELBO()), "deep, warm-up": (deep, ELBO(WarmUp(n / 2))), "deep, free bits": (deep, free),
            "deep, He start": (lambda: he_init(deep()), ELBO())}
by_depth = {name: provoked(name, *how, part, n) for name, how in by_depth.items()}
columns = ("ELBO, nats", "KL, nats", "active units of 20")
rows = {name: {key: log.attrs[key] for key in columns} for name, log in (by_strength | by_depth).items()}
pd.DataFrame(rows).T.round(2)

# %% mystnb={"figure": {"caption": "The divergence over epochs. Left: a decoder that sees earlier pixels, on 5,000 digits: after the first epochs its code empties, with warm-up a little later, and free bits stop it at ten nats. Right: a deep network: from the default start the code stays near two and a half nats, with or without warm-up; from He's start it fills, and free bits fill it by force.", "name": "fig-04-collapse"}, "image": {"alt": "Two panels of four curves of the KL divergence over epochs; on the left most fall to between five and ten nats after an early peak, on the right two stay near two and a half and two rise."}}
figure, axes = plt.subplots(1, 2, figsize=(9.6, 3.4), sharey=True)
for axis, logs in zip(axes, (by_strength, by_depth), strict=True):
    for i, (name, log) in enumerate(logs.items()):
        line = log[log.term == "kl"]
        axis.plot(line.epoch, line.value, marker=".", label=name, color=plots.color_of("", i))
    axis.set(xlabel="epoch", ylabel="KL, nats")
    axis.legend()
plots.style.finish(figure)

# %% [markdown]
# The strong decoder has by far the better bound, and a third of the divergence. Its code did not fail; it is not needed. Warm-up only delays the emptying. Free bits hold ten nats in the code, 20 times 0.5, and pay for it with two nats of the bound.
# And the count of active units sees nothing: each mean still moves a little. Look at the nats too.
#
# The deep network is another case. One latent of 20 is active, and a code would help, as He's start shows: all latents active, and a bound that is 13 nats better. Warm-up does not help here, because what is missing is not time but a signal. Free bits make all 20 latents active and the bound *worse*:
# the code is filled, and the decoder cannot read it. So before a remedy, ask why the code is empty: because the decoder needs none, or because the network cannot learn one.
#
# ## What breaks it
#
# Take the prior away. A plain autoencoder has the same decoder, so decode random codes with it. Codes from $N(0, I)$ should fail: nothing in its training mentions that distribution.
# A Gaussian with the mean and covariance of the autoencoder's own codes, a prior fitted afterwards {cite}`ghosh2020variational`, should help, as far as the codes do fill a Gaussian.
# A made digit should look like *one* digit. So the judge takes the five training digits nearest to it and asks whether all are of one class.

# %%
torch.manual_seed(0)
plain = Autoencoder((784, 200, 20), nn.ReLU)
fit({"ae": plain}, Phase(CrossEntropy(), adam(3e-3), one_cycle()), train, **quick)
made, size = profile(smoke=50, quick=1000, full=1000), profile(smoke=5, quick=20, full=20)
own, random = codes(plain, test), torch.randn(made, 20)
with torch.no_grad():
    samples = {
        "VAE, prior": by_size[size].decode(random[:, :size]),
        "Autoencoder, N(0, I)": plain.decode(random),
        "Autoencoder, its own Gaussian": plain.decode(own.mean(0) + random @ torch.linalg.cholesky(own.T.cov()).T),
    }

# %% mystnb={"figure": {"caption": "Images decoded from random codes, after three epochs. The VAE gives soft digits and some fragments. The autoencoder gives faint smears from the standard normal, and bold shapes, some of them digits, from the Gaussian of its own codes.", "name": "fig-04-breaks"}, "image": {"alt": "Three rows of generated images: soft digits, faint smears, bold digit-like shapes."}}
plots.image_rows({name: x[:10] for name, x in samples.items()})

# %%
real = data.train[: profile(smoke=300, quick=20_000, full=20_000)]
judged = {"test digits": data.test[:made].images(), **samples}
agreed = {name: one_class(real.images(), real.y, x) for name, x in judged.items()}
assert profile.name != "full" or agreed["Autoencoder, N(0, I)"] < 0.8 * agreed["VAE, prior"]
{name: f"{value:.0%}" for name, value in agreed.items()}

# %% [markdown]
# As predicted, codes from $N(0, I)$ do worst. With the Gaussian of its own codes the plain autoencoder catches up with a VAE that was trained as briefly. So it is not the noise in training that makes a generator, but a distribution of codes that is known. The VAE has it by construction, and with it a likelihood; the fitted Gaussian comes afterwards, and must fit.
#
# ## The published numbers and ours

# %% tags=["hide-input"]
common = dict(dataset="MNIST test, binarized once", unit="nats", seeds=seeds)
logs = [log.attrs for _, log in mains.values()]
recipe = f"784-400-400-50, ReLU, batch 200, 25 epochs of Adam with one cycle to {rate:g} (chosen on held-out digits)."
by = f"NLL: bound of all test digits, plus its gap to {k_nll:,} importance samples on {n_nll:,} of them."
how = dict(protocol=f"{recipe} {by}", seconds=sum(logs[0]["seconds"]))
claims.add("evidence lower bound", model="VAE", **common, metric="ELBO", higher_is_better=True,
           values=[attrs["ELBO"] for attrs in logs], target=-95.5, **how)
claims.add("likelihood", model="VAE", **common, metric="NLL", higher_is_better=False,
           values=[attrs["NLL"] for attrs in logs], target=profile(smoke=89.2, quick=None, full=89.2), **how)
claims.add("likelihood of the first 500 digits", model="VAE", **common | {"seeds": [0]}, metric="NLL", higher_is_better=False,
           values=[first.nats], target=profile(smoke=89.2, quick=None, full=89.2), **how | {"protocol": recipe})
claims.add("time of training", model="VAE", dataset="MNIST", unit="s", seeds=seeds, metric="seconds", higher_is_better=False,
           values=[sum(attrs["seconds"]) for attrs in logs], target=90.0, protocol=recipe)

# %% tags=["hide-input"]
TABLE = "Burda et al. 2016, table 1, one stochastic layer"
AT_SCALE = {("VAE", 1): 86.5, ("IWAE", 50): 84.8}
way = f"784-200-200-50, tanh; {start_epochs} epochs as a VAE with k = 1, then {more_epochs} on {len(more):,} digits in this way."
for (name, k), (_, log) in tight.items():
    about = dict(model=f"{name}, k = {k}", dataset="MNIST test, binarized once", seeds=[0], paper_source=TABLE,
                 seconds=sum(log.attrs["seconds"]), protocol=f"{way} The paper: 3,280 epochs in this way. {by}")
    claims.add("importance weighting, likelihood", **about, metric="NLL", unit="nats",
               higher_is_better=False, values=[measured[name, k][0]], paper=PUBLISHED[name, k][0],
               target=profile(smoke=None, quick=None, full=None))
    claims.add("importance weighting, active units", **about, metric="latents with Var(mean) > 0.01", unit="of 50",
               higher_is_better=True, values=[measured[name, k][1]], paper=PUBLISHED[name, k][1])
grown = measured["IWAE", K[-1]][1] - measured["VAE", 1][1]
claims.add("active units grow with k", model="IWAE", dataset="MNIST test, binarized once", unit="of 50", higher_is_better=True,
           metric="active units, IWAE with the largest k minus VAE with k = 1", values=[grown], seeds=[0], paper=6,
           paper_source=TABLE, target=4.0, protocol=way)

# %% tags=["hide-input"]
claims.add("the four conventions are four values of β", model="VAE", dataset="MNIST, 20,000 digits", unit="nats", seeds=[0],
           metric="largest difference of R or KL to the twin, over epochs", higher_is_better=False,
           values=[max(gaps.values())], target=1.0, protocol="784-200-20, 6 epochs, the KL lab.")
claims.save()
claims

# %% [markdown]
# The bound meets its target. For the likelihood the target had been set on 500 digits. On the first 500 it is met, on all 10,000 it is missed by a nat and a half: those 500 are easy ones. The time was measured on one core while other work ran on the machine, so it is no fair test of its target.
# The table of importance weighting stays behind the paper because it stops after some twenty epochs. What it shows is the order and the sign of the differences.
#
# What differs from the papers:
#
# - Kingma and Welling trained with Adagrad, and their network has one hidden layer of 500 units. Burda et al. trained for 3,280 epochs with batches of 20 and eight steps of the learning rate, each network from its own start; ours are fine-tuned from one.
# - Burda et al. start the output's bias from the mean image and keep 400 training digits out; we do neither.
# - Their test bits come from their seed and ours from ours. That moves the NLL by some hundredths.
#
# ## Summary
#
# - The ELBO is the log-likelihood minus a divergence: raising it fits model and encoder together.
# - The reparameterization turns sampling into a smooth function of μ and σ, and has a gradient of far smaller variance than the score function: ten times smaller here, and two thousand times if that has no baseline.
# - Importance weighting measures the likelihood, and as a loss it tightens the bound and uses more latents.
# - A mean here and a sum there is a hidden β. Sum over dimensions, average over the batch, and print nats.
# - A code can be empty because the decoder needs none or because the network cannot learn one. Free bits force nats into it either way; a better start helps the second.
#
# Next, [chapter 5](05_beta_vae) raises β on purpose, and looks for what single latents then stand for.
#
# ## Exercises
#
# **1.** A training script takes `F.binary_cross_entropy(x_hat, x, reduction="sum")` over the whole batch of 128, and the divergence averaged over batch and 20 latents. What is its β?

# %% tags=["hide-cell"]
r, s = 128, 1 / 20  # the sum over the batch is 128 times the mean
assert abs(s / r - 1 / 2560) < 1e-12  # β ≈ 0.0004: nearly a plain autoencoder

# %% [markdown]
# **2.** The log variance is a linear output, so nothing bounds it. How large may it become before the loss is no longer finite in single precision? Name one remedy.

# %% tags=["hide-cell"]
largest = torch.tensor(torch.finfo(torch.float32).max).log().item()  # 88.7: beyond it e^logvar overflows
for logvar, finite in ((largest - 0.1, True), (largest + 0.1, False)):
    assert gaussian_kl(torch.zeros(1, 1), torch.full((1, 1), logvar)).isfinite().item() is finite
# Clamp it, e.g. to [-10, 10]: no latent needs a variance outside of e^-10 to e^10 against a prior of variance 1.

# %% [markdown]
# **3.** An inactive unit should cost nothing. Compare the two criteria on the main network: the variance of the mean, and the divergence that the latent adds.

# %% tags=["hide-cell"]
with torch.no_grad():
    cost = gaussian_kl_terms(*vae.posterior(x_test)).mean(0)
by_mean, by_cost = unit_activity(vae, test) > 0.01, cost > 0.01
assert profile.name != "full" or (by_mean == by_cost).float().mean() > 0.9

# %% [markdown]
# **4.** Take a linear decoder with Gaussian noise, $p(x \mid z) = N(Wz, \sigma_x^2 I)$, where the columns of $W$ are orthogonal. Its posterior is a Gaussian of diagonal covariance, so the ELBO can be tight. Find $\mu$ and $\sigma^2$, and check that the ELBO equals $\log N(x;\, 0,\, W W^\top + \sigma_x^2 I)$.

# %% tags=["hide-cell"]
torch.manual_seed(0)
W = torch.linalg.qr(torch.randn(6, 2, dtype=torch.float64))[0] * torch.tensor([2.0, 0.5])
noise, x = 0.3, torch.randn(5, 6, dtype=torch.float64)
square = W.square().sum(0)  # the squared lengths of the columns
sigma2 = (noise**2 / (square + noise**2)).expand(5, 2)
mu = x @ W / (square + noise**2)
# E|x - Wz|² over the posterior is |x - Wμ|² plus what the posterior's spread adds.
error = (x - mu @ W.T).square().sum(1) + (sigma2 * square).sum(1)
constant = 3 * torch.tensor(2 * torch.pi * noise**2).log()
bound = -error / (2 * noise**2) - constant - gaussian_kl_terms(mu, sigma2.log()).sum(1)
marginal = torch.distributions.MultivariateNormal(torch.zeros(6).double(), W @ W.T + noise**2 * torch.eye(6).double())
torch.testing.assert_close(bound, marginal.log_prob(x), atol=1e-5, rtol=0)

# %% [markdown]
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
