"""Checks the installation and the machine, and says how to fix what is wrong: `negjax doctor`."""

import os
import platform
import shutil
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from rich import box
from rich.markup import escape
from rich.table import Table

from negjax.runtime.printable import printable

EXTRAS = {
    "cuda13": "NVIDIA GPUs",
    "tpu": "TPUs",
    "gcs": "gs:// paths",
    "torch": "PyTorch weights",
    "serve": "negjax serve",
    "onnx": "negjax export --to onnx",
    "dev": "tests, lint and types",
}
ACCELERATORS = {  # extra -> files of a machine with such an accelerator, and JAX's name of the platform
    "cuda13": (("/dev/nvidia0", "/proc/driver/nvidia/version"), "gpu"),
    "tpu": (("/dev/accel0", "/dev/vfio/0"), "tpu"),
}
MIN_FREE_BYTES = 5e9  # on disk; data sets and checkpoints soon need more than that


@dataclass(frozen=True)
class Finding:
    """The result of a check.

    Attributes:
        what: the package, device or property that was checked.
        found: its version or state.
        ok: False for what must be fixed.
        fix: how to fix it, or how to add an extra that is not installed.
    """

    what: str
    found: str
    ok: bool = True
    fix: str = ""


def examine() -> list[Finding]:
    """Checks packages, devices, extras and the machine, and computes a small matrix product on a device."""
    requirements = [Requirement(text) for text in requires("negjax") or ()]
    packages = [_check_package(requirement) for requirement in requirements if _applies(requirement, "")]
    optional = [requirement for requirement in requirements if not _applies(requirement, "")]
    extras = [_check_extra(name, optional) for name in EXTRAS]
    return [Finding("python", platform.python_version()), *packages, *_check_devices(), *extras, *_check_machine()]


def count_problems(findings: list[Finding]) -> int:
    """Returns the number of findings that are not ok. An extra that is not installed is ok."""
    return sum(not finding.ok for finding in findings)


def to_dict(findings: list[Finding]) -> dict[str, Any]:
    """Returns the findings for programs, JSON-able."""
    return {"ok": count_problems(findings) == 0, "findings": [asdict(finding) for finding in findings]}


def to_table(findings: list[Finding]) -> Table:
    """Returns the findings for the terminal."""
    problems = count_problems(findings)
    summary = f"{problems} to fix, marked with !!" if problems else "everything that is needed is installed"
    table = Table(box=box.SIMPLE, caption=summary, caption_justify="left")
    for heading in ("", "what", "found", "to fix or to add it"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        mark = "[green]ok[/]" if finding.ok else "[red]!![/]"
        table.add_row(mark, *(escape(printable(text)) for text in (finding.what, finding.found, finding.fix)))
    return table


def _applies(requirement: Requirement, extra: str) -> bool:
    """Whether the requirement belongs to the extra; for "" whether it belongs to every installation."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _describe_missing(requirement: Requirement) -> str:
    """Which package of a requirement and its extras is missing or of a wrong version; "" if it is fulfilled."""
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is not installed"
    if not requirement.specifier.contains(installed, prereleases=True):
        return f"{requirement.name} is {installed}, but {requirement.specifier} is needed"
    inner = [Requirement(text) for text in requires(requirement.name) or ()] if requirement.extras else []
    for extra in requirement.extras:
        for dependency in inner:
            belongs = _applies(dependency, extra) and not _applies(dependency, "")
            if belongs and (missing := _describe_missing(dependency)):
                return missing
    return ""


def _check_package(requirement: Requirement) -> Finding:
    missing = _describe_missing(requirement)
    if not missing:
        return Finding(requirement.name, version(requirement.name))
    return Finding(requirement.name, missing, False, f'pip install "{requirement.name}{requirement.specifier}"')


def _check_extra(name: str, optional: list[Requirement]) -> Finding:
    requirements = [requirement for requirement in optional if _applies(requirement, name)]
    what = f"extra {name} ({EXTRAS[name]})"
    if not requirements:
        missing = "the installed negjax is older and does not have it"
    else:
        missing = next(filter(None, map(_describe_missing, requirements)), "")
    return Finding(what, missing, True, f'pip install "negjax[{name}]"') if missing else Finding(what, "installed")


def _check_devices() -> list[Finding]:
    """Checks the devices that JAX uses by a computation, and lists accelerators that it does not use."""
    import jax
    import jax.numpy as jnp

    try:
        devices = jax.devices()
        ones = jnp.ones((128, 128), jnp.bfloat16)
        correct = bool((jax.jit(jnp.matmul)(ones, ones) == 128).all())
    except Exception as error:  # drivers and plugins raise anything
        reason = " ".join(str(error).split())[:300]
        fix = "see the message; JAX_PLATFORMS=cpu uses the CPU"
        return [Finding("devices", f"JAX cannot use them: {reason}", False, fix)]
    jax_platform = devices[0].platform
    product = ("computed", True, "") if correct else ("wrong result", False, "update the driver")
    findings = [
        Finding("devices", f"{len(devices)} x {devices[0].device_kind} ({jax_platform})"),
        Finding("a bfloat16 product", *product),
    ]
    for extra, (files, name) in ACCELERATORS.items():
        if jax_platform != name and any(Path(file).exists() for file in files):
            forced = os.environ.get("JAX_PLATFORMS")
            fix = f'pip install "negjax[{extra}]"' if not forced else "unset JAX_PLATFORMS"
            what = "this machine has one, but JAX does not use it" + (f" (JAX_PLATFORMS={forced})" if forced else "")
            findings.append(Finding(name, what, False, fix))
    if jax_platform == "gpu" and os.environ.get("LD_LIBRARY_PATH"):
        found = "set: it can hide JAX's own CUDA libraries"
        findings.append(Finding("LD_LIBRARY_PATH", found, True, "unset LD_LIBRARY_PATH"))
    return findings


def _check_machine() -> list[Finding]:
    free = shutil.disk_usage(Path.cwd()).free
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    enough = free > MIN_FREE_BYTES
    fix = "" if enough else "free some space, or use another disk"
    return [
        Finding("processors", f"{os.cpu_count()}"),
        Finding("memory", f"{memory / 1e9:.0f} GB"),
        Finding("free disk here", f"{free / 1e9:.0f} GB", enough, fix),
    ]
