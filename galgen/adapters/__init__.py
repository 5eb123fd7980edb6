"""Galaxies in the terms of other simulators: a module for each package, which only it imports."""
