"""Select Z -> mu+ mu- events and fill a histogram of the dimuon mass.

    python analysis.py --out partial.root muons.1.root muons.2.root

The ROOT file written holds the histogram and the numbers of the events read; merge.py adds such files.
"""

import argparse

import event_ranges
import numpy as np
import results
import uproot

MIN_PT_GEV = 20.0
MAX_ABS_ETA = 2.5  # where the trackers of ATLAS and CMS end


def main():
    """Read all muons, select, fill; an event that comes in twice ends the program with exit code 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="+", metavar="FILE", help="ROOT files with muons, from evgen.py")
    parser.add_argument("--out", default="partial.root", metavar="FILE", help="ROOT file to write")
    options = parser.parse_args()
    muons = read(options.inputs)
    try:
        ranges = event_ranges.from_numbers(muons["event"].tolist())
    except event_ranges.EventTwiceError as error:
        raise SystemExit(f"analysis: {error} in {' '.join(options.inputs)}") from None
    passed = selected(muons)
    mass = results.empty_histogram().fill(mass_gev(muons)[passed])
    results.save(results.Result(mass, ranges, int(passed.sum())), options.out)
    print(f"{options.out}: {event_ranges.count(ranges)} events read, {passed.sum()} selected")


def read(paths):
    """All events of all files, as one array per branch."""
    return uproot.concatenate([{path: "events"} for path in paths], library="np")


def selected(muons):
    """True for the events of which both muons are energetic and central enough to be seen."""
    return good_muon(muons, "mu_minus") & good_muon(muons, "mu_plus")


def good_muon(muons, name):
    """True where this muon passes the cuts in transverse momentum and pseudorapidity."""
    pt = np.hypot(muons[f"{name}_px"], muons[f"{name}_py"])
    eta = np.arcsinh(muons[f"{name}_pz"] / pt)
    return (pt > MIN_PT_GEV) & (np.abs(eta) < MAX_ABS_ETA)


def mass_gev(muons):
    """The invariant mass of the two muons: sqrt(E^2 - p^2) of their sum."""
    px, py, pz, e = (muons[f"mu_minus_{part}"] + muons[f"mu_plus_{part}"] for part in ("px", "py", "pz", "e"))
    return np.sqrt(e**2 - px**2 - py**2 - pz**2)


if __name__ == "__main__":
    main()
