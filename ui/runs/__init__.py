"""The page Failures: runs of many photos, chosen, computed, shown, taken along."""
