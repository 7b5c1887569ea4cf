"""Step 1: J/psi mesons decay into two muons each. Writes events.csv: event, charge, px, py of each muon, in GeV.

    python generate.py --events 500 --first 1 --seed 42 --out events.csv

In the plane across a magnetic field: a J/psi with a transverse momentum flies and decays, evenly in all directions.
"""

import argparse
import csv
import math
import random

JPSI_MASS_GEV = 3.0969  # Particle Data Group, 2024
MUON_MASS_GEV = 0.10566
MEAN_PT_GEV = 4.0


def main():
    """Generate exactly as many events as asked, numbered from --first on."""
    options = parse_options()
    chance = random.Random(options.seed)
    with open(options.out, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["event", "charge", "px", "py"])
        for number in range(options.first, options.first + options.events):
            for charge, (px, py) in zip((-1, 1), decay(chance), strict=True):
                rows.writerow([number, charge, f"{px:.6f}", f"{py:.6f}"])
    print(f"{options.out}: {options.events} events from {options.first} on, seed {options.seed}")


def parse_options():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, required=True, metavar="N")
    parser.add_argument("--first", type=int, default=1, metavar="NUMBER")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", default="events.csv", metavar="FILE")
    return parser.parse_args()


def decay(chance):
    """The momenta (px, py) of mu- and mu+: back to back where the J/psi rests, then both boosted along with it."""
    energy = JPSI_MASS_GEV / 2
    momentum = math.sqrt(energy**2 - MUON_MASS_GEV**2)
    pt, direction, angle = chance.expovariate(1 / MEAN_PT_GEV), chance.uniform(-math.pi, math.pi), chance.uniform(-math.pi, math.pi)
    gamma, beta_gamma = math.hypot(pt, JPSI_MASS_GEV) / JPSI_MASS_GEV, pt / JPSI_MASS_GEV
    muons = []
    for sign in (1, -1):
        along = gamma * sign * momentum * math.cos(angle) + beta_gamma * energy
        across = sign * momentum * math.sin(angle)
        muons.append((along * math.cos(direction) - across * math.sin(direction), along * math.sin(direction) + across * math.cos(direction)))
    return muons


if __name__ == "__main__":
    main()
