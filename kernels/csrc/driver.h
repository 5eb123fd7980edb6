/* The CUDA driver, opened when it is first needed.
 *
 * Its few functions are declared here: a build needs no CUDA toolkit, and the library loads where
 * there is no driver. The driver's ABI is stable, and these declarations are those of its cuda.h
 * since 12.0.
 */
#ifndef GALGEN_DRIVER_H
#define GALGEN_DRIVER_H

#include <stddef.h>
#include <stdint.h>

typedef int CUresult; /* 0 is success */
typedef int CUdevice;
typedef struct CUctx_st *CUcontext;
typedef struct CUstream_st *CUstream;
typedef struct CUfunc_st *CUfunction;
typedef struct CUlib_st *CUlibrary;
typedef struct CUkern_st *CUkernel;

enum {
    CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76
};

/* F(result, name, parameters) for each function. Libraries (12.0) replace modules: their kernels
 * are good in every context, and the driver loads them where they are launched. */
#define GALGEN_DRIVER_FUNCTIONS(F)                                                                 \
    F(cuInit, (unsigned flags))                                                                    \
    F(cuGetErrorString, (CUresult error, const char **text))                                       \
    F(cuCtxGetCurrent, (CUcontext * context))                                                      \
    F(cuCtxSetCurrent, (CUcontext context))                                                        \
    F(cuCtxGetDevice, (CUdevice * device))                                                         \
    F(cuDeviceGet, (CUdevice * device, int ordinal))                                               \
    F(cuDeviceGetAttribute, (int *value, int attribute, CUdevice device))                          \
    F(cuDevicePrimaryCtxRetain, (CUcontext * context, CUdevice device))                            \
    F(cuLibraryLoadData,                                                                           \
      (CUlibrary * library, const void *image, int *jit_options, void **jit_values,                \
       unsigned jit_count, int *options, void **values, unsigned count))                           \
    F(cuLibraryGetKernel, (CUkernel * kernel, CUlibrary library, const char *name))                \
    F(cuLibraryUnload, (CUlibrary library))                                                        \
    F(cuKernelSetAttribute, (int attribute, int value, CUkernel kernel, CUdevice device))          \
    F(cuLaunchKernel,                                                                              \
      (CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,   \
       unsigned block_y, unsigned block_z, unsigned shared, CUstream stream, void **parameters,    \
       void **extra))

typedef struct galgen_driver {
#define MEMBER(name, parameters) CUresult(*name) parameters;
    GALGEN_DRIVER_FUNCTIONS(MEMBER)
#undef MEMBER
} galgen_driver;

/* NULL where there is no usable driver; `*why` then says why. */
const galgen_driver *galgen_driver_get(const char **why);

#endif
