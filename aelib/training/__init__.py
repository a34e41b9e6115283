"""Training: one loop for every chapter, what it is told, and what it remembers.

:func:`fit` trains modules by phases; a :class:`Phase` is an objective, the modules that it updates, an optimizer and a
schedule. After each epoch callbacks are told an :class:`EpochEnd`; :class:`EarlyStopping` is one.
"""

from aelib.training.loop import fit
from aelib.training.phases import EarlyStopping, EpochEnd, Phase

__all__ = ["EarlyStopping", "EpochEnd", "Phase", "fit"]
