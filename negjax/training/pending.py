"""The metrics of a step while they are still on the device."""

from collections.abc import Mapping

import jax


class PendingMetrics:
    """Holds the metrics of at most one step, so that they can be read after the next step has been dispatched.

    Reading them waits for their step; read at once, the device would wait for the host.
    """

    def __init__(self) -> None:
        self._step = 0
        self._metrics: Mapping[str, jax.Array] | None = None

    def hold(self, step: int, metrics: Mapping[str, jax.Array]) -> None:
        """Keeps the metrics of a step until they are read."""
        self._step, self._metrics = step, metrics

    def halted(self) -> bool:
        """Whether the state was halted in the step that is held (see `negjax.training.guard`); waits for that step."""
        return self._metrics is not None and bool(self._metrics["halted"])

    def take(self) -> tuple[int, dict[str, float]] | None:
        """The step that is held and its metrics without "halted", if any; they are no longer held."""
        if self._metrics is None:
            return None
        metrics, self._metrics = jax.device_get(dict(self._metrics)), None
        return self._step, {name: float(value) for name, value in metrics.items() if name != "halted"}

    def drop(self) -> None:
        """Forgets what is held."""
        self._metrics = None
