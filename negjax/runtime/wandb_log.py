"""Metrics to Weights & Biases."""

import json
import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from etils import epath

from negjax.errors import NegjaxError
from negjax.runtime.files import write_atomic
from negjax.runtime.paths import is_local

WANDB_FILE = "wandb.json"  # in the workdir: the id of the run at W&B


class WandbLog:
    """Sends metrics to one run at W&B, the same when the training run is resumed: its id is in WORKDIR/wandb.json.

    W&B does not go back to earlier steps, so steps that it has are not sent again; their metrics are the same but for
    the timings. W&B's own files are in WORKDIR/wandb or, for a workdir in a store, in ./wandb. A context manager.
    """

    def __init__(self, workdir: epath.Path, project: str, last_logged_step: int, config: Mapping[str, Any]) -> None:
        """Starts or resumes the run at W&B.

        Args:
            workdir: of the training run.
            project: "PROJECT" or "ENTITY/PROJECT".
            last_logged_step: the last step in metrics.jsonl, which is taken as W&B's last step when W&B is offline.
            config: of the experiment.

        Raises:
            NegjaxError: W&B does not respond, or WORKDIR/wandb.json is malformed.
        """
        import wandb

        entity, _, name = project.rpartition("/")
        try:
            self._run = wandb.init(
                entity=entity or None,
                project=name,
                id=_read_run_id(workdir / WANDB_FILE),
                resume="allow",
                name=workdir.name,
                config=dict(config),
                dir=str(workdir) if is_local(workdir) else None,
                settings=wandb.Settings(console="off"),
            )
        except wandb.Error as error:
            reason = " ".join(str(error).split())
            raise NegjaxError(
                f"config.logging.wandb={project}: W&B does not start ({reason}): see `wandb login`, or set "
                "WANDB_MODE=offline to run without a network"
            ) from error
        self._last_sent_step = last_logged_step if self._run.offline else self._run.starting_step - 1

    def __enter__(self) -> "WandbLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run.finish(exit_code=int(kind is not None))

    def write(self, values: Mapping[str, Any]) -> None:
        """Sends the metrics of values["step"], unless W&B has that step."""
        if values["step"] > self._last_sent_step:
            self._run.log({name: value for name, value in values.items() if name != "step"}, step=values["step"])


def _read_run_id(path: epath.Path) -> str:
    """The id in the file, which is written with a new id if it is missing."""
    if not path.exists():
        write_atomic(path, json.dumps({"id": uuid.uuid4().hex}) + "\n")
    try:
        return json.loads(path.read_text())["id"]
    except (ValueError, KeyError, TypeError) as error:
        raise NegjaxError(f"{path} is malformed: remove it to start a new run at W&B") from error
