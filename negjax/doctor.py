"""What is installed, what runs, and what mends the rest: `negjax doctor`."""

import os
import platform
import shutil
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from rich import box
from rich.table import Table

EXTRAS = {
    "cuda13": "NVIDIA GPUs",
    "tpu": "TPUs",
    "gcs": "gs:// paths",
    "torch": "PyTorch weights",
    "dev": "tests, lint and types",
}
HARDWARE = {  # extra -> files that a machine with such an accelerator has, and what JAX calls its devices
    "cuda13": (("/dev/nvidia0", "/proc/driver/nvidia/version"), "gpu"),
    "tpu": (("/dev/accel0", "/dev/vfio/0"), "tpu"),
}
LEAST_FREE = 5e9  # bytes of disk below which data sets and checkpoints will not fit for long


@dataclass(frozen=True)
class Finding:
    """What was looked at and found. Where it is not ok, or could be added, `mend` says how."""

    what: str
    found: str
    ok: bool = True
    mend: str = ""


def examine() -> list[Finding]:
    """Looks at packages, devices, extras and the machine, and computes a small product of matrices on a device."""
    needed = [Requirement(text) for text in requires("negjax") or ()]
    packages = [_package(each) for each in needed if _applies(each, "")]
    extras = [_extra(name, [each for each in needed if not _applies(each, "")]) for name in EXTRAS]
    return [Finding("python", platform.python_version()), *packages, *_devices(), *extras, *_machine()]


def problems(findings: list[Finding]) -> int:
    """How many findings are wrong. An extra that is not installed is not wrong."""
    return sum(not finding.ok for finding in findings)


def to_dict(findings: list[Finding]) -> dict[str, Any]:
    """The findings for programs, JSON-able."""
    return {"ok": problems(findings) == 0, "findings": [asdict(finding) for finding in findings]}


def to_table(findings: list[Finding]) -> Table:
    """The findings for people."""
    wrong = problems(findings)
    summary = f"{wrong} to mend, marked with !!" if wrong else "everything that is needed is there"
    table = Table(box=box.SIMPLE, caption=summary, caption_justify="left")
    for heading in ("", "what", "found", "to mend or to add it"):
        table.add_column(heading, overflow="fold")
    for each in findings:
        table.add_row("[green]ok[/]" if each.ok else "[red]!![/]", each.what, each.found, each.mend.replace("[", r"\["))
    return table


def _applies(needed: Requirement, extra: str) -> bool:
    return needed.marker is None or needed.marker.evaluate({"extra": extra})


def _lacks(needed: Requirement) -> str:
    """What of a requirement, with its own extras, is missing or of another version; empty when nothing is."""
    try:
        found = version(needed.name)
    except PackageNotFoundError:
        return f"{needed.name} is not installed"
    if not needed.specifier.contains(found, prereleases=True):
        return f"{needed.name} is {found}, needed is {needed.specifier}"
    inner = [Requirement(text) for text in requires(needed.name) or ()] if needed.extras else []
    for extra in needed.extras:
        for each in inner:
            if _applies(each, extra) and not _applies(each, "") and (lack := _lacks(each)):
                return lack
    return ""


def _package(needed: Requirement) -> Finding:
    lack = _lacks(needed)
    if not lack:
        return Finding(needed.name, version(needed.name))
    return Finding(needed.name, lack, False, f'pip install "{needed.name}{needed.specifier}"')


def _extra(name: str, optional: list[Requirement]) -> Finding:
    own = [each for each in optional if _applies(each, name)]
    lack = next((lack for each in own if (lack := _lacks(each))), "" if own else "the negjax installed here is older")
    what = f"extra {name} ({EXTRAS[name]})"
    return Finding(what, lack, True, f'pip install "negjax[{name}]"') if lack else Finding(what, "installed")


def _devices() -> list[Finding]:
    """The devices that JAX sees, whether they compute, and accelerators that it does not see."""
    import jax
    import jax.numpy as jnp

    try:
        devices = jax.devices()
        ones = jnp.ones((128, 128), jnp.bfloat16)
        right = bool((jax.jit(jnp.matmul)(ones, ones) == 128).all())
    except Exception as error:  # whatever a driver or a plugin trips over
        reason = " ".join(str(error).split())[:300]
        return [Finding("devices", f"JAX cannot use them: {reason}", False, "see the message; JAX_PLATFORMS=cpu runs")]
    platform_name = devices[0].platform
    found = [
        Finding("devices", f"{len(devices)} x {devices[0].device_kind} ({platform_name})"),
        Finding(
            "a bfloat16 product", "computed" if right else "wrong result", right, "" if right else "update the driver"
        ),
    ]
    for extra, (files, name) in HARDWARE.items():
        if platform_name != name and any(Path(file).exists() for file in files):
            chosen = os.environ.get("JAX_PLATFORMS")
            mend = f'pip install "negjax[{extra}]"' if not chosen else "unset JAX_PLATFORMS"
            what = "this machine has one, but JAX does not use it" + (f" (JAX_PLATFORMS={chosen})" if chosen else "")
            found.append(Finding(name, what, False, mend))
    if platform_name == "gpu" and os.environ.get("LD_LIBRARY_PATH"):
        found.append(
            Finding("LD_LIBRARY_PATH", "set: it can hide JAX's own CUDA libraries", True, "unset LD_LIBRARY_PATH")
        )
    return found


def _machine() -> list[Finding]:
    free = shutil.disk_usage(Path.cwd()).free
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return [
        Finding("processors", f"{os.cpu_count()}"),
        Finding("memory", f"{memory / 1e9:.0f} GB"),
        Finding(
            "free disk here",
            f"{free / 1e9:.0f} GB",
            free > LEAST_FREE,
            "" if free > LEAST_FREE else "make room, or work elsewhere",
        ),
    ]
