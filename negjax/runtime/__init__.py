"""Running on machines: devices, processes, checkpoints, files, metrics and progress."""
