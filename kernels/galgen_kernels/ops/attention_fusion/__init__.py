"""The Attention Fusion Unit."""
