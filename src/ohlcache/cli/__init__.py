"""The command line: one file per command, each imported when it is registered and heavy only when it runs."""
