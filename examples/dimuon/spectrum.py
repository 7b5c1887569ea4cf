"""What analysis and merge share: the histograms, and how a part of the result is written and read."""

from dataclasses import dataclass

import numpy as np
import uproot

EDGES_GEV = np.geomspace(0.3, 150, 401)
JPSI_WINDOW_GEV = (2.8, 3.4)
COUNTS = ("block", "first_event", "last_event", "n_events", "n_same_charge")
PEAKS = ("n_peak", "raw_gev", "calibrated_gev")


@dataclass(frozen=True)
class Part:
    """What is known of some lumi blocks: histograms of the dimuon mass, and a row for each file that was read and for each job."""

    opposite: np.ndarray  # entries of pairs with opposite charges, calibrated
    same: np.ndarray  # of pairs with the same charge
    mixed: np.ndarray  # of pairs of single muons, which never belonged together
    files: dict  # COUNTS, a row a file
    peaks: dict  # block and PEAKS, a row a job: how many masses near the J/psi, and their median before and after calibration


def histogram(masses):
    """Entries in EDGES_GEV."""
    return np.histogram(masses, EDGES_GEV)[0].astype(np.float64)


def save(part, path):
    """Write TH1D "opposite", "same" and "mixed", and the TTrees "files" and "peaks"."""
    with uproot.recreate(path) as file:
        for name in ("opposite", "same", "mixed"):
            file[name] = getattr(part, name), EDGES_GEV
        for name in ("files", "peaks"):
            columns = getattr(part, name)
            tree = file.mktree(name, {column: values.dtype for column, values in columns.items()})
            tree.extend(columns)


def load(path):
    """Read what save() wrote."""
    with uproot.open(path) as file:
        entries = {name: file[name].values() for name in ("opposite", "same", "mixed")}
        return Part(**entries, files=file["files"].arrays(library="np"), peaks=file["peaks"].arrays(library="np"))


def add(parts):
    """All parts as one; raises ValueError that says which events are in two of them."""
    files, peaks = ({name: np.concatenate([getattr(part, what)[name] for part in parts]) for name in getattr(parts[0], what)} for what in ("files", "peaks"))
    order = np.argsort(files["first_event"])
    first, last = files["first_event"][order], files["last_event"][order]
    twice = np.flatnonzero(first[1:] <= last[:-1])
    if len(twice):
        raise ValueError(f"event {first[twice[0] + 1]} is there twice")
    return Part(sum(part.opposite for part in parts), sum(part.same for part in parts), sum(part.mixed for part in parts), files, peaks)
