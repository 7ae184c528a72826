"""The page that searches an index: a small web server on this machine. Needs the extra `serve`."""
