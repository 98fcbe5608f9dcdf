"""What was written, run by run, and how it is taken back."""
