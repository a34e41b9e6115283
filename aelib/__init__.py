"""aelib: autoencoders, their training and their measurement, as the chapters of the book use them.

Imports run downwards only: models, metrics, training and claims stand on data, nets, likelihoods, plots.
"""

__version__ = "0.1.0"
