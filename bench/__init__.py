"""Speed, measured side by side: ours against what people would use instead, in one run on one machine."""
