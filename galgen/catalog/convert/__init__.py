"""Catalogues put together, compressed and decompressed."""
