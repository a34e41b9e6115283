"""The look of every figure: one color a model, plain numbers on logarithmic axes, closed figures.

Colors are those of Okabe & Ito, told apart by readers who are color-blind; a model keeps its color throughout.
"""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW, GRAY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#B8A800",
    "#7F7F7F",
)
COLORS = {
    "PCA": GRAY,
    "Logistic PCA": YELLOW,
    "Autoencoder": BLUE,
    "Vanilla": BLUE,
    "Sparse": ORANGE,
    "RBM-pretrained": PINK,
    "Random start": RED,
    "Modern": BLUE,
    "Denoising": GREEN,
    "SR": ORANGE,
    "Conv": GREEN,
    "Stacked": SKY,
    "Stacked, cross-entropy": PINK,
    "VAE": RED,
    "IWAE": GREEN,
    "No penalty": GRAY,
    "KL to ρ": GREEN,
    "L1": ORANGE,
    "Top-k": BLUE,
    "AAE": BLUE,
    "Reversed": BLUE,
    "In order": ORANGE,
    "Attention": GREEN,
    "Pretrained": BLUE,
    "Contractive": PINK,
    "VQ-VAE": ORANGE,
    "FSQ": SKY,
    "Straight-through": YELLOW,
    "Grid autoencoder": GREEN,
    "FC": BLUE,
    "CNN": GREEN,
    "RNN": PINK,
    "LSTM": YELLOW,
    "β-VAE": PINK,
    "β-TCVAE": SKY,
}
DIGITS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C7A00", "#000000", "#7B3FA0", "#999999")

plt.rcParams.update(
    {
        "figure.dpi": 110,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.25,
        "axes.axisbelow": True,
        "legend.frameon": False,
        "font.size": 10,
        "figure.constrained_layout.use": True,
    }
)


def color_of(label: str, position: int = 0) -> str:
    """The color of the model whose name starts the label, else one by position."""
    found = [name for name in COLORS if label.startswith(name)]
    return COLORS[max(found, key=len)] if found else (BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW, GRAY)[position % 8]


class _Plain(LogFormatter):
    """0.004 on a logarithmic axis, where matplotlib writes 4 × 10⁻³."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""


def finish(figure: Figure) -> Figure:
    """The figure with plain tick labels, closed: a notebook shows what a cell returns, and shows it once."""
    for plot in figure.axes:
        for axis, scale in ((plot.xaxis, plot.get_xscale()), (plot.yaxis, plot.get_yscale())):
            if scale == "log" and isinstance(axis.get_major_formatter(), LogFormatter):
                axis.set_major_formatter(_Plain())
                axis.set_minor_formatter(_Plain(minor_thresholds=(2, 0.5)))
    plt.close(figure)  # the figure lives on; pyplot, which would show it a second time, forgets it
    return figure


def panel(axis: Axes | None, width: float, height: float) -> tuple[Figure, Axes]:
    """The axis that was given and its figure, or a new figure of one axis: width and height in inches."""
    figure = axis.get_figure(root=True) if axis is not None else None
    return plt.subplots(figsize=(width, height)) if axis is None or figure is None else (figure, axis)
