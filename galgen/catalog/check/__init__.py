"""Catalogues checked."""
