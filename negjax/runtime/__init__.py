"""How negjax runs on machines: devices, checkpoints, metrics and progress."""
