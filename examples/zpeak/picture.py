"""The picture of the Z peak: the histogram, the fitted curve, and how far each bin is from it."""

import logging

import matplotlib
import matplotlib.pyplot as plt
import mplhep
import numpy as np
import peak
from matplotlib.ticker import MaxNLocator

RED = "#c8102e"
GREY = "#6b7280"


def draw(result, events_generated, fit, path):
    """Draw the mass histogram of a result as PNG; without a curve when `fit` is None."""
    matplotlib.use("Agg")  # a worker node has no screen
    # The style's font has no root sign; matplotlib takes it from another font and would say so once per stroke.
    logging.getLogger("matplotlib.mathtext").setLevel(logging.ERROR)
    mplhep.style.use("ATLAS")
    figure, (main, pulls) = plt.subplots(2, 1, figsize=(9, 8), sharex=True, height_ratios=[3.8, 1])
    figure.subplots_adjust(left=0.12, right=0.96, bottom=0.1, top=0.96, hspace=0.06)
    draw_histogram(main, result.mass, fit)
    draw_pulls(pulls, result.mass, fit)
    write_labels(main, labels(result, events_generated) + fit_labels(fit))
    figure.align_ylabels()
    figure.savefig(path, dpi=150)


def draw_histogram(axes, mass, fit):
    """The entries with the errors sqrt(entries), and what the fit expects in a bin around each mass."""
    axis, entries = mass.axes[0], mass.values()
    errors = np.sqrt(entries)
    look = {"color": "black", "markersize": 8, "linewidth": 1.2, "label": "Simulation"}
    mplhep.histplot(mass, ax=axes, histtype="errorbar", yerr=errors, xerr=True, flow="none", **look)
    if fit is not None:
        m = np.linspace(axis.edges[0], axis.edges[-1], 1201)
        curve = peak.entries_expected(m, axis.widths[0], *fit.parameters)
        axes.plot(m, curve, color=RED, lw=2, label="Breit-Wigner with\nphoton radiation")
    axes.set_xlabel("")
    axes.set_ylabel("Events / GeV", loc="top")
    axes.set_ylim(0, 1.15 * max((entries + errors).max(), 1))
    axes.legend(loc="upper right", frameon=False, fontsize=16, reverse=True)


def draw_pulls(axes, mass, fit):
    """The distance of each bin from the curve, in standard deviations."""
    axis = mass.axes[0]
    axes.axhspan(-1, 1, color=RED, alpha=0.12, lw=0)
    axes.axhline(0, color=RED, lw=1.5)
    if fit is not None:
        distance = (mass.values() - fit.expected) / np.sqrt(fit.expected)
        limit = max(3.5, 1.1 * np.abs(distance).max())
        axes.plot(axis.centers, distance, "o", markersize=4, color="black")
        axes.set_ylim(-limit, limit)
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_xlim(axis.edges[0], axis.edges[-1])
    axes.set_xlabel(r"$m_{\mu\mu}$ [GeV]", loc="right")
    axes.set_ylabel("Pull", loc="center")


def labels(result, events_generated):
    """What is shown and how many events there are: pairs of text and style."""
    return [
        ("pandawms demo", {"fontsize": 21, "fontweight": "bold", "fontstyle": "italic"}),
        (r"Pythia 8, $\sqrt{s}$ = 13 TeV", {"fontsize": 17}),
        (r"$pp \to Z/\gamma^{*} \to \mu^{+}\mu^{-}$", {"fontsize": 17}),
        (r"$p_\mathrm{T}(\mu)$ > 20 GeV,  $|\eta(\mu)|$ < 2.5", {"fontsize": 17}),
        (f"{result.events_selected:,} of {events_generated:,} events selected", {"fontsize": 14, "color": GREY}),
    ]


def fit_labels(fit):
    """What the fit found: pairs of text and style."""
    if fit is None:
        return [("too few events for a fit", {"fontsize": 17, "color": RED})]
    return [
        (f"$m_Z$ = {fit.mass_gev:.3f} ± {fit.mass_error_gev:.3f} GeV", {"fontsize": 17, "color": RED}),
        (rf"$\Gamma_Z$ = {fit.width_gev:.3f} ± {fit.width_error_gev:.3f} GeV", {"fontsize": 17, "color": RED}),
        (rf"$\chi^2$ / dof = {fit.chi2:.0f} / {fit.degrees_of_freedom}", {"fontsize": 14, "color": GREY}),
    ]


def write_labels(axes, lines):
    """Write the lines one below the other in the upper left corner."""
    for row, (text, style) in enumerate(lines):
        axes.text(0.04, 0.94 - 0.078 * row, text, transform=axes.transAxes, verticalalignment="top", **style)
