"""Catalogues read, and told in words."""
