"""What is measured of this package: one file a kind of work, and the table of measures."""
