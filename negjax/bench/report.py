"""Measurements as tables for the terminal."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table


def measures_table(results: Mapping[str, Any]) -> Table:
    """The table of `alone.measure_all`; columns that nothing is known of are left out."""
    rows = results["measures"]
    columns = {
        "median": lambda row: seconds(row["median"]),
        "min": lambda row: seconds(row["min"]),
        "max": lambda row: seconds(row["max"]),
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


def seconds(value: float) -> str:
    """A duration with three digits: "1.23 s", "45.6 ms"."""
    return f"{significant(value)} s" if value >= 1 else f"{significant(1e3 * value)} ms"


def significant(value: float) -> str:
    """Three digits, and all of those before the point: "12,300", "4.56"."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _caption(results: Mapping[str, Any]) -> str:
    machine, memory = results["machine"], sorted({row["memory_of"] for row in results["measures"].values()})
    software = machine["software"]
    return (
        f"{software['devices']}, {machine['cores']} cores, load {machine['load_average_before']} before and "
        f"{machine['load_average_after']} after; GB: peak memory of the {' and '.join(memory)}; real: share of tokens "
        "that are no padding"
    )
