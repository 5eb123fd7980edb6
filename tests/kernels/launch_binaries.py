"""Launch a kernel where PyTorch believes in a GPU, and print what happened as JSON.

A script for test_aot.py: kernels are not interpreted in its process, and libcuda.so.1 is
recording_driver.c. What it proves is the way from `launch_variant` to the driver.
"""

from __future__ import annotations

import ctypes
import json
import sys
import warnings
from types import SimpleNamespace

import torch
import triton

STREAM = 0x5EED


def main(capability: int, failure: int) -> dict[str, object]:
    torch.cuda.is_available = lambda: True
    torch.cuda.current_device = lambda: 0
    torch.cuda.get_device_capability = lambda device: divmod(capability, 10)
    torch.cuda.current_stream = lambda: SimpleNamespace(cuda_stream=STREAM)
    compiled = []
    triton.JITFunction.run = lambda self, *_, **__: compiled.append(self.__name__)

    from galgen_kernels.launching.launcher import launch_variant
    from galgen_kernels.ops.group_norm_silu.fused import variant

    driver = ctypes.CDLL("libcuda.so.1")
    ctypes.c_int.in_dll(driver, "recorded_capability").value = capability
    ctypes.c_int.in_dll(driver, "recorded_failure").value = failure
    sizes = (8, 8, 8, 8, 4, 4, 4, 8, 8)  # four tensors, cells, groups, eps, two scratch addresses
    (ctypes.c_size_t * len(sizes)).in_dll(driver, "recorded_sizes")[:] = sizes

    form = variant(torch.bfloat16, 64, 16, modulated=True)
    # One line of memory each, so that addresses are aligned as on a GPU.
    tensors = [torch.zeros(64, dtype=torch.bfloat16) for _ in range(4)]
    error = ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            try:
                launch_variant(form, (6,), *tensors, 64, 3, 1e-5)
            except RuntimeError as raised:
                error = f"{type(raised).__name__}: {raised}"

    image = ctypes.c_void_p.in_dll(driver, "recorded_image").value
    values = (ctypes.c_ubyte * (8 * len(sizes))).in_dll(driver, "recorded_values")
    values = [bytes(values[8 * i : 8 * i + size]).hex() for i, size in enumerate(sizes)]
    return {
        "compiled": compiled,
        "error": error,
        "warnings": [str(warning.message) for warning in caught],
        "loads": ctypes.c_int.in_dll(driver, "recorded_loads").value,
        "launches": ctypes.c_int.in_dll(driver, "recorded_launches").value,
        "name": form.name,
        "symbol": (ctypes.c_char * 256).in_dll(driver, "recorded_symbol").value.decode(),
        "image": ctypes.string_at(image, 4096).hex() if image else "",
        "shape": list((ctypes.c_uint * 7).in_dll(driver, "recorded_shape")),
        "stream": ctypes.c_void_p.in_dll(driver, "recorded_stream").value,
        "shared_limit": ctypes.c_int.in_dll(driver, "recorded_shared_limit").value,
        "tensors": [tensor.data_ptr() for tensor in tensors],
        "values": values,
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
