"""What :func:`aelib.training.fit` is given, checked before anything is moved or changed."""

from collections.abc import Mapping, Sequence

from torch import nn

from aelib.interfaces import Data
from aelib.training.phases import Modules, Phase
from aelib.training.streaming import Streamed

SEEDS = 2**32


def check_arguments(
    modules: Modules,
    phases: Sequence[Phase],
    data: Data | Streamed,
    epochs: int,
    batch_size: int,
    seed: int,
    validation: int,
) -> None:
    """Raise a TypeError or a ValueError, in one sentence, unless these fit together."""
    if not isinstance(modules, Mapping):
        raise TypeError(f'fit takes its modules by name, e.g. {{"ae": model}}; it got a {type(modules).__name__}.')
    if others := {name: type(one).__name__ for name, one in modules.items() if not isinstance(one, nn.Module)}:
        raise TypeError(f"fit trains torch.nn.Modules; it got {others}.")
    if strange := [type(phase).__name__ for phase in phases if not isinstance(phase, Phase)]:
        raise TypeError(f"fit takes phases, e.g. Phase(ELBO()); it got {strange}.")
    if epochs < 1 or batch_size < 1:
        raise ValueError(f"epochs and batch_size must be 1 or more; they are {epochs} and {batch_size}.")
    if not 0 <= seed < SEEDS:
        raise ValueError(f"seed must be a whole number from 0 to {SEEDS - 1}; it is {seed}.")
    if not 0 <= validation < len(data):
        raise ValueError(f"validation must leave examples to train on: 0 to {len(data) - 1}; it is {validation}.")
    names = [phase.name for phase in phases]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"fit needs one or more phases, each with a name of its own; it got {names}.")
