"""Models for other runtimes: ONNX and StableHLO, compared with the model itself before they are handed over."""
