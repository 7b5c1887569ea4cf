"""The merge of step 4: adds the histograms, fits the peak and draws it beside one event.

    python draw.py --picture jpsi.png --summary summary.json masses.1.json masses.2.json

An event that is in two of the inputs ends the program with exit code 1.
"""

import argparse
import json
import logging
import math
from pathlib import Path
from typing import NamedTuple

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from derive import BINS, HIGH_GEV, LOW_GEV
from detector import FIELD_T, GEV_PER_T_M, RADII_M
from scipy.optimize import curve_fit

INK, GREY = "#1f2937", "#9ca3af"
COLOURS = {-1: "#0b6e8f", 1: "#c8102e"}
MIN_ENTRIES = 30  # with fewer a fit of five parameters tells nothing


class Fit(NamedTuple):
    """What the fit found: all parameters of shape(); where the peak is, with its error, and its width, in GeV."""

    parameters: tuple
    peak_gev: float
    peak_error_gev: float
    width_gev: float


def main():
    """Add, check, fit, draw, sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="+", metavar="FILE")
    parser.add_argument("--picture", default="jpsi.png", metavar="FILE")
    parser.add_argument("--summary", default="summary.json", metavar="FILE")
    options = parser.parse_args()
    parts = [json.loads(Path(path).read_text()) for path in options.inputs]
    numbers = [number for part in parts for number in part["events"]]
    if len(set(numbers)) != len(numbers):
        raise SystemExit(f"draw: {len(numbers) - len(set(numbers))} events are there twice")
    entries = np.sum([part["entries"] for part in parts], axis=0)
    fit = fitted(entries)
    shown = next((part["shown"] for part in parts if part["shown"]), [])
    draw(entries, fit, shown, len(numbers), options.picture)
    peak = {"peak_gev": fit.peak_gev, "peak_error_gev": fit.peak_error_gev, "width_gev": fit.width_gev} if fit else {}
    summary = {"events": len(numbers), "masses": int(entries.sum()), **peak}
    Path(options.summary).write_text(json.dumps(summary, indent=2) + "\n")
    print(json.dumps(summary))


def centers():
    """The middle of each bin, in GeV."""
    edges = np.linspace(LOW_GEV, HIGH_GEV, BINS + 1)
    return (edges[1:] + edges[:-1]) / 2


def shape(mass, height, mean, width, tail, tail_width):
    """The curve that is fitted: a Gaussian for well measured events, and a wider one, the part `tail` of the height, for fast muons that hardly bend."""
    return height * ((1 - tail) * np.exp(-0.5 * ((mass - mean) / width) ** 2) + tail * np.exp(-0.5 * ((mass - mean) / tail_width) ** 2))


def fitted(entries):
    """The parameters of shape() and the error of the mean; None when there are too few entries."""
    if entries.sum() < MIN_ENTRIES:
        return None
    x, start = centers(), [float(entries.max()), float(centers()[entries.argmax()]), 0.015, 0.15, 0.06]
    bounds = ([0, LOW_GEV, 0.003, 0, 0.02], [np.inf, HIGH_GEV, 0.05, 0.5, 0.2])
    try:
        values, covariance = curve_fit(shape, x, entries, start, sigma=np.sqrt(np.maximum(entries, 1)), absolute_sigma=True, bounds=bounds)
    except RuntimeError:  # curve_fit's way to say that it did not converge
        return None
    return Fit(tuple(map(float, values)), float(values[1]), float(np.sqrt(covariance[1][1])), float(values[2]))


def draw(entries, fit, shown, n_events, path):
    """One event on the left, the mass of all on the right."""
    matplotlib.use("Agg")  # a worker node has no screen
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    plt.rcParams.update({"font.size": 12, "axes.edgecolor": INK, "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK})
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 6), width_ratios=[1, 1.25])
    draw_event(left, shown)
    draw_mass(right, entries, fit, n_events)
    figure.tight_layout(w_pad=3)
    figure.savefig(path, dpi=120)


def draw_event(axes, tracks):
    """The layers of the tracker, seen along the field, and the tracks of one event."""
    for radius in RADII_M:
        axes.add_patch(plt.Circle((0, 0), radius, fill=False, color=GREY, lw=1))
    for charge, px, py in tracks:
        x, y = flight(charge, px, py)
        axes.plot(x, y, color=COLOURS[charge], lw=2.5, label=rf"$\mu^{'+' if charge > 0 else '-'}$, {math.hypot(px, py):.1f} GeV")
    axes.plot(0, 0, "o", color=INK, markersize=5)
    axes.set(aspect="equal", xlim=(-1.15, 1.15), ylim=(-1.15, 1.15), xlabel="x [m]", ylabel="y [m]")
    axes.set_title("one event, as it was reconstructed", loc="left", fontsize=13)
    if tracks:
        axes.legend(loc="lower left", framealpha=1, edgecolor="white", borderpad=0.2)


def flight(charge, px, py):
    """The points of a track from the middle to the last layer."""
    bend_m = math.hypot(px, py) / (GEV_PER_T_M * FIELD_T)
    radius = np.linspace(0, min(RADII_M[-1], 2 * bend_m), 100)
    azimuth = math.atan2(py, px) - charge * np.arcsin(radius / (2 * bend_m))
    return radius * np.cos(azimuth), radius * np.sin(azimuth)


def draw_mass(axes, entries, fit, n_events):
    """The histogram and its fit."""
    x = centers()
    axes.errorbar(x, entries, np.sqrt(entries), xerr=(HIGH_GEV - LOW_GEV) / BINS / 2, fmt="o", color=INK, markersize=4, lw=1, label=f"{n_events:,} events")
    if fit:
        fine = np.linspace(LOW_GEV, HIGH_GEV, 600)
        axes.plot(fine, shape(fine, *fit.parameters), color=COLOURS[1], lw=2, label="two Gaussians")
        text = f"$J/\\psi$ at {fit.peak_gev * 1000:.1f} ± {fit.peak_error_gev * 1000:.1f} MeV\nwidth {fit.width_gev * 1000:.0f} MeV"
        axes.text(0.03, 0.95, text, transform=axes.transAxes, va="top", fontsize=14, color=COLOURS[1])
    axes.set(xlim=(LOW_GEV, HIGH_GEV), ylim=(0, None), xlabel=r"$m_{\mu\mu}$ [GeV]", ylabel=f"events / {(HIGH_GEV - LOW_GEV) / BINS * 1000:.0f} MeV")
    axes.set_title("the mass of two tracks", loc="left", fontsize=13)
    axes.legend(loc="upper right", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
