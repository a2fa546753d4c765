"""What the terminal door is made of: its commands, its flags, its progress bar. Only ``cli.py`` opens it."""
