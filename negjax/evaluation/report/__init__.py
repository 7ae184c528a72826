"""Reports of finished evaluations: one page, and tables for other programs."""
