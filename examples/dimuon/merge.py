"""Add the parts of all lumi blocks, check that each event is there once, and draw the dimuon spectrum.

    python merge.py --picture spectrum.png --summary summary.json partial.1.root partial.2.root

An event that is in two of the parts ends the program with exit code 1.
"""

import argparse
import json
import logging
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import spectrum

INK, GREY, RED, BLUE = "#1f2937", "#9ca3af", "#c8102e", "#0b6e8f"
JPSI_GEV = 3.0969
NAMES = [(0.78, r"$\rho,\omega$"), (1.02, r"$\phi$"), (3.10, r"$J/\psi$"), (3.69, r"$\psi'$"), (9.46, r"$\Upsilon$"), (91.19, "$Z$")]


def main():
    """Add, check, draw, sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="+", metavar="FILE")
    parser.add_argument("--picture", default="spectrum.png", metavar="FILE")
    parser.add_argument("--summary", default="summary.json", metavar="FILE")
    options = parser.parse_args()
    try:
        total = spectrum.add([spectrum.load(path) for path in options.inputs])
    except ValueError as error:
        raise SystemExit(f"merge: {error}") from None
    summary = sum_up(total)
    draw(total, summary, options.picture)
    Path(options.summary).write_text(json.dumps(summary, indent=2) + "\n")
    print(json.dumps(summary))


def sum_up(total):
    """The numbers of the whole; `events_missing` counts gaps between the first and the last event."""
    files, blocks = total.files, per_block(total)
    n_events = int(files["n_events"].sum())
    calibrated = np.average(blocks["calibrated_gev"], weights=blocks["n_peak"])
    return {
        "files": len(files["block"]),
        "lumi_blocks": len(blocks["block"]),
        "events": n_events,
        "events_missing": int(files["last_event"].max() - files["first_event"].min() + 1) - n_events,
        "pairs": int(total.opposite.sum() + total.same.sum()),
        "jpsi_gev": round(float(calibrated), 4),
        "jpsi_spread_raw_gev": round(float(np.std(blocks["raw_gev"])), 4),
        "jpsi_spread_calibrated_gev": round(float(np.std(blocks["calibrated_gev"])), 4),
    }


def per_block(total):
    """A row a lumi block, in order: its number, its events, and the middle of the J/psi before and after calibration."""
    blocks = np.unique(total.peaks["block"])
    rows = {"block": blocks, "n_events": np.array([total.files["n_events"][total.files["block"] == block].sum() for block in blocks])}
    jobs = [total.peaks["block"] == block for block in blocks]
    rows["n_peak"] = np.array([max(total.peaks["n_peak"][of].sum(), 1) for of in jobs])
    for name in ("raw_gev", "calibrated_gev"):
        rows[name] = np.array([np.average(total.peaks[name][of], weights=np.maximum(total.peaks["n_peak"][of], 1)) for of in jobs])
    return rows


def draw(total, summary, path):
    """The spectrum above; how the J/psi stays and how the beams fade below."""
    matplotlib.use("Agg")  # a worker node has no screen
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    plt.rcParams.update({"font.size": 12, "axes.edgecolor": INK, "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK})
    figure = plt.figure(figsize=(12, 9))
    grid = figure.add_gridspec(2, 2, height_ratios=[2, 1], hspace=0.3, wspace=0.2, left=0.08, right=0.97, top=0.95, bottom=0.07)
    draw_spectrum(figure.add_subplot(grid[0, :]), total, summary)
    draw_jpsi(figure.add_subplot(grid[1, 0]), per_block(total))
    draw_blocks(figure.add_subplot(grid[1, 1]), per_block(total))
    figure.savefig(path, dpi=110)


def draw_spectrum(axes, total, summary):
    """Pairs of opposite charge for each GeV, and below them what pairs are by chance, as many as pairs with the same charge."""
    widths = np.diff(spectrum.EDGES_GEV)
    false = total.mixed * (total.same.sum() / max(total.mixed.sum(), 1))
    axes.stairs(total.opposite / widths, spectrum.EDGES_GEV, color=INK, lw=1.2, label="pairs of opposite charge")
    axes.stairs(false / widths, spectrum.EDGES_GEV, color=GREY, fill=True, alpha=0.5, label="by chance (single muons, mixed)")
    top = (total.opposite / widths).max()
    axes.set(xscale="log", yscale="log", xlim=(0.3, 150), ylim=(max(top * 1e-6, 0.5), top * 4), xlabel=r"$m_{\mu\mu}$ [GeV]", ylabel="pairs / GeV")
    axes.set_xticks([0.5, 1, 2, 5, 10, 20, 50, 100], ["0.5", "1", "2", "5", "10", "20", "50", "100"])
    for mass, name in NAMES:
        near = np.abs(np.log(spectrum.EDGES_GEV[1:] / mass)) < 0.05
        axes.text(mass, 1.4 * (total.opposite / widths)[near].max(), name, ha="center", fontsize=15, color=RED)
    title = f"{summary['events']:,} events in {summary['files']} files, {summary['lumi_blocks']} lumi blocks"
    axes.set_title(title, loc="left", fontsize=13)
    axes.legend(loc="upper right", frameon=False)


def draw_jpsi(axes, rows):
    """Why each lumi block needs its own scale."""
    axes.axhline(JPSI_GEV, color=INK, lw=1, ls=":")
    axes.plot(rows["block"], rows["raw_gev"], "o", mfc="white", color=GREY, label="as measured")
    axes.plot(rows["block"], rows["calibrated_gev"], "o", color=RED, label="calibrated")
    axes.set(xlabel="lumi block", ylabel=r"$J/\psi$ [GeV]", ylim=(2.88, 3.28))
    axes.set_title(r"the middle of the $J/\psi$", loc="left", fontsize=13)
    axes.legend(loc="upper right", frameon=False, ncols=2)


def draw_blocks(axes, rows):
    """How many events each lumi block has."""
    axes.bar(rows["block"], rows["n_events"] / 1000, color=BLUE, width=0.85)
    axes.set(xlabel="lumi block", ylabel="thousand events")
    axes.set_title("the beams fade", loc="left", fontsize=13)


if __name__ == "__main__":
    main()
