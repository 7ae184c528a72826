"""Writes a model for another runtime: `negjax export`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from etils import epath

from negjax import __version__
from negjax.errors import NegjaxError
from negjax.export.comparison import Encoder, ExportComparison, check, check_tokenizer, compare
from negjax.export.layouts import LAYOUTS, STABLEHLO, ExportLayout, check_immich, write_immich_settings
from negjax.export.readme import readme
from negjax.export.stablehlo import PLATFORMS, WEIGHTS_FILE, load_program, write_program, write_weights
from negjax.export.tokenizer_files import write_tokenizer_files
from negjax.export.towers import ExportedTower, image_tower, in_half, text_tower
from negjax.models.compute import Compute
from negjax.models.loaded import LoadedModel
from negjax.models.text_adapters import check_unadapted
from negjax.runtime.files import write_atomic
from negjax.runtime.paths import is_local, to_path
from negjax.runtime.progress import track_progress
from negjax.weights.output_files import new_folder, write_json


@dataclass(frozen=True)
class ExportForm:
    """The form of an exported model.

    Attributes:
        to: The format.
        layout: Of ONNX: "plain" or "immich".
        dtype: Of the weights and of matrix products.
    """

    to: Literal["onnx", "stablehlo"]
    layout: Literal["plain", "immich"] = "plain"
    dtype: Literal["float32", "float16"] = "float32"

    @property
    def files(self) -> ExportLayout:
        """Where what lies."""
        return LAYOUTS[self.layout] if self.to == "onnx" else STABLEHLO


def check_form(dst: epath.PathLike, form: ExportForm) -> None:
    """Checks, before a model is read, whether one can be written so.

    Raises:
        NegjaxError: `dst` exists or is in a store, a package is missing, or the format has no such layout.
    """
    target = to_path(dst)
    if not is_local(target):
        raise NegjaxError(f"{dst}: models are exported to a local folder, and copied from there")
    if target.exists():
        raise NegjaxError(f"{dst} exists already: choose another name")
    if form.to == "stablehlo" and form.layout == "immich":
        raise NegjaxError("--layout immich is of ONNX: use --to onnx")
    if form.to == "onnx":
        try:
            import onnx  # noqa: F401
            import onnxruntime  # noqa: F401
        except ImportError as error:
            raise NegjaxError(f'--to onnx needs {error.name}: pip install "negjax[onnx]"') from error


def export(
    model: LoadedModel,
    dst: epath.PathLike,
    form: ExportForm,
    pictures: Iterable[np.ndarray],
    picture_count: int,
    captions: Sequence[str],
) -> ExportComparison:
    """Writes a model, runs what was written, and compares; after an error nothing is left at `dst`.

    Args:
        model: The model.
        dst: A new folder.
        form: The format, layout and type.
        pictures: To compare on: pixels of the model, uint8 [S, S, 3].
        picture_count: How many there are.
        captions: To compare on.

    Returns:
        The differences.

    Raises:
        NegjaxError: See `check_form`; or the layout does not fit the model, or what is written differs too much.
    """
    check_form(dst, form)
    check_unadapted(model, "an exported model")
    if form.layout == "immich":
        check_immich(model)
    model = replace(model, compute=Compute())
    written = in_half(model) if form.dtype == "float16" else model
    files = form.files
    with new_folder(dst) as made:
        folder = Path(made)
        towers = [image_tower(written, files.image_input, files.pixels), text_tower(written, files.text_input)]
        with track_progress(len(towers), f"writing {dst}") as done:
            encoders = _write_towers(folder, form, towers, done)
        write_tokenizer_files(model, folder / files.tokenizer_folder)
        check_tokenizer(model, folder / files.tokenizer_folder)
        if form.layout == "immich":
            write_immich_settings(model, folder)
        result = compare(model, folder, files, *encoders, pictures, captions, picture_count)
        check(result, form.dtype)
        write_json(folder / "negjax.json", _description(model, form, towers, result))
        name = form.layout if form.to == "onnx" else form.to
        write_atomic(folder / "README.md", readme(model, name, __version__, form.dtype, ", ".join(PLATFORMS)))
    return result


def _write_towers(
    folder: Path, form: ExportForm, towers: list[ExportedTower], done: Callable[[int], None]
) -> tuple[Encoder, Encoder]:
    """Writes the towers, and returns what runs the written files."""
    paths = [folder / form.files.image_file, folder / form.files.text_file]
    if form.to == "stablehlo":
        for path, tower in zip(paths, towers):
            write_program(path, tower)
            done(1)
        write_weights(folder / WEIGHTS_FILE, towers)
        image_encoder, text_encoder = (load_program(path, folder / WEIGHTS_FILE) for path in paths)
        return image_encoder, text_encoder
    from negjax.export.onnx_file import open_session, write_onnx

    for path, tower in zip(paths, towers):
        path.parent.mkdir(exist_ok=True)
        write_onnx(path, tower)
        done(1)
    sessions = [open_session(path) for path in paths]

    def encode(session: Any, inputs: np.ndarray) -> np.ndarray:
        return session.run(None, {session.get_inputs()[0].name: inputs})[0]

    image_encoder, text_encoder = (partial(encode, session) for session in sessions)
    return image_encoder, text_encoder


def _description(
    model: LoadedModel, form: ExportForm, towers: list[ExportedTower], result: ExportComparison
) -> dict[str, Any]:
    """The content of negjax.json."""
    files = form.files
    inputs = [
        {"file": file, "input": tower.input_name, "type": tower.dtype, "shape": ["batch", *tower.shape]}
        for file, tower in zip((files.image_file, files.text_file), towers)
    ]
    return {
        "negjax": __version__,
        "form": asdict(form),
        "model": model.info,
        "embedding": {"length": model.config.embed_dim, "type": "float32", "unit": True},
        "image": inputs[0],
        "text": inputs[1],
        "preprocess": asdict(model.preprocess),
        "compared": asdict(result),
    }
