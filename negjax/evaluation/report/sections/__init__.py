"""The content of the sections of the report page, as plain data; the templates are in negjax/assets/report."""
