"""The pages that un-fool it: what all defenses share, and a file for each page of its own."""
