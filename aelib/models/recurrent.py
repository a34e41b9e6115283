"""Sequence to sequence as an autoencoder: one LSTM reads a sentence into a vector, another writes it out again.

Sutskever, Vinyals & Le, "Sequence to sequence learning with neural networks", NeurIPS 2014. As pretraining of a
classifier: Dai & Le, "Semi-supervised sequence learning", NeurIPS 2015.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from aelib.data import EOS, PAD, UNKNOWN, Batch, reversed_words, with_end
from aelib.likelihoods import categorical_nll
from aelib.models.decoding import beam_search, greedy
from aelib.models.stacked import Classification
from aelib.nets import open_forget_gates, reading_is_free


class SequenceReconstruction(NamedTuple):
    """What a sequence autoencoder makes of a batch of sentences when each right word is told to it in turn."""

    logits: Tensor  # (B, T + 1, V): place t scores word t given the words before it; after the last comes the end
    z: Tensor  # (B, latent)
    weights: Tensor | None  # (B, T + 1, T + 1), where each place looked in the source, if the model has attention


class State(NamedTuple):
    """What the decoder knows before its next word."""

    h: Tensor  # (B, layers * H)
    c: Tensor  # (B, layers * H)
    memory: Tensor  # (B, T + 1, H), the encoder's outputs; read by attention only
    mask: Tensor  # (B, T + 1), true where the source has a word or its end


class Seq2Seq(nn.Module):
    r"""An LSTM reads the sentence; its last state is the code; from it a second LSTM writes the sentence again.

    .. math:: z = (h_T, c_T), \qquad p(x \mid z) = \prod_{t=1}^{T+1} p(x_t \mid z, x_1, \dots, x_{t-1})

    where :math:`x_{T+1}` is the end mark. As in the paper, the mark also closes the source and opens the output, and
    the source is read in reverse. The two LSTMs share their word vectors, for both read the same language; their forget
    gates start open.

    Args:
        vocabulary: how many words there are, with the marks for padding, end and unknown words.
        embedding: size of a word vector.
        hidden: size of the LSTMs' states.
        layers: of each LSTM; the paper has four of 1,000.
        reverse: whether the source is read from its last word to its first.
        latent: size of the code. By default the code is the encoder's last state, 2 · layers · hidden numbers;
            a smaller one is made by a linear map, and another leads back.
        tied: whether one LSTM serves as encoder and decoder, as in Dai & Le (2015).

    Raises:
        ValueError: the vocabulary has no word beside the marks.
    """

    def __init__(
        self,
        vocabulary: int,
        embedding: int = 64,
        hidden: int = 256,
        layers: int = 1,
        *,
        reverse: bool = True,
        latent: int | None = None,
        tied: bool = False,
    ) -> None:
        super().__init__()
        if vocabulary < 4:
            raise ValueError(f"A vocabulary has three marks and a word at least; this one has {vocabulary} entries.")
        state = 2 * layers * hidden
        self.reverse, self.layers, self.latent = reverse, layers, latent or state
        self.embedding = nn.Embedding(vocabulary, embedding, padding_idx=PAD)
        self.encoder = open_forget_gates(nn.LSTM(embedding, hidden, layers, batch_first=True))
        self.decoder = self.encoder if tied else open_forget_gates(nn.LSTM(embedding, hidden, layers, batch_first=True))
        self.down: nn.Module = nn.Linear(state, latent) if latent else nn.Identity()
        self.up: nn.Module = nn.Linear(latent, state) if latent else nn.Identity()
        self.output = nn.Linear(hidden, vocabulary)

    def encode(self, x: Tensor) -> Tensor:  # (B, T) -> (B, latent)
        """The codes of a batch of sentences.

        Args:
            x: word numbers, int64, each sentence followed by padding (0) only. It may be empty.

        Raises:
            TypeError: *x* is not int64.
            ValueError: *x* is not of shape (B, T), or holds numbers outside the vocabulary.
        """
        return self._read(x)[0]

    def start(self, x: Tensor) -> State:
        """Read the sentences *x* (B, T); what the decoder then starts from."""
        return self._state(*self._read(x))

    def decode(self, z: Tensor, max_length: int = 20) -> Tensor:  # (B, latent) -> (B, T)
        """The sentences, of *max_length* words at most, that greedy decoding makes of the codes."""
        memory = z.new_zeros(len(z), 0, self.encoder.hidden_size)
        return greedy(self.step, self._state(z, memory, memory[:, :, 0].bool()), max_length)

    def reconstruct(self, x: Tensor, max_length: int = 20, width: int = 1) -> Tensor:  # (B, T) -> (B, T)
        """Encode the sentences and decode them, greedily or with a beam of the given width."""
        if width == 1:
            return greedy(self.step, self.start(x), max_length)
        return beam_search(self.step, self.start(x), max_length, width)[0][:, 0]

    def step(self, words: Tensor, state: State) -> tuple[Tensor, State]:  # (B,) -> (B, V)
        """The log probabilities of the next word after *words*, the latest ones."""
        logits, state, _ = self._write(words[:, None], state)
        return logits[:, 0].log_softmax(1), state

    def forward(self, x: Tensor, told: Tensor | None = None) -> SequenceReconstruction:
        """Encode sentences (B, T) and score them with teacher forcing: the decoder reads the right words, or *told*."""
        z, memory, mask = self._read(x)
        so_far = pad(x if told is None else told, (1, 0), value=EOS)  # (B, T + 1)
        logits, _, weights = self._write(so_far, self._state(z, memory, mask))
        return SequenceReconstruction(logits, z, weights)

    def _state(self, z: Tensor, memory: Tensor, mask: Tensor) -> State:
        h, c = self.up(z).chunk(2, dim=1)
        return State(h, c, memory, mask)

    def _read(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        self._check(x)
        source = with_end(reversed_words(x) if self.reverse else x)
        mask = source != PAD
        # Packed: the LSTM stops at each sentence's own end and never sees the padding.
        packed = pack_padded_sequence(self.embedding(source), mask.sum(1).cpu(), batch_first=True, enforce_sorted=False)
        outputs, (h, c) = self.encoder(packed)  # h, c: (layers, B, H)
        memory = pad_packed_sequence(outputs, batch_first=True, total_length=source.shape[1])[0]
        return self.down(torch.cat([*h, *c], dim=1)), memory, mask

    def _write(self, words: Tensor, state: State) -> tuple[Tensor, State, Tensor | None]:
        h, c = (s.unflatten(1, (self.layers, -1)).transpose(0, 1).contiguous() for s in (state.h, state.c))
        outputs, (h, c) = self.decoder(self.embedding(words), (h, c))  # (B, T, H)
        outputs, weights = self._look(outputs, state)
        h, c = (s.transpose(0, 1).flatten(1) for s in (h, c))
        return self.output(outputs), State(h, c, state.memory, state.mask), weights

    def _look(self, outputs: Tensor, state: State) -> tuple[Tensor, Tensor | None]:
        """What the decoder does between its LSTM and the word scores: here, nothing."""
        return outputs, None

    def _check(self, x: Tensor) -> None:
        if x.ndim != 2:
            raise ValueError(f"{type(self).__name__} expects sentences of shape (B, T); it got {tuple(x.shape)}.")
        if x.dtype != torch.int64:
            raise TypeError(f"{type(self).__name__} expects word numbers, int64; it got {x.dtype}.")
        size = self.embedding.num_embeddings
        if x.numel() and reading_is_free(x) and not 0 <= int(x.min()) <= int(x.max()) < size:
            raise ValueError(
                f"{type(self).__name__} has {size} words, numbered from 0; it got {int(x.min())} to {int(x.max())}. "
                "Encode the sentences with the vocabulary that the model was made for."
            )


class AttentionSeq2Seq(Seq2Seq):
    r"""The decoder may look back at every state of the encoder: global attention, Luong et al. (2015), eqs 5, 7, 8.

    .. math:: a_{ts} = \operatorname{softmax}_s(h_t^\top W \bar h_s), \qquad
              \tilde h_t = \tanh(W_c [\textstyle\sum_s a_{ts} \bar h_s; h_t])

    with the encoder's states :math:`\bar h_s`. The code is then not all that reaches the decoder, so :meth:`decode`
    is refused; :meth:`reconstruct` works. Arguments as for :class:`Seq2Seq`.
    """

    def __init__(
        self, vocabulary: int, embedding: int = 64, hidden: int = 256, layers: int = 1, **options: Any
    ) -> None:
        super().__init__(vocabulary, embedding, hidden, layers, **options)
        self.score = nn.Linear(hidden, hidden, bias=False)
        self.mix = nn.Linear(2 * hidden, hidden, bias=False)

    def decode(self, z: Tensor, max_length: int = 20) -> Tensor:
        """Refused with a TypeError: the code alone does not make the sentence."""
        raise TypeError("With attention the decoder reads all states of the encoder, not z: call reconstruct(x).")

    def _look(self, outputs: Tensor, state: State) -> tuple[Tensor, Tensor | None]:
        scores = self.score(outputs) @ state.memory.transpose(1, 2)  # (B, T, S)
        weights = scores.masked_fill(~state.mask[:, None], -torch.inf).softmax(2)
        return torch.tanh(self.mix(torch.cat([weights @ state.memory, outputs], dim=2))), weights


class SequenceClassifier(nn.Module):
    """A linear layer on a sequence autoencoder's code, after dropout. Training it trains the encoder too.

    The objective is :class:`~aelib.models.stacked.LabelCrossEntropy`.

    Args:
        autoencoder: pretrained or not; its encoder is shared, not copied.
        classes: how many.
        dropout: the fraction of the code that is dropped in training.
    """

    def __init__(self, autoencoder: Seq2Seq, classes: int = 2, dropout: float = 0.5) -> None:
        super().__init__()
        self.autoencoder, self.dropout = autoencoder, nn.Dropout(dropout)
        self.head = nn.Linear(autoencoder.latent, classes)

    def forward(self, x: Tensor) -> Classification:
        """Logits and codes of a batch of sentences (B, T)."""
        z = self.autoencoder.encode(x)
        return Classification(self.head(self.dropout(z)), z)


@dataclass(frozen=True)
class TokenCrossEntropy:
    r"""Minus the log-likelihood of the sentence given its code, :math:`-\sum_{t=1}^{T+1} \log p(x_t \mid z, x_{<t})`.

    The end mark counts as a word, padding does not. Calls ``nets["ae"]``. Reports beside the loss, which is in nats
    per sentence, the nats per word and the fraction of words that are the likeliest, both over the batch's words.

    Args:
        forget: the fraction of the words told to the decoder that are replaced by the unknown word, in training only,
            so that it has to ask the code (word dropout, Bowman et al. 2016, section 3.1).

    Raises:
        ValueError: *forget* is not from 0 to 1.
    """

    forget: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.forget <= 1:
            raise ValueError(f"forget is a fraction of words, from 0 to 1; it is {self.forget}.")

    def __call__(self, nets: Mapping[str, nn.Module], batch: Batch) -> dict[str, Tensor]:
        x, target = batch.x, with_end(batch.x)
        gone = torch.rand(x.shape, device=x.device) < (self.forget if nets["ae"].training else 0.0)
        out = nets["ae"](x, torch.where(gone & (x != PAD), UNKNOWN, x))
        loss = categorical_nll(out.logits, target, ignore=PAD)
        with torch.no_grad():
            real = target != PAD
            right = (out.logits.argmax(2) == target)[real].float().mean()
            return {"loss": loss, "nats per word": loss * len(target) / real.sum(), "word accuracy": right}
