"""What is trained beside frozen weights and folded into them on the way out: one file a kind of adapter."""
