# /// script
# requires-python = ">=3.11"
# dependencies = ["uproot==5.7.7", "awkward==2.14.0", "numpy==2.4.6"]
# ///
"""Make a run of a toy detector: events with two muons, single muons, and a calibration.

    uv run make_data.py [--blocks 24] [--files 10] [--events 2000] [--to .]

- data/run1.lb007.rec03.root: a run is taken in lumi blocks, one after the other; in each of them ten recorders write a file. Each has one TTree "events".
- singles/single.04.root: muons that come alone. Two of them, taken together, look like a pair that is none.
- calibration/lb001-006.json: by how much the detector measured momenta too large in each lumi block.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import uproot

MUON_MASS_GEV = 0.10566
RESOLUTION = 0.012  # of a transverse momentum
FALSE_PAIRS = 0.35  # the part of the events whose muons have nothing to do with each other
BLOCKS_PER_CALIBRATION = 6
SINGLES_FILES = 20
# Masses and widths in GeV (Particle Data Group, 2024; the rho and omega as one), and how many of a thousand true pairs come from each.
RESONANCES = [
    (0.780, 0.030, 70), (1.0195, 0.0042, 45), (3.0969, 0.0001, 260), (3.6861, 0.0003, 30), (9.4604, 0.0001, 75), (10.0233, 0.0001, 32), (10.3551, 0.0001, 22),
    (91.188, 2.4955, 110),
]  # fmt: skip
LOW_GEV, HIGH_GEV, SLOPE = 0.35, 150.0, 0.75  # all other pairs: their number falls with the mass to this power, in each factor of mass


def main():
    """Write all files; the same arguments give the same events."""
    options = parse_options()
    folders = {name: options.to / name for name in ("data", "singles", "calibration")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    scales = scale_of_blocks(options.blocks)
    n_events = sum(write_block(folders["data"], block, scales[block], options) for block in scales)
    for n in range(1, SINGLES_FILES + 1):
        write(folders["singles"] / f"single.{n:02}.root", single_muons(np.random.default_rng([options.seed, 1, n]), 2 * options.events))
    for first in range(1, options.blocks + 1, BLOCKS_PER_CALIBRATION):
        some = {block: scale for block, scale in scales.items() if first <= block < first + BLOCKS_PER_CALIBRATION}
        (folders["calibration"] / f"lb{min(some):03}-{max(some):03}.json").write_text(json.dumps(some, indent=1) + "\n")
    print(f"{options.blocks * options.files} files with {n_events} events in {options.to}")


def parse_options():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=24, metavar="N", help="lumi blocks (24)")
    parser.add_argument("--files", type=int, default=10, metavar="N", help="files of a lumi block (10)")
    parser.add_argument("--events", type=int, default=2000, metavar="N", help="events of a file, at the beginning of the run (2000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--to", type=Path, default=Path(), metavar="FOLDER")
    return parser.parse_args()


def scale_of_blocks(n):
    """The momentum scale of each lumi block: it drifts by some per cent, and jumps once."""
    place = np.arange(n) / max(n - 1, 1)
    scales = 1 + 0.025 * np.sin(5 * place) + np.where(place > 0.6, -0.03, 0.0)
    return {block: round(float(scale), 5) for block, scale in enumerate(scales, start=1)}


def write_block(folder, block, scale, options):
    """Write the files of a lumi block and return how many events are in them. There are fewer and fewer: the beams lose particles."""
    n = round(options.events * 0.5 ** ((block - 1) / 20))
    for recorder in range(1, options.files + 1):
        chance = np.random.default_rng([options.seed, 0, block, recorder])
        before = sum(round(options.events * 0.5 ** ((earlier - 1) / 20)) for earlier in range(1, block)) * options.files
        muons = events(chance, n, scale)
        write(folder / f"run1.lb{block:03}.rec{recorder:02}.root", {"event": before + (recorder - 1) * n + np.arange(1, n + 1), **muons})
    return n * options.files


def events(chance, n, scale):
    """So many events with two muons, as a detector with this momentum scale sees them."""
    false = chance.random(n) < FALSE_PAIRS
    one, two = true_pairs(chance, n)
    lone_one, lone_two = single_muons(chance, n), single_muons(chance, n)
    charge = chance.choice([-1, 1], n)
    columns = {}
    for name, muon, lone, charges in (("mu1", one, lone_one, charge), ("mu2", two, lone_two, -charge)):
        for part in ("pt", "eta", "phi"):
            columns[f"{name}_{part}"] = np.where(false, lone[part], muon[part]).astype(np.float32)
        columns[f"{name}_pt"] *= (scale * chance.normal(1, RESOLUTION, n)).astype(np.float32)
        columns[f"{name}_charge"] = np.where(false, lone["charge"], charges).astype(np.int8)
    return columns


def true_pairs(chance, n):
    """Two muons each, from a resonance or from a pair of quarks: pt, eta and phi of each."""
    mass = masses(chance, n)
    pt, azimuth, rapidity = chance.exponential(3 + 0.15 * mass), chance.uniform(-np.pi, np.pi, n), chance.normal(0, 1.0, n)
    cosine, turn = chance.uniform(-1, 1, n), chance.uniform(-np.pi, np.pi, n)
    momentum = np.sqrt(np.maximum(mass**2 / 4 - MUON_MASS_GEV**2, 0))
    flight = momentum * np.stack([np.sqrt(1 - cosine**2) * np.cos(turn), np.sqrt(1 - cosine**2) * np.sin(turn), cosine])
    transverse_mass = np.hypot(mass, pt)
    parent = np.stack([pt * np.cos(azimuth), pt * np.sin(azimuth), transverse_mass * np.sinh(rapidity)])
    energy = transverse_mass * np.cosh(rapidity)
    return [seen(boosted(sign * flight, mass / 2, parent, energy, mass)) for sign in (1, -1)]


def masses(chance, n):
    """The mass of each pair: resonances, and a continuum that falls."""
    weights = np.array([weight for _, _, weight in RESONANCES] + [1000 - sum(weight for _, _, weight in RESONANCES)])
    kind = chance.choice(len(weights), n, p=weights / weights.sum())
    low, high = LOW_GEV**-SLOPE, HIGH_GEV**-SLOPE
    mass = (low + chance.random(n) * (high - low)) ** (-1 / SLOPE)
    for number, (peak, width, _) in enumerate(RESONANCES):
        mass = np.where(kind == number, peak + width / 2 * np.tan(np.pi * (chance.random(n) - 0.5) * 0.98), mass)
    return np.clip(mass, 2.1 * MUON_MASS_GEV, None)


def boosted(flight, energy, parent, parent_energy, mass):
    """The momentum of a muon that flies so where its parent rests, seen from where the parent has this momentum and energy."""
    along = (flight * parent).sum(axis=0)
    return flight + parent * (along / (mass * (parent_energy + mass)) + energy / mass)


def seen(momentum):
    """Transverse momentum, pseudorapidity and azimuth."""
    pt = np.hypot(momentum[0], momentum[1])
    return {"pt": pt, "eta": np.arcsinh(momentum[2] / pt), "phi": np.arctan2(momentum[1], momentum[0])}


def single_muons(chance, n):
    """Muons that come alone, mostly with little momentum."""
    return {
        "pt": (1 + chance.exponential(2.5, n)).astype(np.float32), "eta": chance.normal(0, 1.1, n).astype(np.float32),
        "phi": chance.uniform(-np.pi, np.pi, n).astype(np.float32), "charge": chance.choice([-1, 1], n).astype(np.int8),
    }  # fmt: skip


def write(path, columns):
    """Write one TTree "events", a branch a column."""
    with uproot.recreate(path) as file:
        tree = file.mktree("events", {name: column.dtype for name, column in columns.items()})
        tree.extend(columns)


if __name__ == "__main__":
    main()
