"""Diffusion: noise levels, the denoiser, its loss, guidance and the solvers."""
