"""The shear receipt of the shipped weights, beside held-out galaxies."""
