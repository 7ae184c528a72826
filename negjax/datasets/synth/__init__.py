"""`negjax synth`: from captions or labels to sets with negation, in stages that each write Parquet."""
