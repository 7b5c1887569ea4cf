"""Step 4: two tracks make a mass. Writes a small JSON file: a histogram of the dimuon mass, which events were read, and one event to be shown.

    python derive.py --out masses.json tracks.csv

Events without two tracks of opposite charge are read and counted, but have no mass.
"""

import argparse
import csv
import itertools
import json
import math
from pathlib import Path

MUON_MASS_GEV = 0.10566
LOW_GEV, HIGH_GEV, BINS = 2.9, 3.3, 80


def main():
    """Fill the mass of each event with two tracks of opposite charge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="+", metavar="FILE")
    parser.add_argument("--out", default="masses.json", metavar="FILE")
    options = parser.parse_args()
    entries, numbers, shown = [0] * BINS, [], []
    for number, tracks in read(options.inputs):
        numbers.append(number)
        if sorted(charge for charge, _, _ in tracks) == [-1, 1]:
            place = math.floor((mass_gev(tracks) - LOW_GEV) / (HIGH_GEV - LOW_GEV) * BINS)
            if 0 <= place < BINS:
                entries[place] += 1
            shown = max(shown, tracks, key=lambda each: bend(each) if each else 0)
    Path(options.out).write_text(json.dumps({"entries": entries, "events": numbers, "shown": shown}))
    print(f"{options.out}: {len(numbers)} events, {sum(entries)} masses")


def read(paths):
    """The number of each event, and charge, px and py of its tracks."""
    for path in paths:
        with open(path, newline="") as file:
            for number, rows in itertools.groupby(csv.DictReader(file), key=lambda row: row["event"]):
                yield int(number), [(int(row["charge"]), float(row["px"]), float(row["py"])) for row in rows]


def mass_gev(tracks):
    """The mass of two muons that fly in the plane across the field."""
    energy = sum(math.sqrt(px**2 + py**2 + MUON_MASS_GEV**2) for _, px, py in tracks)
    px, py = (sum(track[part] for track in tracks) for part in (1, 2))
    return math.sqrt(energy**2 - px**2 - py**2)


def bend(tracks):
    """How well one sees tracks bend, of those that leave the tracker: the event with the largest value is the one to be shown."""
    momenta = [math.hypot(px, py) for _, px, py in tracks]
    return 1 / max(momenta) if min(momenta) > 0.7 else 0


if __name__ == "__main__":
    main()
