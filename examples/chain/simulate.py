"""Step 2: muons fly through eight layers of a tracker in a magnetic field. Writes hits.csv: event, charge, layer, and where it was hit, in metres.

    python simulate.py --seed 42 --out hits.csv events.csv

A layer misses a muon now and then, and sees where it was with a small error.
"""

import argparse
import csv
import math
import random

from detector import FIELD_T, GEV_PER_T_M, RADII_M, RESOLUTION_M

EFFICIENCY = 0.97


def main():
    """Every muon of every file leaves its hits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="+", metavar="FILE")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", default="hits.csv", metavar="FILE")
    options = parser.parse_args()
    chance, n_muons = random.Random(options.seed), 0
    with open(options.out, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["event", "charge", "layer", "azimuth"])
        for muon in read(options.inputs):
            n_muons += 1
            rows.writerows(hits(chance, muon))
    print(f"{options.out}: {n_muons} muons")


def read(paths):
    """The muons of all files."""
    for path in paths:
        with open(path, newline="") as file:
            yield from csv.DictReader(file)


def hits(chance, muon):
    """A hit in each layer that the muon reaches: a circle through the origin meets the layer of radius r at the azimuth phi0 - q asin(r / 2R)."""
    px, py, charge = float(muon["px"]), float(muon["py"]), int(muon["charge"])
    bend_m = math.hypot(px, py) / (GEV_PER_T_M * FIELD_T)
    for layer, radius in enumerate(RADII_M):
        if radius < 2 * bend_m and chance.random() < EFFICIENCY:
            azimuth = math.atan2(py, px) - charge * math.asin(radius / (2 * bend_m)) + chance.gauss(0, RESOLUTION_M / radius)
            yield muon["event"], charge, layer, f"{azimuth:.8f}"


if __name__ == "__main__":
    main()
