"""Reads an OWL-ViT or OWLv2 from a Hugging Face folder, without PyTorch."""

from typing import Any, get_args

from etils import epath

from negjax.errors import NegjaxError, naming_malformed
from negjax.json_values import check_values
from negjax.models.detector import DetectorConfig, DetectorFamily, abstract_detector_params
from negjax.models.detector_presets import with_known_name
from negjax.models.loaded import check_vocabulary
from negjax.models.loaded_detector import LoadedDetector
from negjax.runtime.paths import to_path
from negjax.weights.detect import MAX_MISMATCHES, compare_with_table, table_names
from negjax.weights.entries import parameter_entries
from negjax.weights.families.hf_towers import SETTING_KINDS
from negjax.weights.families.owl import DETECTOR_SUPPORT, read_owl_config
from negjax.weights.families.tokenizer import read_clip_or_folder_tokenizer
from negjax.weights.hf_config import HF_CONFIG_FILE
from negjax.weights.hf_preprocessor import PREPROCESSOR_FILE, PROCESSOR_FILE, read_image_settings
from negjax.weights.hub import SCHEMES, download
from negjax.weights.json_files import read_json_object
from negjax.weights.pytorch import files_sha256, find_weights_file, read_entries
from negjax.weights.tensors import open_tensors

_EXAMPLES = "such as google/owlvit-base-patch32 or google/owlv2-base-patch16-ensemble"


def read_detector(path: epath.PathLike) -> LoadedDetector:
    """Reads a detector.

    Args:
        path: A folder of transformers' OwlViTForObjectDetection or Owlv2ForObjectDetection, with config.json,
            preprocessor_config.json and the weights; or "hf-hub:ORG/NAME", which is downloaded.

    Raises:
        NegjaxError: If the folder holds another model, is incomplete or damaged, or its download fails.
    """
    source = str(path)
    folder = download(source).path if source.startswith(SCHEMES) else to_path(path)
    if not folder.is_dir():
        raise NegjaxError(f"{path} is not a folder: give that of an OWL-ViT or OWLv2, {_EXAMPLES}")
    config = _read_config(folder)
    support = DETECTOR_SUPPORT[config.family]
    size = config.vision.image_size
    preprocess = read_image_settings(folder, size, support.image_processor, pads=config.pads)
    if preprocess is None:
        raise NegjaxError(
            f"{folder} has no {PREPROCESSOR_FILE} or {PROCESSOR_FILE}, which say how its images are prepared: add one"
        )
    file = find_weights_file(folder)
    opened = open_tensors(file)
    tensors = table_names(opened.tensors, support.format)
    if mismatches := compare_with_table(tensors, support.format, abstract_detector_params(config)):
        more = f" and {len(mismatches) - MAX_MISMATCHES} more" if len(mismatches) > MAX_MISMATCHES else ""
        raise NegjaxError(
            f"{file} does not hold the detector of {HF_CONFIG_FILE}: {'; '.join(mismatches[:MAX_MISMATCHES])}{more}"
        )
    tokenizer = read_clip_or_folder_tokenizer(config.clip, folder, None)
    try:
        check_vocabulary(config.clip, tokenizer)
    except NegjaxError as error:
        raise NegjaxError(f"{file}: {error}") from error
    table = parameter_entries(support.format, abstract_detector_params(config))
    params, _ = read_entries(tensors, table, str(file))
    info: dict[str, Any] = {"arch": config.name, "source": source, "sha256": files_sha256(opened.files)}
    return LoadedDetector(config, params, preprocess, tokenizer, info)


def _read_config(folder: epath.Path) -> DetectorConfig:
    path = folder / HF_CONFIG_FILE
    data = read_json_object(path)
    family: DetectorFamily | None = next((x for x in get_args(DetectorFamily) if x == data.get("model_type")), None)
    if family is None:
        raise NegjaxError(
            f"{path}: model_type {data.get('model_type')!r} is no detector: give the folder of an OWL-ViT or OWLv2, "
            f"{_EXAMPLES}"
        )
    with naming_malformed(path):
        try:
            check_values(data, SETTING_KINDS)
            config = read_owl_config(data, family)
        except NegjaxError as error:
            raise NegjaxError(f"{path}: {error}") from error
    return with_known_name(config)
