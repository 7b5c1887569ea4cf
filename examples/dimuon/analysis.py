"""Make masses of the muon pairs of one lumi block, with the momentum scale that holds in it.

    python analysis.py --out partial.root --calibration lb001-006.json,lb007-012.json --singles single.01.root,single.02.root run1.lb003.rec*.root

Files of two lumi blocks are refused: they would be corrected with the wrong scale.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import spectrum
import uproot

MUON_MASS_GEV = 0.10566
MIN_PT_GEV = 0.5
MIXED_PAIRS = 20_000


def main():
    """Read, calibrate, fill, write."""
    options = parse_options()
    block = block_of(options.inputs)
    scale = scales(options.calibration)[block]
    files = [read(path) for path in options.inputs]
    events = {name: np.concatenate([file[name] for file in files]) for name in files[0]}
    raw, calibrated = mass_gev(events, 1.0), mass_gev(events, scale)
    opposite = events["mu1_charge"] != events["mu2_charge"]
    peaks = peak(block, raw[opposite], calibrated[opposite])
    counts = [(block, file["event"].min(), file["event"].max(), len(file["event"]), (file["mu1_charge"] == file["mu2_charge"]).sum()) for file in files]
    part = spectrum.Part(
        opposite=spectrum.histogram(calibrated[opposite]), same=spectrum.histogram(calibrated[~opposite]),
        mixed=spectrum.histogram(mixed(options.singles, np.random.default_rng(block))),
        files=dict(zip(spectrum.COUNTS, np.array(counts, dtype=np.int64).T.copy(), strict=True)), peaks=peaks,
    )  # fmt: skip
    spectrum.save(part, options.out)
    print(f"{options.out}: lumi block {block}, {len(files)} files, {len(raw)} events, scale {scale}")


def parse_options():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="+", metavar="FILE")
    parser.add_argument("--out", default="partial.root", metavar="FILE")
    parser.add_argument("--calibration", required=True, type=lambda text: text.split(","), metavar="FILE,FILE")
    parser.add_argument("--singles", required=True, type=lambda text: text.split(","), metavar="FILE,FILE")
    return parser.parse_args()


def block_of(paths):
    """The lumi block of all these files: the second field of their names, as in run1.lb007.rec03.root."""
    blocks = {Path(path).name.split(".")[1] for path in paths}
    if len(blocks) > 1:
        raise SystemExit(f"analysis: files of different lumi blocks: {', '.join(sorted(blocks))}")
    return int(blocks.pop().removeprefix("lb"))


def scales(paths):
    """The momentum scale of each lumi block, of all calibration files."""
    return {int(block): scale for path in paths for block, scale in json.loads(Path(path).read_text()).items()}


def read(path):
    """The events of a file, as one array per branch."""
    with uproot.open(path) as file:
        return file["events"].arrays(library="np")


def mass_gev(events, scale):
    """The invariant mass of each pair whose momenta were measured too large by this factor."""
    pt1, pt2 = events["mu1_pt"].astype(float) / scale, events["mu2_pt"].astype(float) / scale
    muons = [vector(pt, events[f"{name}_eta"], events[f"{name}_phi"]) for name, pt in (("mu1", pt1), ("mu2", pt2))]
    e, x, y, z = muons[0] + muons[1]
    mass = np.sqrt(np.maximum(e**2 - x**2 - y**2 - z**2, 0))
    return np.where((pt1 > MIN_PT_GEV) & (pt2 > MIN_PT_GEV), mass, -1)  # below all histograms


def vector(pt, eta, phi):
    """Energy and momentum of muons, four rows."""
    x, y, z = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    return np.stack([np.sqrt(x**2 + y**2 + z**2 + MUON_MASS_GEV**2), x, y, z])


def peak(block, raw, calibrated):
    """How many masses are near the J/psi, and where the middle of them is."""
    low, high = spectrum.JPSI_WINDOW_GEV
    near = [masses[(low < masses) & (masses < high)] for masses in (raw, calibrated)]
    found = (block, len(near[1]), *(float(np.median(masses)) if len(masses) else 0.0 for masses in near))
    return {name: np.array([value]) for name, value in zip(("block", *spectrum.PEAKS), found, strict=True)}


def mixed(paths, chance):
    """Masses of pairs of single muons with opposite charges."""
    singles = [read(path) for path in paths]
    muons = {name: np.concatenate([file[name] for file in singles]) for name in singles[0]}
    one, two = chance.integers(0, len(muons["pt"]), (2, MIXED_PAIRS))
    pairs = {f"{name}_{part}": muons[part][chosen] for name, chosen in (("mu1", one), ("mu2", two)) for part in muons}
    return mass_gev(pairs, 1.0)[(pairs["mu1_charge"] != pairs["mu2_charge"]) & (one != two)]


if __name__ == "__main__":
    main()
