"""What `negjax doctor` finds on this machine, and how it reports problems."""

import json
import os
from importlib.metadata import version
from importlib.util import find_spec

from packaging.requirements import Requirement
from support.command import run_process

from negjax.doctor import Finding, _describe_missing, count_problems, examine, to_dict, to_table


def test_this_machine():
    findings = {each.what: each for each in examine()}
    for name in ("jax", "flax", "optax", "orbax-checkpoint", "grain", "numpy"):
        assert findings[name] == Finding(name, version(name))
    assert "8 x cpu" in findings["devices"].found
    assert findings["a bfloat16 product"].found == "computed"
    stores = findings["extra gcs (gs:// paths)"]
    assert (stores.found == "installed") == bool(find_spec("gcsfs"))
    assert stores.found == "installed" or stores.fix == 'pip install "negjax[gcs]"'
    json.dumps(to_dict(list(findings.values())))


def test_a_missing_or_old_package_is_named():
    assert _describe_missing(Requirement("no-such-package>=1")) == "no-such-package is not installed"
    assert _describe_missing(Requirement("numpy<1")) == f"numpy is {version('numpy')}, but <1 is needed"
    assert _describe_missing(Requirement("numpy>=1")) == ""
    extras = [
        _describe_missing(Requirement(f"jax[{extra}]>=0.1")) for extra in ("tpu", "cuda13")
    ]  # hardly anyone has both
    assert any(lack.endswith("is not installed") for lack in extras)


def test_what_is_wrong_is_counted_and_marked():
    findings = [Finding("a", "1"), Finding("b", "missing", False, "pip install b[c]")]
    assert count_problems(findings) == 1
    assert to_dict(findings)["ok"] is False
    table = to_table(findings)
    assert str(table.caption).startswith("1 to fix")


def test_an_unusable_platform_is_a_problem_and_no_traceback():
    done = run_process("doctor", "--json", env=os.environ | {"JAX_PLATFORMS": "tpu"})
    assert done.returncode == 1
    found = json.loads(done.stdout)
    (devices,) = [each for each in found["findings"] if each["what"] == "devices"]
    assert not devices["ok"]
    assert "Traceback" not in done.stderr
