"""Simulate pp -> Z/gamma* -> mu+ mu- at 13 TeV with Pythia 8 and write the muons to a ROOT file.

    python evgen.py --events 500 --first 1 --seed 42 --out muons.root

The file holds one TTree "events": the event number and the four-vectors of both muons, in GeV.
"""

import argparse

import numpy as np
import pythia8mc
import uproot

MAX_SEED = 900_000_000  # Pythia 8 takes no larger one (manual, "Random-Number Seed")
MAX_FAILURES_IN_A_ROW = 100
BRANCHES = [f"{muon}_{part}" for muon in ("mu_minus", "mu_plus") for part in ("px", "py", "pz", "e")]

# The mass threshold lies below the histogram's lower edge (60 GeV), so that no edge of the simulation is seen in it.
# The showers stay on: they give the Z its transverse momentum and let the muons radiate photons. Multiple parton
# interactions and hadronisation would take 20 times as long and leave these muons as they are.
SETTINGS = """
Beams:idA = 2212
Beams:idB = 2212
Beams:eCM = 13000.
WeakSingleBoson:ffbar2gmZ = on
23:onMode = off
23:onIfMatch = 13 -13
PhaseSpace:mHatMin = 50.
PartonLevel:MPI = off
HadronLevel:all = off
Print:quiet = on
Random:setSeed = on
"""


def main():
    """Generate exactly as many events as asked, numbered from --first on."""
    options = parse_options()
    pythia = start_pythia(options.seed)
    numbers = np.arange(options.first, options.first + options.events, dtype=np.int64)
    muons = np.array([next_muons(pythia) for _ in numbers])
    columns = {"event": numbers, **dict(zip(BRANCHES, muons.T, strict=True))}
    with uproot.recreate(options.out) as file:
        tree = file.mktree("events", {name: column.dtype for name, column in columns.items()})
        tree.extend(columns)
    sigma_pb = pythia.infoPython().sigmaGen() * 1e9  # Pythia counts in mb
    print(f"{options.out}: events {numbers[0]} to {numbers[-1]}, seed {options.seed}")
    print(f"cross-section of Z/gamma* -> mu mu above 50 GeV: {sigma_pb:.0f} pb (leading order)")


def parse_options():
    """Read the command line; a number out of range ends the program with exit code 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, required=True, metavar="N", help="how many events")
    parser.add_argument("--first", type=int, default=1, metavar="NUMBER", help="number of the first event")
    parser.add_argument("--seed", type=int, required=True, help=f"random seed, 1 to {MAX_SEED}")
    parser.add_argument("--out", default="muons.root", metavar="FILE", help="ROOT file to write")
    options = parser.parse_args()
    if options.events < 1:
        parser.error("--events must be at least 1")
    if not 1 <= options.seed <= MAX_SEED:
        parser.error(f"--seed must lie between 1 and {MAX_SEED}")
    return options


def start_pythia(seed):
    """A Pythia that is ready to generate; without its banner, so that the job's log stays short."""
    pythia = pythia8mc.Pythia("", False)
    for line in [*SETTINGS.strip().splitlines(), f"Random:seed = {seed}"]:
        if not pythia.readString(line):
            raise SystemExit(f"Pythia does not understand: {line}")
    if not pythia.init():
        raise SystemExit("Pythia could not be initialised")
    return pythia


def next_muons(pythia):
    """The four-vectors (px, py, pz, E) of mu- and mu+ of the next good event, as eight numbers in GeV."""
    for _ in range(MAX_FAILURES_IN_A_ROW):
        if pythia.next():
            return [*four_vector(pythia.event, 13), *four_vector(pythia.event, -13)]
    raise SystemExit(f"Pythia failed {MAX_FAILURES_IN_A_ROW} times in a row")


def four_vector(event, pdg_id):
    """The Z's muon of this charge, as it leaves the event: after it radiated its photons."""
    from_z = next(p for p in event if p.id() == pdg_id and event[p.mother1()].id() == 23)
    muon = event[from_z.iBotCopyId()]
    return muon.px(), muon.py(), muon.pz(), muon.e()


if __name__ == "__main__":
    main()
