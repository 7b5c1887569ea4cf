"""A result on disk: the mass histogram, and which events it was made from. The same in part or in whole."""

from dataclasses import dataclass

import event_ranges
import hist
import numpy as np
import uproot


@dataclass(frozen=True)
class Result:
    """A histogram of the dimuon mass in GeV, and the events that it was made from."""

    mass: hist.Hist
    events_read: list  # the ranges [first, last] of their numbers
    events_selected: int

    @property
    def entries(self):
        """All entries of the histogram, under- and overflow included."""
        return round(self.mass.sum(flow=True))


def empty_histogram():
    """60 bins of 1 GeV from 60 to 120 GeV, under- and overflow."""
    return hist.Hist.new.Reg(60, 60, 120, name="mass", label=r"$m_{\mu\mu}$ [GeV]").Double()


def save(result, path):
    """Write TH1D "mass", TTree "events_read" (branches first, last) and TTree "events_selected" (branch count)."""
    ranges = np.array(result.events_read, dtype=np.int64).reshape(-1, 2)
    with uproot.recreate(path) as file:
        file["mass"] = result.mass
        write_tree(file, "events_read", {"first": ranges[:, 0], "last": ranges[:, 1]})
        write_tree(file, "events_selected", {"count": np.array([result.events_selected])})


def write_tree(file, name, columns):
    """Write a flat TTree: one branch per column."""
    tree = file.mktree(name, {branch: column.dtype for branch, column in columns.items()})
    tree.extend(columns)


def load(path):
    """Read what save() wrote."""
    with uproot.open(path) as file:
        ranges = file["events_read"].arrays(["first", "last"], library="np")
        selected = file["events_selected"]["count"].array(library="np")
        mass = empty_histogram()
        mass.view(flow=True)[:] = file["mass"].values(flow=True)
    return Result(mass, np.column_stack([ranges["first"], ranges["last"]]).tolist(), int(selected.sum()))


def add(parts):
    """The sum of results; raises event_ranges.EventTwiceError when an event is in more than one of them."""
    ranges = event_ranges.joined(events for part in parts for events in part.events_read)
    mass = sum((part.mass for part in parts), start=empty_histogram())
    return Result(mass, ranges, sum(part.events_selected for part in parts))
