"""What the sections of the report page show, as plain data; the templates are in negjax/assets/report."""
