"""Operations of the galaxy denoiser, free of any knowledge of galgen itself.

Channels-last tensors in, channels-last tensors out. Today every operation is its plain PyTorch
reference, which runs on any device, compiles and differentiates; fused Triton kernels will take
their place behind the same signatures.
"""

from galgen_kernels.reference import convolution_3x3, group_norm, window_attention

__all__ = ["convolution_3x3", "group_norm", "window_attention"]
