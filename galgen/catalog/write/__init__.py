"""Catalogues written as galaxies come, so that nothing is lost at an interruption."""
