"""The commands of `negjax`: one file per command, which parses flags and calls the room that does the work."""
