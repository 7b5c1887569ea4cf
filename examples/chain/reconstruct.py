"""Step 3: hits become tracks again. Writes tracks.csv: event, charge, px, py of each track, in GeV.

    python reconstruct.py --out tracks.csv hits.csv

Nothing is known here of what was generated: charge and momentum come from how the hits bend.
"""

import argparse
import csv
import itertools
import math

from detector import FIELD_T, GEV_PER_T_M, RADII_M, RESOLUTION_M

MIN_HITS = 5


def main():
    """Fit a track to the hits of each muon."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="+", metavar="FILE")
    parser.add_argument("--out", default="tracks.csv", metavar="FILE")
    options = parser.parse_args()
    n_seen = n_kept = 0
    with open(options.out, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["event", "charge", "px", "py"])
        for event, points in read(options.inputs):
            n_seen += 1
            if len(points) >= MIN_HITS:
                n_kept += 1
                rows.writerow([event, *fit(points)])
    print(f"{options.out}: {n_kept} tracks of {n_seen} muons")


def read(paths):
    """The hits of each muon: its event, and pairs of radius in metres and azimuth. Hits of a muon follow each other in a file."""
    for path in paths:
        with open(path, newline="") as file:
            for (event, _), hits in itertools.groupby(csv.DictReader(file), key=lambda hit: (hit["event"], hit["charge"])):
                yield event, [(RADII_M[int(hit["layer"])], float(hit["azimuth"])) for hit in hits]


def fit(points):
    """Charge, px and py: least squares of azimuth = phi0 + k asin-like(r), repeated until the bend is right.

    To first order the azimuth falls by r / 2R; the rest of asin is taken from the round before.
    """
    slope, rest = 0.0, [0.0] * len(points)
    for _ in range(6):
        start, slope = line([(radius, azimuth - more) for (radius, azimuth), more in zip(points, rest, strict=True)])
        rest = [math.asin(max(-1.0, min(1.0, slope * radius))) - slope * radius for radius, _ in points]
    momentum = GEV_PER_T_M * FIELD_T / (2 * max(abs(slope), 1e-6))
    return (-1 if slope > 0 else 1), f"{momentum * math.cos(start):.6f}", f"{momentum * math.sin(start):.6f}"


def line(points):
    """Start and slope of the straight line through (r, azimuth), each point weighted by how well it is measured: its error is RESOLUTION_M / r."""
    weights = [(radius / RESOLUTION_M) ** 2 for radius, _ in points]
    total = sum(weights)
    mean_x = sum(w * x for w, (x, _) in zip(weights, points, strict=True)) / total
    mean_y = sum(w * y for w, (_, y) in zip(weights, points, strict=True)) / total
    spread = sum(w * (x - mean_x) ** 2 for w, (x, _) in zip(weights, points, strict=True))
    slope = sum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, points, strict=True)) / spread
    return mean_y - slope * mean_x, slope


if __name__ == "__main__":
    main()
