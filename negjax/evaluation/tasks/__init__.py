"""The kinds of task that can be evaluated, one file each."""
