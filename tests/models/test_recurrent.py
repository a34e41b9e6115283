"""The sequence autoencoder, its decoding and its measures: known answers, and two implementations of one thing."""

import itertools
import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from aelib.data import EOS, PAD, UNKNOWN, Batch, Grammar, TextSet, Vocabulary, with_end
from aelib.likelihoods import categorical_nll
from aelib.metrics import exact_matches, nats_per_word, rewritten, steps_to, word_accuracies
from aelib.models.decoding import beam_search, greedy
from aelib.models.recurrent import (
    AttentionSeq2Seq,
    Seq2Seq,
    SequenceClassifier,
    TokenCrossEntropy,
)
from aelib.models.stacked import LabelCrossEntropy
from aelib.nets import open_forget_gates
from aelib.training import Phase, fit
from aelib.training.optimizers import adam, clipped, sgd

X = torch.tensor([[3, 4, 5, 6], [7, 3, 0, 0], [0, 0, 0, 0], [2, 2, 2, 0]])  # one empty, one of unknown words alone
VARIANTS = {
    "plain": dict(reverse=False),
    "reversed": dict(),
    "deep": dict(layers=2),
    "small code": dict(latent=3),
    "tied": dict(tied=True),
}


def model(kind: str = "reversed", attention: bool = False, seed: int = 0) -> Seq2Seq:
    torch.manual_seed(seed)
    made = AttentionSeq2Seq if attention else Seq2Seq
    return made(8, 5, 6, **VARIANTS[kind]).eval()


@pytest.mark.parametrize("kind", VARIANTS)
def test_shapes_and_sizes(kind: str) -> None:
    net = model(kind)
    out = net(X)
    assert out.logits.shape == (4, 5, 8) and out.z.shape == (4, net.latent) and out.weights is None
    assert net.latent == {"deep": 24, "small code": 3}.get(kind, 12)
    torch.testing.assert_close(net.encode(X), out.z)
    assert net.decode(out.z, 7).shape[1] <= 7
    assert (net.encoder is net.decoder) == (kind == "tied")


def test_forget_gates_start_open() -> None:
    """A cell that is told nothing keeps sigmoid(1) of what it holds."""
    lstm = open_forget_gates(nn.LSTM(3, 4))
    gates = lstm.bias_ih_l0.detach().clone()
    for parameter in lstm.parameters():
        nn.init.zeros_(parameter)
    lstm.bias_ih_l0.data[4:8] = gates[4:8]  # all that is left of its start
    _, (_, c) = lstm(torch.zeros(1, 1, 3), (torch.zeros(1, 1, 4), torch.full((1, 1, 4), 2.0)))
    torch.testing.assert_close(c, torch.full((1, 1, 4), 2 / (1 + math.exp(-1))))


# Padding


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("kind", VARIANTS)
def test_padding_changes_nothing(kind: str, attention: bool) -> None:
    net, wide = model(kind, attention), pad(X, (0, 3))
    torch.testing.assert_close(net.encode(wide), net.encode(X))
    torch.testing.assert_close(net(wide).logits[:, :5], net(X).logits)
    losses = [TokenCrossEntropy()({"ae": net}, Batch(x, None)) for x in (X, wide)]
    for term in losses[0]:
        torch.testing.assert_close(losses[1][term], losses[0][term])
    for row in X:  # a sentence alone, without its padding, is what it is in company
        alone = row[row != PAD][None]
        torch.testing.assert_close(net.encode(alone), net.encode(X)[(row == X).all(1)][:1])
    assert torch.equal(net.reconstruct(wide, 6), net.reconstruct(X, 6))
    assert torch.equal(net.reconstruct(wide, 6, width=3), net.reconstruct(X, 6, width=3))


# The loss


def by_hand(net: Seq2Seq, words: list[int]) -> float:
    """Minus the log-likelihood of one sentence, a word at a time, by an LSTM written out gate by gate."""

    def cell(lstm: nn.LSTM, v: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        a = lstm.weight_ih_l0 @ v + lstm.bias_ih_l0 + lstm.weight_hh_l0 @ h + lstm.bias_hh_l0
        i, f, g, o = a.chunk(4)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c

    h = c = torch.zeros(net.encoder.hidden_size)
    for word in [*(reversed(words) if net.reverse else words), EOS]:
        h, c = cell(net.encoder, net.embedding.weight[word], h, c)
    nats, before = 0.0, EOS
    for word in [*words, EOS]:
        h, c = cell(net.decoder, net.embedding.weight[before], h, c)
        scores = net.output.weight @ h + net.output.bias
        nats += (scores.exp().sum().log() - scores[word]).item()
        before = word
    return nats


@pytest.mark.parametrize("kind", ["plain", "reversed", "tied"])
def test_the_loss_by_hand(kind: str) -> None:
    net = model(kind)
    sentences = [row[row != PAD].tolist() for row in X]
    nats = [by_hand(net, words) for words in sentences]
    terms = TokenCrossEntropy()({"ae": net}, Batch(X, None))
    assert terms["loss"].item() == pytest.approx(sum(nats) / 4, rel=1e-5)
    places = sum(len(words) + 1 for words in sentences)
    assert terms["nats per word"].item() == pytest.approx(sum(nats) / places, rel=1e-5)
    assert nats_per_word(net, TextSet(X), batch_size=3) == pytest.approx(sum(nats) / places, rel=1e-5)
    right = (net(X).logits.argmax(2) == with_end(X))[with_end(X) != PAD]
    assert terms["word accuracy"].item() == pytest.approx(right.float().mean().item())


def test_a_forgotten_word_is_told_as_unknown() -> None:
    net, nets = model(), {"ae": model()}
    hidden = torch.where(X != PAD, UNKNOWN, X)
    expected = categorical_nll(net(X, hidden).logits, with_end(X), ignore=PAD)
    plain = TokenCrossEntropy()(nets, Batch(X, None))["loss"]
    assert not torch.isclose(expected, plain)
    assert torch.equal(TokenCrossEntropy(forget=1.0)(nets, Batch(X, None))["loss"], plain)  # not while evaluating
    nets["ae"].train()
    torch.testing.assert_close(TokenCrossEntropy(forget=1.0)(nets, Batch(X, None))["loss"], expected)
    torch.manual_seed(0)
    half = TokenCrossEntropy(forget=0.5)(nets, Batch(X, None))["loss"]
    assert not torch.isclose(half, expected) and not torch.isclose(half, plain)
    with pytest.raises(ValueError, match=r"from 0 to 1; it is 1\.5"):
        TokenCrossEntropy(forget=1.5)


def test_a_model_that_knows_nothing_pays_the_logarithm_of_the_vocabulary() -> None:
    net = model()
    nn.init.zeros_(net.output.weight)
    nn.init.zeros_(net.output.bias)
    assert nats_per_word(net, TextSet(X)) == pytest.approx(math.log(8))


def test_categorical_nll() -> None:
    logits = torch.log(torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]]))
    assert categorical_nll(logits, torch.tensor([[1, 2]])).item() == pytest.approx(math.log(4) - math.log(0.8))
    assert categorical_nll(logits, torch.tensor([[1, 0]]), ignore=0).item() == pytest.approx(math.log(4))
    for target in (torch.tensor([[1, 2, 0]]), torch.zeros(0, 2).long()):
        with pytest.raises(ValueError, match=r"takes logits \(B, T, K\) and categories \(B, T\)"):
            categorical_nll(logits[: len(target)], target)


def test_the_codes_gradient_reaches_the_encoder_and_padding_stays_zero() -> None:
    net = model("small code")
    TokenCrossEntropy()({"ae": net}, Batch(X, None))["loss"].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())
    assert net.embedding.weight.grad[PAD].abs().sum() == 0 == net.embedding.weight[PAD].abs().sum()


# Decoding


def all_sentences(words: int, longest: int) -> list[tuple[int, ...]]:
    """Every sentence of at most `longest` words, with its end."""
    return [(*words_, EOS) for n in range(longest + 1) for words_ in itertools.product(range(2, words), repeat=n)]


@pytest.mark.parametrize("attention", [False, True])
def test_a_wide_beam_is_an_exhaustive_search(attention: bool) -> None:
    torch.manual_seed(1)
    net = (AttentionSeq2Seq if attention else Seq2Seq)(5, 4, 8).eval()
    nn.init.normal_(net.output.weight, std=2.0)  # opinions strong enough to differ
    x = torch.tensor([[3, 4, 2], [4, 0, 0]])
    every = all_sentences(5, longest=3)
    assert len(every) == 1 + 3 + 9 + 27
    found, score = beam_search(net.step, net.start(x), max_length=3, width=40)
    for n in range(2):
        state, nats = net.start(x[n : n + 1]), {}
        for sentence in every:
            s, before, total = state, EOS, 0.0
            for word in sentence:
                log_p, s = net.step(torch.tensor([before]), s)
                total, before = total + log_p[0, word].item(), word
            nats[sentence[:-1]] = total
        best = sorted(nats, key=nats.get, reverse=True)
        got = [tuple(row[row != PAD].tolist()) for row in found[n]]
        assert got == best
        torch.testing.assert_close(score[n], torch.tensor([nats[s] for s in best]), rtol=1e-4, atol=1e-4)


def trap(words: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Words 2 and 3. 2 begins better (0.6), but after it nothing is better than 0.4; after 3 the end is certain."""
    p = torch.tensor([[0.0, 0.0, 0.6, 0.4], [0.0, 0.4, 0.3, 0.3], [0.0, 1.0, 0.0, 0.0]])
    row = torch.where(words == EOS, 0, words - 1)
    return p[row].log(), state


def test_a_beam_escapes_where_greedy_decoding_is_trapped() -> None:
    state = Pair(torch.zeros(1, 1), torch.zeros(1, 1))
    assert greedy(trap, state, 1).tolist() == [[2]]
    words, score = beam_search(trap, state, 1, width=2)
    assert words[0, :, 0].tolist() == [3, 2]
    assert score[0].exp().tolist() == pytest.approx([0.4, 0.24])


class Pair(tuple):
    """A state of two tensors."""

    def __new__(cls, *parts: Tensor) -> "Pair":
        return super().__new__(cls, parts)


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_greedy_is_a_beam_of_width_one(attention: bool, seed: int) -> None:
    net = model("deep", attention, seed)
    nn.init.normal_(net.output.weight, std=2.0)
    words, _ = beam_search(net.step, net.start(X), 9, width=1)
    single = greedy(net.step, net.start(X), 9)
    assert torch.equal(pad(single, (0, words.shape[2] - single.shape[1])), words[:, 0])
    assert torch.equal(net.reconstruct(X, 9), single)
    if not attention:
        assert torch.equal(net.decode(net.encode(X), 9), single)


def test_sentences_end_and_hold_no_padding_inside() -> None:
    net = model()
    with torch.no_grad():
        net.output.bias[PAD] = 50.0  # it would like nothing better
    for words in (net.reconstruct(X, 6), *beam_search(net.step, net.start(X), 6, 3)[0].unbind(1)):
        assert words.shape[1] <= 6 and not (words == EOS).any()
        assert not ((words[:, :-1] == PAD) & (words[:, 1:] != PAD)).any()
    with torch.no_grad():
        net.output.bias[EOS] = 100.0
    assert net.reconstruct(X, 6).shape == (4, 0)
    with pytest.raises(ValueError, match="width of 1 or more; this one has 0"):
        beam_search(net.step, net.start(X), 6, 0)


# Attention


def test_attention_looks_at_words_only_and_its_weights_sum_to_one() -> None:
    net = model(attention=True)
    weights = net(X).weights
    assert weights is not None and weights.shape == (4, 5, 5)
    torch.testing.assert_close(weights.sum(2), torch.ones(4, 5))
    assert (weights[(with_end(X) == PAD)[:, None].expand_as(weights)] == 0).all()
    with pytest.raises(TypeError, match=r"not z: call reconstruct\(x\)"):
        net.decode(net.encode(X))


def test_a_step_at_a_time_is_teacher_forcing() -> None:
    for net in (model("deep"), model("deep", attention=True), model("small code")):
        state, told = net.start(X), pad(X, (1, 0), value=EOS)
        scores = []
        for words in told.unbind(1):
            log_p, state = net.step(words, state)
            scores.append(log_p)
        torch.testing.assert_close(torch.stack(scores, 1), net(X).logits.log_softmax(2))


# Learning


def test_it_learns_a_toy_language_and_the_measures_see_it() -> None:
    grammar = Grammar({"S": ("A B", "A B S"), "A": ("the", "a"), "B": ("cat", "dog", "bird")})
    sentences = grammar.sentences(200, (6, 6))  # of 6 x 6 x 6
    data = TextSet.of(sentences, Vocabulary(grammar.words), limit=8)
    torch.manual_seed(0)
    net = Seq2Seq(8, 16, 48)
    before = nats_per_word(net, data)
    fit({"ae": net}, Phase(TokenCrossEntropy(), clipped(adam(1e-2), 5.0)), data, epochs=25, batch_size=20)
    again = rewritten(net, data)
    assert nats_per_word(net, data) < before / 5
    assert word_accuracies(again, data.x).mean() > 0.9


def test_measures_by_hand() -> None:
    x = torch.tensor([[3, 4, 5], [3, 4, 0], [3, 0, 0], [0, 0, 0]])
    x_hat = torch.tensor([[3, 5, 5, 6], [3, 4, 0, 0], [3, 4, 0, 0], [0, 0, 0, 0]])
    # [3 5 5 6] against [3 4 5 .]: 2 of 4; the third writes a word where the end belongs: 1 of 2
    assert word_accuracies(x_hat, x).tolist() == pytest.approx([2 / 4, 1.0, 1 / 2, 1.0])
    assert exact_matches(x_hat, x).tolist() == [False, True, False, True]
    assert exact_matches(x_hat[1:2, :2], x[1:2]).tolist() == [True]
    with pytest.raises(ValueError, match=r"N the same and not 0; they are \(3, 4\) and \(4, 3\)"):
        word_accuracies(x_hat[:3], x)
    assert steps_to({10: 0.2, 20: 0.6, 30: 1.0}, 0.8) == pytest.approx(25)
    with pytest.raises(ValueError, match="empty; there is nothing to read"):
        rewritten(model(), TextSet(X)[[]])
    assert steps_to({10: 0.2}, 0.1) == pytest.approx(5) and steps_to({10: 0.2}, 0.3) == math.inf


def test_clipping_shortens_long_gradients_only() -> None:
    for length, step in ((10.0, 0.5), (0.3, 0.3)):
        weight = nn.Parameter(torch.zeros(4))
        optimizer = clipped(sgd(1.0), 0.5)([weight])
        weight.grad = torch.full((4,), length / 2)
        optimizer.step()
        assert weight.norm().item() == pytest.approx(step)


def test_a_classifier_starts_from_the_autoencoder_and_trains_it() -> None:
    torch.manual_seed(0)
    net = Seq2Seq(8, 8, 8, reverse=False)
    classifier = SequenceClassifier(net, dropout=0.0)
    assert torch.equal(classifier(X).logits, classifier.head(net.encode(X)))
    before = net.embedding.weight.detach().clone()
    data = TextSet(X.repeat(8, 1), torch.tensor([0, 1, 0, 1]).repeat(8))
    history = fit({"classifier": classifier}, Phase(LabelCrossEntropy(), adam(3e-2)), data, epochs=20, batch_size=8)
    assert history.query("term == 'error'").value.iloc[-1] == 0
    assert not torch.equal(net.embedding.weight, before)
    assert torch.equal(net.embedding.weight[PAD], torch.zeros(8))
    with pytest.raises(ValueError, match="needs labels, and this batch has none"):
        LabelCrossEntropy()({"classifier": classifier}, Batch(X, None))


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (torch.tensor([3, 4]), ValueError, r"sentences of shape \(B, T\); it got \(2,\)"),
        (torch.tensor([[3.0]]), TypeError, "word numbers, int64; it got torch.float32"),
        (torch.tensor([[3, 8]]), ValueError, "has 8 words, numbered from 0; it got 3 to 8. Encode"),
        (torch.tensor([[-1]]), ValueError, "it got -1 to -1"),
    ],
)
def test_what_is_no_sentence(x: Tensor, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        model()(x)
    with pytest.raises(ValueError, match="three marks and a word at least; this one has 3"):
        Seq2Seq(3)


def test_unknown_words_are_words() -> None:
    torch.manual_seed(0)
    net = Seq2Seq(8, 16, 32)
    data = TextSet(torch.tensor([[UNKNOWN, 3], [UNKNOWN, UNKNOWN], [4, UNKNOWN], [0, 0]]).repeat(5, 1))
    fit({"ae": net}, Phase(TokenCrossEntropy(), adam(3e-2)), data, epochs=30, batch_size=4)
    assert torch.equal(rewritten(net, data[:4])[:, :2], data.x[:4])  # the empty sentence comes back empty
