"""What is trained beside frozen weights: one file a kind of adapter, `adapter.py` the interface, `table.py` the choice.

An adapter is a small tree. LoRA is folded into the weights, so that what leaves is an ordinary model. Those that change
the embeddings of texts lie beside the text tower's weights, and `negjax.models.text_adapters` runs them.
"""
