"""The commands that print a table of figures: the papers' tables and our own."""
