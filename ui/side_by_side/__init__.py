"""Compare and Sweep: many defenses, or many values, on the present photo."""
