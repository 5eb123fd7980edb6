"""Weighted sums of tensors: every solver step, preconditioning of the network included, is one.

`reference` sums tensors with PyTorch; `fused` needs Triton, and makes the noise in the same pass.
Who asks for a sum chooses, because where noise is an argument somebody else has to draw it; the
bits are the same.
"""

from galgen_kernels.ops.linear_combination.reference import linear_combination

__all__ = ["linear_combination"]
