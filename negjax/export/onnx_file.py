"""ONNX files: a traced tower with its weights, and running one on onnxruntime."""

from pathlib import Path
from typing import IO, Any

import numpy as np
import onnx
import onnxruntime

from negjax import __version__
from negjax.errors import NegjaxError
from negjax.export.graph import BATCH_NAME, IR_VERSION, OPSET, Graph, GraphValue
from negjax.export.towers import EMBEDDING_NAME, ExportedTower
from negjax.export.trace import trace_graph
from negjax.runtime.files import open_atomic, write_atomic

BYTES_IN_ONE_FILE = 1 << 30  # more lie beside it: one file can hold 2 GiB
_LEAST_OUTSIDE = 1024  # bytes: shapes must stay where onnxruntime reads them first
_ALIGNED = 64  # bytes


def write_onnx(path: Path, tower: ExportedTower, most_inside: int = BYTES_IN_ONE_FILE) -> None:
    """Writes a tower as an ONNX file; the data of large ones to a second file, its name with ".data".

    Args:
        path: The file.
        tower: The tower.
        most_inside: Bytes of weights up to which they lie in the file.

    Raises:
        NegjaxError: The tower has an operation that cannot be written, or the files cannot be.
    """
    try:
        graph, output = trace_graph(tower.function, tower.weights, tower.input_name, tower.example())
    except NotImplementedError as error:
        raise NegjaxError(
            f"{path.name}: {error} of this model has no form in ONNX here: use --to stablehlo, and report it"
        ) from error
    graph.nodes.append(onnx.helper.make_node("Identity", [graph.name_of(output)], [EMBEDDING_NAME]))
    if sum(array.nbytes for array in graph.constants.values()) > most_inside:
        with open_atomic(path.with_name(f"{path.name}.data")) as data:
            tensors = [_tensor_outside(name, array, data, f"{path.name}.data") for name, array in _arrays(graph)]
    else:
        tensors = [onnx.numpy_helper.from_array(array, name) for name, array in _arrays(graph)]
    made = onnx.helper.make_graph(
        graph.nodes, path.stem, [_info(graph.input, tower.input_name)], [_info(output, EMBEDDING_NAME)], tensors
    )
    model = onnx.helper.make_model(
        made,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="negjax",
        producer_version=__version__,
    )
    write_atomic(path, model.SerializeToString())


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """A session of onnxruntime on this machine's processors.

    Raises:
        NegjaxError: onnxruntime does not take the file.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class for each of its codes, none of its own above them
        raise NegjaxError(f"onnxruntime does not take {path.name}: {error}") from error


def _arrays(graph: Graph) -> list[tuple[str, np.ndarray]]:
    return [(name, np.asarray(array, order="C")) for name, array in graph.constants.items()]


def _info(value: GraphValue, name: str) -> Any:
    shape = [size if isinstance(size, int) else BATCH_NAME for size in value.shape]
    return onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), shape)


def _tensor_outside(name: str, array: np.ndarray, data: IO[bytes], file_name: str) -> onnx.TensorProto:
    """A tensor whose numbers are written to another file, and how to find them there."""
    if array.nbytes < _LEAST_OUTSIDE:
        return onnx.numpy_helper.from_array(array, name)
    data.write(bytes(-data.tell() % _ALIGNED))
    tensor = onnx.TensorProto(
        name=name,
        data_type=onnx.helper.np_dtype_to_tensor_dtype(array.dtype),
        dims=array.shape,
        data_location=onnx.TensorProto.EXTERNAL,
    )
    for key, value in (("location", file_name), ("offset", data.tell()), ("length", array.nbytes)):
        tensor.external_data.add(key=key, value=str(value))
    data.write(array.astype(array.dtype.newbyteorder("<"), copy=False).data)
    return tensor
