"""The command line: one file per noun, imported when its command is called."""
