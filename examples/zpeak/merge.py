"""Add partial results into one, fit the Z peak and draw it.

    python merge.py --out z_mass.root --picture z_peak.png --summary summary.json partial.1.root partial.2.root

An event that is in two of the inputs would be counted twice: the program says so and ends with exit code 1, as it does
when the histogram has not exactly one entry for each event selected.
"""

import argparse
import json
from pathlib import Path

import event_ranges
import peak
import picture
import results


def main():
    """Add, check, fit, draw, sum up."""
    options = parse_options()
    total = add_up(options.inputs)
    fit = peak.fit(total.mass)
    summary = sum_up(total, fit)
    results.save(total, options.out)
    picture.draw(total, summary["events_generated"], fit, options.picture)
    Path(options.summary).write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    print("{events_generated} events generated, {events_selected} selected".format_map(summary))
    if summary["events_missing"]:
        print(f"warning: events are missing, in the ranges {event_ranges.gaps(total.events_read)}")
    if fit is not None:
        print("Z peak at {peak_gev:.3f} +- {peak_error_gev:.3f} GeV".format_map(summary))


def parse_options():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="+", metavar="FILE", help="ROOT files with partial results, from analysis.py")
    parser.add_argument("--out", default="z_mass.root", metavar="FILE", help="ROOT file with the sum")
    parser.add_argument("--picture", default="z_peak.png", metavar="FILE", help="picture of the peak, PNG")
    parser.add_argument("--summary", default="summary.json", metavar="FILE", help="the numbers, JSON")
    return parser.parse_args()


def add_up(paths):
    """The sum of all results; ends the program when it cannot be right."""
    try:
        total = results.add([results.load(path) for path in paths])
    except event_ranges.EventTwiceError as error:
        raise SystemExit(f"merge: {error} in the inputs: {' '.join(paths)}") from None
    if total.entries != total.events_selected:
        raise SystemExit(f"merge: {total.entries} histogram entries, but {total.events_selected} events were selected")
    return total


def sum_up(total, fit):
    """The numbers of the whole: events, entries, and the peak in GeV (null when there was too little to fit)."""
    ranges = total.events_read
    return {
        "events_generated": event_ranges.count(ranges),
        "events_selected": total.events_selected,
        "histogram_entries": total.entries,
        "underflow": round(total.mass.values(flow=True)[0]),
        "overflow": round(total.mass.values(flow=True)[-1]),
        "first_event": ranges[0][0],
        "last_event": ranges[-1][1],
        "events_missing": event_ranges.count(event_ranges.gaps(ranges)),
        "peak_gev": fit and fit.mass_gev,
        "peak_error_gev": fit and fit.mass_error_gev,
        "width_gev": fit and fit.width_gev,
        "width_error_gev": fit and fit.width_error_gev,
        "chi2": fit and fit.chi2,
        "degrees_of_freedom": fit and fit.degrees_of_freedom,
    }


if __name__ == "__main__":
    main()
