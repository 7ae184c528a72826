"""Readers of other people's files: one file per format, each of which makes a `rows.RowSource`; see `table`."""
