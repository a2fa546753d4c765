"""One photo: its story, all defenses side by side, a parameter over its range."""
