"""Measures: how similar photos and rankings are, how sure a share is, how long things take."""
