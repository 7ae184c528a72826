"""Reading and writing weights: PyTorch files, Hugging Face folders and negjax checkpoints."""
