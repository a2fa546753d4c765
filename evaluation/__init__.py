"""What a method does to photos, in numbers."""
