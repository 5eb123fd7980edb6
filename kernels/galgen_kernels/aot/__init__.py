"""Kernels compiled before they are needed: which, how, and what they cost."""
