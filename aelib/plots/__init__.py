"""The figures of the book. Every function returns a closed matplotlib figure, which a notebook shows once."""

from aelib.extras import extra

with extra("plots"):
    from aelib.plots.architecture import architecture
    from aelib.plots.curves import bands, histogram, learning_curves, lines, stacked, strips, trade_off
    from aelib.plots.images import filters, image_grid, image_rows, reconstruction_rows, sheet
    from aelib.plots.latent import density_maps, latent_scatter
    from aelib.plots.pareto import front, pareto
    from aelib.plots.png import fewer_colors
    from aelib.plots.sequences import attention_map, code_scatter
    from aelib.plots.style import COLORS, DIGITS, color_of
    from aelib.plots.tables import heat_maps, ranked

__all__ = [
    "COLORS",
    "DIGITS",
    "architecture",
    "attention_map",
    "bands",
    "code_scatter",
    "color_of",
    "density_maps",
    "fewer_colors",
    "filters",
    "front",
    "heat_maps",
    "histogram",
    "image_grid",
    "image_rows",
    "latent_scatter",
    "learning_curves",
    "lines",
    "pareto",
    "ranked",
    "reconstruction_rows",
    "sheet",
    "stacked",
    "strips",
    "trade_off",
]
