"""The commands of `negjax`, each file with the flags and the work of one kind of command."""
