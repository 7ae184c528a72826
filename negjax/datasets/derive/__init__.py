"""New sets made from the labels of a stored set."""
