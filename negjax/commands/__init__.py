"""The commands of `negjax`: one file a command, which parses flags and calls the room that does the work."""
