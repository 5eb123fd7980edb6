"""Galaxies as people look at them."""
