"""What one visit holds: the photo and classifier, what was chosen and computed, what runs."""
