"""Many photos: evaluated into a run's folder, read, summed up, explained."""
