"""Training: one loop for every chapter, what it is told, and what it remembers.

:func:`fit` trains modules by phases; a :class:`Phase` is an objective, the modules that it updates, an optimizer and a
schedule. After each epoch callbacks are told an :class:`EpochEnd`; :class:`EarlyStopping` is one. A :class:`Fit` is a
call of it that waits to be made, a step of a run that is recorded; a :class:`Call` is a step that is no training.
"""

from aelib.training.declared import Call, Derived, Fit, Measured
from aelib.training.loop import fit
from aelib.training.phases import EarlyStopping, EpochEnd, Phase

__all__ = ["Call", "Derived", "EarlyStopping", "EpochEnd", "Fit", "Measured", "Phase", "fit"]
