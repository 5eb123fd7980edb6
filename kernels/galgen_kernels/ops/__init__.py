"""The operations, one folder for each: its formula, its kernel, and its form for a CPU."""
