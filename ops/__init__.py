"""Pure tensor functions, one topic per file: batched, on any device, never changing their input.

Each gives a photo the same result alone as in a batch.
"""
