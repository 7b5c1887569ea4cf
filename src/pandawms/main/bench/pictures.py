"""Pictures of a benchmark: throughput and latency against concurrency, throughput against queue depth and against archive size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pandawms.main.bench.figures import Figure, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

HOW = "pictures need matplotlib: pip install 'pandawms[bench]'"
BLUE, ORANGE, GREY = "#1f5f99", "#d1741b", "#777777"

Point = tuple[float, Figure]


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


def draw(figures: Sequence[Figure], folder: Path, machine: str) -> list[Path]:
    """Writes the pictures that these figures are enough for; returns their paths."""
    from matplotlib.figure import Figure as Canvas
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    known = {figure.name: figure for figure in figures}
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, paint in (("concurrency", _concurrency), ("queue-depth", _depth), ("archive", _archive)):
        canvas = Canvas(figsize=(8, 4.5), layout=ConstrainedLayoutEngine(rect=(0, 0.04, 1, 0.96)))
        if paint(canvas, known):
            canvas.text(0.005, 0.005, f"{machine}; load generator on the same cores; bars from the smallest to the largest run", fontsize=7, color=GREY)
            path = folder / f"{name}.png"
            canvas.savefig(path, dpi=144)
            written.append(path)
    return written


def _concurrency(canvas: Canvas, known: Mapping[str, Figure]) -> bool:
    """Lives a second on the left, p99 of a claim on the right."""
    rates = _points(known, {16: "lives_16_connections", 64: "lives_3_calls", 256: "lives_256_connections"})
    times = _points(known, {16: "p99_16_connections_ms", 64: "full_claim_p99_ms", 256: "p99_256_connections_ms"})
    if len(rates) < 2 or len(times) < len(rates):
        return False
    left, right = canvas.subplots(1, 2)
    _line(left, rates, BLUE)
    limit = known.get("limit")
    if limit is not None:
        left.axhline(limit.median, color=GREY, linestyle="--", linewidth=1)
        left.annotate("pgbench, one job a transaction", (rates[0][0], limit.median), textcoords="offset points", xytext=(-14, 3), color=GREY, fontsize=8)
        left.set_ylim(0, max(limit.median, *(max(f.values) for _, f in rates)) * 1.2)
    left.set(xscale="log", xlabel="connections", ylabel="whole job lives a second (3 calls each)")
    _line(right, times, ORANGE)
    right.set(xscale="log", xlabel="connections", ylabel="p99 of a claim at full load, ms")
    for axes in (left, right):
        _ticks(axes, [x for x, _ in rates])
    best = max(rates, key=lambda point: point[1].median)
    canvas.suptitle(
        f"{number(best[1].median)} job lives a second at {best[0]:.0f} connections; claims there within {number(times[-1][1].median)} ms (p99)", fontsize=11
    )
    return True


def _depth(canvas: Canvas, known: Mapping[str, Figure]) -> bool:
    points = _points(known, {n: f"lives_depth_{n}" for n in (10_000, 100_000, 1_000_000)})
    return _against(canvas, points, "jobs ready in the queue", known.get("queue_depth_ratio"), "a queue of {size} jobs")


def _archive(canvas: Canvas, known: Mapping[str, Figure]) -> bool:
    points = _points(known, {100_000: "lives_archive_0"} | {n: f"lives_archive_{n}" for n in (1_000_000, 10_000_000, 100_000_000)})
    if not _against(canvas, points, "jobs in the archive", known.get("archive_ratio"), "an archive of {size} jobs"):
        return False
    axes = canvas.axes[0]
    axes.set_xticks([x for x, _ in points], ["empty", *(_size(x) for x, _ in points[1:])])
    return True


def _against(canvas: Canvas, points: Sequence[Point], label: str, ratio: Figure | None, what: str) -> bool:
    """One line of lives a second; the title says how much is left at its end."""
    if len(points) < 2:
        return False
    axes = canvas.subplots()
    _line(axes, points, BLUE)
    axes.set(xscale="log", xlabel=label, ylabel="whole job lives a second (3 calls each)")
    _ticks(axes, [x for x, _ in points])
    left = ratio.median if ratio is not None else points[-1][1].median / points[0][1].median
    axes.set_title(f"With {what.format(size=_size(points[-1][0]))}: {left:.0%} of the throughput at the left end (median of runs in turn)", fontsize=10)
    return True


def _points(known: Mapping[str, Figure], names: Mapping[int, str]) -> list[Point]:
    return [(x, known[name]) for x, name in names.items() if name in known]


def _line(axes: Axes, points: Sequence[Point], colour: str) -> None:
    """Medians with bars from the smallest to the largest value, each with its number."""
    xs, middles = [x for x, _ in points], [f.median for _, f in points]
    below = [f.median - min(f.values) for _, f in points]
    above = [max(f.values) - f.median for _, f in points]
    axes.errorbar(xs, middles, yerr=[below, above], color=colour, marker="o", capsize=4, linewidth=2)
    for x, figure in points:
        axes.annotate(number(figure.median), (x, max(figure.values)), textcoords="offset points", xytext=(0, 8), ha="center", fontsize=9, color=colour)
    axes.set_ylim(0, max(max(f.values) for _, f in points) * 1.2)
    axes.grid(axis="y", alpha=0.3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _ticks(axes: Axes, xs: Sequence[float]) -> None:
    axes.set_xticks(list(xs), [_size(x) for x in xs])
    axes.minorticks_off()
    axes.margins(x=0.12)


def _size(value: float) -> str:
    return f"{value:,.0f}"
