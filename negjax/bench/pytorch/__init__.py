"""The other side of `negjax bench --against open_clip`: scripts as users of PyTorch write them."""
