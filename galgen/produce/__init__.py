"""A catalogue made by one process or by many."""
