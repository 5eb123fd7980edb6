/* galgen's kernels, compiled ahead of time.
 *
 * A kernel is known by the name of its variant: what it computes, its constants, the types of its
 * tensors and how it is launched. Names, arguments and what they mean are those of the Python
 * modules galgen_kernels/ops/<kernel>/fused.py.
 *
 * The library needs the CUDA driver (libcuda.so.1, CUDA 12.0 or later) only to launch: without one
 * it loads, and lists what it holds. All functions may be called from any thread at any time.
 */
#ifndef GALGEN_KERNELS_H
#define GALGEN_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#if defined(GALGEN_KERNELS_BUILD)
#define GALGEN_KERNELS_API __attribute__((visibility("default")))
#else
#define GALGEN_KERNELS_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Grows when a declaration of this file changes; compare with galgen_kernels_abi(). */
#define GALGEN_KERNELS_ABI 1
#define GALGEN_KERNELS_MAX_ARGUMENTS 62

typedef enum galgen_kernels_status {
    GALGEN_KERNELS_OK = 0,
    GALGEN_KERNELS_NO_DRIVER = 1,      /* no CUDA driver, or one older than 12.0 */
    GALGEN_KERNELS_UNKNOWN_KERNEL = 2, /* no variant has this name */
    GALGEN_KERNELS_WRONG_DEVICE = 3,   /* not compiled for the device's compute capability */
    GALGEN_KERNELS_BAD_ARGUMENTS = 4,  /* another number of arguments than the variant has */
    GALGEN_KERNELS_CUDA_ERROR = 5      /* the driver failed; galgen_kernels_error() says how */
} galgen_kernels_status;

/* One variant compiled for one compute capability. */
typedef struct galgen_kernels_binary {
    const char *name;
    const char *fingerprint; /* SHA-256 of source, constants and options, hexadecimal */
    const char *types;       /* of the arguments, in Triton's words: "*bf16,*bf16,i32,fp32" */
    uint32_t capability;     /* 90 is 9.0 */
    uint32_t num_warps;      /* of a block */
    uint32_t shared;         /* bytes of dynamic shared memory of a block */
    uint32_t registers;      /* of a thread */
} galgen_kernels_binary;

/* GALGEN_KERNELS_ABI of the library, as opposed to this header. */
GALGEN_KERNELS_API int galgen_kernels_abi(void);

/* Number of binaries. */
GALGEN_KERNELS_API size_t galgen_kernels_count(void);

/* Binary number `index`, sorted by name and then by capability; NULL if there are fewer. */
GALGEN_KERNELS_API const galgen_kernels_binary *galgen_kernels_at(size_t index);

/* The binary of a variant for devices of a compute capability; NULL if there is none. */
GALGEN_KERNELS_API const galgen_kernels_binary *galgen_kernels_find(const char *name,
                                                                    uint32_t capability);

/* Launch a variant on the current device.
 *
 * name       of the variant
 * stream     CUstream or cudaStream_t of the current context; NULL is its default stream
 * grid       blocks in x, y and z; nothing is launched if one is 0
 * arguments  address of each argument: of a CUdeviceptr for a tensor, contiguous and aligned to 16
 *            bytes; of an int32_t, int64_t, float or double for i32, i64, fp32 or fp64
 * count      of the arguments
 *
 * Returns as soon as the launch is queued. The first launch of a variant loads it, which must not
 * happen while a CUDA graph is captured. A thread without a current context gets the primary
 * context of device 0, as it would from the CUDA runtime.
 */
GALGEN_KERNELS_API galgen_kernels_status galgen_kernels_launch(const char *name, void *stream,
                                                               const uint32_t grid[3],
                                                               void *const *arguments,
                                                               size_t count);

/* What went wrong in this thread's last launch that did not return GALGEN_KERNELS_OK. */
GALGEN_KERNELS_API const char *galgen_kernels_error(void);

#ifdef __cplusplus
}
#endif

#endif
