"""Worker processes: other people's code runs in a process that can be timed, limited and lost."""
