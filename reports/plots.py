"""Pictures of a report as SVG text, for putting inside a page."""

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .sections.storms import Storm
from .sections.timeline import Act, Timeline

INK, BLUE, LIGHT, RED, GREY = "#1f2933", "#2563a8", "#8db7de", "#b4232c", "#9aa5b1"
STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e7eb",
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "squall",
}
ACT_COLORS = {"burst": "#b7791f", "malformed": "#6b46c1"}


def timeline_svg(line: Timeline, load_start_s: float, load_end_s: float, unfit: Sequence[int] = ()) -> str:
    """Response, traffic and open sessions by second, with the faults and the unfit seconds."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 6.6), layout="constrained")
        axes = figure.subplots(3, 1, sharex=True, height_ratios=(3, 2, 1.4))
        _response(axes[0], line)
        _traffic(axes[1], line)
        _open(axes[2], line)
        for axis in axes:
            axis.axvspan(load_start_s, load_end_s, color="#f5f7fa", zorder=0, linewidth=0)
            for second in unfit:
                axis.axvspan(second, second + 1, color="#fbe9d0", zorder=0.5, linewidth=0)
            _marks(axis, line.acts)
        _labels(axes[0], line.acts)
        axes[2].set_xlabel(
            "seconds since the run began (grey: load" + ("; orange: the generator was too slow)" if unfit else ")")
        )
        return _svg(figure)


def storms_svg(storms: list[Storm]) -> str:
    """How many of each storm's dropped sessions were back, by time since the drop."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 2.8), layout="constrained")
        axis = figure.subplots()
        for number, storm in enumerate(storms):
            seconds = [0.0, *(after for after, _ in storm.curve)]
            shares = [0.0, *(100 * back / storm.dropped for _, back in storm.curve)]
            color = mpl.colormaps["viridis"](0.9 * number / max(1, len(storms) - 1))
            label = f"{storm.fault} x{storm.dropped} at {storm.at_s:g} s"
            axis.plot(seconds, shares, color=color, label=label, linewidth=1.6, drawstyle="steps-post")
        axis.set_ylim(0, 102)
        axis.set_xlim(left=0)
        axis.set_ylabel("back in their rooms, %")
        axis.set_xlabel("seconds since the drop")
        axis.legend(loc="lower right", frameon=False, fontsize=8)
        return _svg(figure)


def _response(axis: Axes, line: Timeline) -> None:
    for values, color, label in ((line.response_p99_ms, BLUE, "p99"), (line.response_p50_ms, LIGHT, "p50")):
        axis.plot(line.second, _gaps(values), color=color, label=label, linewidth=1.6, drawstyle="steps-post")
    axis.plot(line.second, _gaps(line.lag_p99_ms), color=GREY, label="send delay p99", linewidth=1, linestyle=":",
              drawstyle="steps-post")  # fmt: skip
    axis.set_yscale("log")
    axis.set_ylabel("response, ms")
    axis.legend(loc="upper right", frameon=False, ncols=3)


def _traffic(axis: Axes, line: Timeline) -> None:
    axis.plot(line.second, line.deliveries, color=BLUE, label="deliveries", drawstyle="steps-post")
    axis.plot(line.second, line.sent, color=LIGHT, label="messages sent", drawstyle="steps-post")
    for values, color, label in ((line.rejected, RED, "rejected"), (line.abandoned, GREY, "abandoned")):
        if any(values):
            axis.plot(line.second, values, color=color, label=label, linewidth=1, drawstyle="steps-post")
    axis.set_yscale("symlog", linthresh=1)
    axis.set_ylim(bottom=0)
    axis.set_ylabel("per second")
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.1, frameon=False, ncols=4)


def _open(axis: Axes, line: Timeline) -> None:
    axis.fill_between(line.second, line.open, color=LIGHT, step="post", linewidth=0)
    axis.set_ylim(bottom=0)
    axis.set_ylabel("open sessions")


def _marks(axis: Axes, acts: list[Act]) -> None:
    for act in acts:
        axis.axvline(act.at_s, color=ACT_COLORS.get(act.fault, RED), linewidth=0.8, alpha=0.7, zorder=1)


def _labels(axis: Axes, acts: list[Act]) -> None:
    """Names above the first panel; those that would overlap share one."""
    span = max(1.0, axis.get_xlim()[1] - axis.get_xlim()[0])
    groups: list[list[Act]] = []
    for act in acts:
        if groups and act.at_s - groups[-1][0].at_s < span / 50:
            groups[-1].append(act)
        else:
            groups.append([act])
    for group in groups:
        axis.annotate(
            ", ".join(f"{act.fault} x{act.sessions}" for act in group), (group[0].at_s, 1.02),
            xycoords=("data", "axes fraction"), rotation=60, fontsize=7,
            color=ACT_COLORS.get(group[0].fault, RED), annotation_clip=False,
        )  # fmt: skip


def _gaps(values: list[float | None]) -> list[float]:
    return [float("nan") if value is None else max(value, 1e-3) for value in values]


def _svg(figure: Figure) -> str:
    """The figure as an element for a page: no declaration, no metadata, no address."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]
