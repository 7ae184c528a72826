"""Measurements as tables for the terminal."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table

from negjax.bench.comparisons import CONTENDERS


def measures_table(results: Mapping[str, Any]) -> Table:
    """The table of `alone.measure_all`; columns that nothing is known of are left out."""
    rows = results["measures"]
    columns = {
        "median": lambda row: seconds(row["median"]),
        "spread": lambda row: f"{(row['max'] - row['min']) / row['median']:.0%}",
        "a second": lambda row: f"{significant(row['items_per_second'])} {row['unit']}",
        "TFLOP/s": lambda row: significant(row["flops_per_second"] / 1e12) if row["flops_per_second"] else "",
        "MFU": lambda row: f"{row['mfu']:.0%}" if row["mfu"] else "",
        "real": lambda row: f"{row['real_token_share']:.0%}" if row["real_token_share"] else "",
        "GB": lambda row: f"{row['peak_bytes'] / 1e9:.2f}",
    }
    cells = {header: [cell(row) for row in rows.values()] for header, cell in columns.items()}
    cells = {header: column for header, column in cells.items() if any(column)}
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0), caption=_caption(results), caption_justify="left")
    table.add_column("measure", no_wrap=True)
    for header in cells:
        table.add_column(header, justify="right", no_wrap=True)
    for row in zip(rows, *cells.values()):
        table.add_row(*row)
    return table


def comparisons_table(results: Mapping[str, Any]) -> Table:
    """The table of `against.compare_all`."""
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0), caption=_comparison_caption(results), caption_justify="left")
    table.add_column("", no_wrap=True)
    for side in CONTENDERS:
        table.add_column(side, justify="right", no_wrap=True)
    for side in CONTENDERS[:-1]:
        table.add_column(f"x {side}", justify="right", no_wrap=True)
    table.add_column("GB", justify="right", no_wrap=True)
    for name, row in results["comparisons"].items():
        times = [seconds(row["sides"][side]["median"]) for side in CONTENDERS]
        faster = [_speedup(row["negjax_is_faster_than"][side]) for side in CONTENDERS[:-1]]
        peaks = " ".join(f"{row['sides'][side]['peak_bytes'] / 1e9:.1f}" for side in CONTENDERS)
        table.add_row(name, *times, *faster, peaks)
    return table


def _speedup(row: Mapping[str, float]) -> str:
    return f"{row['ratio']:.2f}\n{row['min']:.2f}-{row['max']:.2f}"


def _comparison_caption(results: Mapping[str, Any]) -> str:
    machine, rows = results["machine"], results["comparisons"].items()
    notes = "".join(f"; {name}: {row['sides']['smart']['note']}" for name, row in rows if row["sides"]["smart"]["note"])
    versions = ", ".join(f"{name} {version}" for name, version in machine["pytorch"].items())
    return (
        f"{_machine(machine)}; {versions}; medians; x: how many times faster negjax is, and in its worst and best "
        f"round; GB: peak memory of the three{notes}"
    )


def seconds(value: float) -> str:
    """A duration with three digits: "1.23 s", "45.6 ms"."""
    return f"{significant(value)} s" if value >= 1 else f"{significant(1e3 * value)} ms"


def significant(value: float) -> str:
    """Three digits, and all of those before the point: "12,300", "4.56"."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _caption(results: Mapping[str, Any]) -> str:
    rows = results["measures"].values()
    memory = " and ".join(sorted({row["memory_of"] for row in rows}))
    real = "; real: share of tokens that are no padding" if any(row["real_token_share"] for row in rows) else ""
    return f"{_machine(results['machine'])}; GB: peak memory of the {memory}{real}"


def _machine(machine: Mapping[str, Any]) -> str:
    return (
        f"{machine['software']['devices']}, {machine['cores']} cores, load {machine['load_average_before']} before and "
        f"{machine['load_average_after']} after"
    )
