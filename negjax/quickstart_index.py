"""The quickstart's pictures as files, and their index: what `negjax search` and `negjax serve` show it with."""

from pathlib import Path

from etils import epath

from negjax.datasets.stored.store import open_set
from negjax.errors import NegjaxError
from negjax.evaluation.media import VideoSampling
from negjax.models.loaded import LoadedModel
from negjax.runtime.temporary import temporary_beside
from negjax.search.build import build_index, describe_model
from negjax.search.index_folder import has_index, open_index

PICTURE_FOLDER = "scenes"  # below the workdir
INDEX_FOLDER = "search"


def index_scenes(workdir: Path, stage: str, model: LoadedModel) -> Path:
    """Writes the pictures of `scenes_retrieval` as files that are named after what they show, and indexes them.

    What is there already is not written again; an index of a model that was trained before is replaced.

    Args:
        workdir: of the quickstart.
        stage: folder of the model below the workdir.
        model: that model.

    Returns:
        The folder of the index.

    Raises:
        NegjaxError: they cannot be written.
    """
    pictures = workdir / PICTURE_FOLDER
    if not pictures.is_dir():
        try:
            with temporary_beside(epath.Path(pictures), folder=True) as temporary:
                for record in open_set(workdir / "data", "scenes_retrieval").rows():
                    names = "_".join(name.replace(" ", "-") for name in record["positive_objects"])
                    (temporary / f"{record['id']:04}_{names}.png").write_bytes(record["media"])
                temporary.replace(epath.Path(pictures))
        except OSError as error:
            raise NegjaxError(f"cannot write {pictures}: {error.strerror}") from error
    index, video = workdir / INDEX_FOLDER, VideoSampling(preprocess="clip")
    if has_index(index) and open_index(index).info.model != describe_model(model, video):
        epath.Path(index).rmtree()  # of a model that was trained before
    settings = {"path": str((workdir / stage).absolute())}
    build_index(pictures, model, settings, index, video=video, progress=False)
    return index
