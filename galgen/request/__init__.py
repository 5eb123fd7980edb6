"""What is asked of each galaxy: a mixture, or a row of a table, and the rest of a population."""
