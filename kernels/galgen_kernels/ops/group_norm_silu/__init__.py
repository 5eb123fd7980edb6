"""Group normalisation, modulation and SiLU."""
