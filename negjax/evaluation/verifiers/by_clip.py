"""Claims checked by a CLIP model: an object is there if its calibrated probability is above the threshold.

Shapes: N images, U texts, E embedding width.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from negjax.datasets.synth.shards import StageRow
from negjax.datasets.synth.verify import Verdict, claimed_names, refuted_claims
from negjax.errors import NegjaxError
from negjax.evaluation.embed.encode import encode_media, model_on_devices
from negjax.evaluation.media import MediaReader
from negjax.evaluation.verifiers.photos import Photos
from negjax.media.images import to_pixels
from negjax.models.loaded import LoadedModel
from negjax.models.queries import embed_texts
from negjax.negation.lcse import LCSE
from negjax.negation.table import choose_method


@dataclass
class _PhotoMedia(MediaReader):
    """Photographs by their paths; those that are left out are blank and in `left_out`."""

    photos: Photos | None = None
    paths: Sequence[str] = ()

    def __post_init__(self) -> None:
        self.left_out: set[int] = set()

    def read(self, index: int) -> tuple[np.ndarray, int]:
        """As `MediaReader.read`. index: into `paths`."""
        assert self.photos is not None
        image = self.photos.open(self.paths[index])
        if image is None:
            self.left_out.add(index)
            return self.blank()
        return to_pixels(image, self.preprocess)[None], 1


class CLIPVerifier:
    """Checks absent and present objects of images by the presence that LCSE is calibrated for: see `negjax.negation`.

    The probability is sigmoid(slope * (similarity - midpoint)), of the mean cosine with four sentences of an object.
    """

    def __init__(
        self, model: LoadedModel, photos: Photos, constants: str = "", *, threshold: float = 0.5, batch_size: int = 64
    ) -> None:
        """Puts the model on all devices.

        Args:
            model: the model.
            photos: the images.
            constants: LCSE's as for `--negation`: "constants=FILE" of `negjax calibrate`, or "midpoint=M,slope=S"; ""
                for the published ones of the model's family.
            threshold: probability above which an object is there.
            batch_size: images at a time, over all devices.

        Raises:
            NegjaxError: the threshold is no probability, the batch is empty, or the constants are not this model's.
        """
        if not 0 < threshold < 1:
            raise NegjaxError(f"--threshold {threshold:g}: it is a probability, above 0 and below 1")
        if batch_size < 1:
            raise NegjaxError(f"--batch-size {batch_size}: give 1 or more")
        text = ",".join(["lcse", *filter(None, [constants])])
        sha256 = str(model.info.get("sha256", ""))
        method = choose_method(text, model.config.family, sha256).method
        assert isinstance(method, LCSE)
        self._model, self._photos, self._batch, self._method = model_on_devices(model), photos, batch_size, method
        self._text_model = model  # which embeds the few texts on one device
        self._least = method.midpoint + float(np.log(threshold / (1 - threshold))) / method.slope  # cosine
        self._vector_of: dict[str, np.ndarray] = {}
        self.name = f"{model.config.name} above {threshold:g}"
        self.settings = {
            "sha256": sha256,
            "least": self._least,
            "skip_missing": photos.skip_missing,
        }

    def check(self, rows: Sequence[StageRow]) -> list[Verdict]:
        """See `Verifier`. An image that is left out keeps none of its claims."""
        names_of = [claimed_names(row) for row in rows]
        self._embed(list(dict.fromkeys(name for names in names_of for name in names)))
        verdicts = [Verdict(set()) for _ in rows]
        asked = [index for index, names in enumerate(names_of) if names]
        if not asked:
            return verdicts
        media = _PhotoMedia(
            self._model.preprocess, photos=self._photos, paths=[rows[index]["filepath"] for index in asked]
        )
        for index_B, image_BE in encode_media(self._model, media, np.arange(len(asked)), self._batch):
            for index, image_E in zip(index_B.tolist(), image_BE):
                row, names = rows[asked[index]], names_of[asked[index]]
                cosine_U = np.array([self._vector_of[name] for name in names]) @ image_E.astype(np.float64)
                seen = {name for name, cosine in zip(names, cosine_U) if cosine > self._least}
                refuted = set(names) if index in media.left_out else refuted_claims(row, seen)
                verdicts[asked[index]] = Verdict(refuted)
        return verdicts

    def _embed(self, names: Sequence[str]) -> None:
        """The mean of an object's sentences, for the names that no shard before had."""
        new = [name for name in names if name not in self._vector_of]
        texts = [text for name in new for text in self._method.presence_texts(name)]
        if texts:
            vector_UE = embed_texts(self._text_model, texts).astype(np.float64)
            mean_NE = vector_UE.reshape(len(new), -1, vector_UE.shape[-1]).mean(axis=1)
            self._vector_of |= dict(zip(new, mean_NE))
