"""Catalogues in the formats of other tools: one module each, which needs what its format needs."""
