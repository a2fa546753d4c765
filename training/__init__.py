"""The commands that made every file of weights in ``assets/``; nothing here runs in the app."""
