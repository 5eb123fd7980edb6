#include "galgen_kernels.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "driver.h"
#include "table.h"

enum { WARP = 32, SCRATCH_PARAMETERS = 2 };

static _Thread_local char message[1024];
static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;

int galgen_kernels_abi(void) { return GALGEN_KERNELS_ABI; }

size_t galgen_kernels_count(void) { return galgen_row_count; }

const char *galgen_kernels_error(void) { return message; }

const galgen_kernels_binary *galgen_kernels_at(size_t index) {
    return index < galgen_row_count ? &galgen_rows[index].info : NULL;
}

/* First row whose name and capability are not below these. */
static size_t lower_bound(const char *name, uint32_t capability) {
    size_t low = 0, high = galgen_row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const galgen_kernels_binary *info = &galgen_rows[middle].info;
        int order = strcmp(info->name, name);
        if (order < 0 || (order == 0 && info->capability < capability))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static galgen_row *find_row(const char *name, uint32_t capability) {
    size_t index = lower_bound(name, capability);
    if (index == galgen_row_count)
        return NULL;
    galgen_row *row = &galgen_rows[index];
    int same = row->info.capability == capability && strcmp(row->info.name, name) == 0;
    return same ? row : NULL;
}

const galgen_kernels_binary *galgen_kernels_find(const char *name, uint32_t capability) {
    const galgen_row *row = find_row(name, capability);
    return row ? &row->info : NULL;
}

__attribute__((format(printf, 2, 3))) static galgen_kernels_status
fail(galgen_kernels_status status, const char *format, ...) {
    va_list values;
    va_start(values, format);
    vsnprintf(message, sizeof message, format, values);
    va_end(values);
    return status;
}

static galgen_kernels_status fail_cuda(const galgen_driver *cuda, CUresult error, const char *what) {
    const char *text = NULL;
    cuda->cuGetErrorString(error, &text);
    return fail(GALGEN_KERNELS_CUDA_ERROR, "%s: %s (CUDA error %d)", what,
                text ? text : "unknown error", error);
}

#define CHECK(call)                                                                                \
    do {                                                                                           \
        CUresult error_ = cuda->call;                                                              \
        if (error_)                                                                                \
            return fail_cuda(cuda, error_, #call);                                                 \
    } while (0)

/* The current device, and its compute capability. */
static galgen_kernels_status current_device(const galgen_driver *cuda, CUdevice *device,
                                            uint32_t *capability) {
    CUcontext context = NULL;
    CHECK(cuCtxGetCurrent(&context));
    if (!context) {
        CHECK(cuDeviceGet(device, 0));
        CHECK(cuDevicePrimaryCtxRetain(&context, *device));
        CHECK(cuCtxSetCurrent(context));
    }
    CHECK(cuCtxGetDevice(device));
    int major = 0, minor = 0;
    CHECK(cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, *device));
    CHECK(cuDeviceGetAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, *device));
    *capability = (uint32_t)(10 * major + minor);
    return GALGEN_KERNELS_OK;
}

/* Load the row's image; the caller holds `loading`. */
static galgen_kernels_status load(const galgen_driver *cuda, galgen_row *row) {
    CUlibrary library = NULL;
    CUkernel kernel = NULL;
    CHECK(cuLibraryLoadData(&library, row->image, NULL, NULL, 0, NULL, NULL, 0));
    CUresult error = cuda->cuLibraryGetKernel(&kernel, library, row->symbol);
    if (error) {
        cuda->cuLibraryUnload(library);
        return fail_cuda(cuda, error, "cuLibraryGetKernel");
    }
    atomic_store(&row->kernel, kernel);
    return GALGEN_KERNELS_OK;
}

/* Load the row unless it is loaded, and have `device` give it its shared memory. */
static galgen_kernels_status prepare(const galgen_driver *cuda, galgen_row *row, CUdevice device) {
    uint64_t bit = device < 64 ? UINT64_C(1) << device : 0; /* beyond, every launch prepares */
    if (atomic_load(&row->prepared) & bit)
        return GALGEN_KERNELS_OK;
    pthread_mutex_lock(&loading);
    galgen_kernels_status status = atomic_load(&row->kernel) ? GALGEN_KERNELS_OK : load(cuda, row);
    pthread_mutex_unlock(&loading);
    if (status)
        return status;
    /* Above 48 KiB a kernel gets no shared memory unless it asks. */
    CHECK(cuKernelSetAttribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                               (int)row->info.shared, (CUkernel)atomic_load(&row->kernel), device));
    atomic_fetch_or(&row->prepared, bit);
    return GALGEN_KERNELS_OK;
}

static galgen_kernels_status no_row(const char *name, uint32_t capability) {
    size_t index = lower_bound(name, 0);
    if (index == galgen_row_count || strcmp(galgen_rows[index].info.name, name) != 0)
        return fail(GALGEN_KERNELS_UNKNOWN_KERNEL, "no kernel is called %s", name);
    return fail(GALGEN_KERNELS_WRONG_DEVICE,
                "%s was not compiled for compute capability %u, which the device has", name,
                capability);
}

galgen_kernels_status galgen_kernels_launch(const char *name, void *stream, const uint32_t grid[3],
                                            void *const *arguments, size_t count) {
    const char *why = NULL;
    const galgen_driver *cuda = galgen_driver_get(&why);
    if (!cuda)
        return fail(GALGEN_KERNELS_NO_DRIVER, "%s", why);
    CUdevice device = 0;
    uint32_t capability = 0;
    galgen_kernels_status status = current_device(cuda, &device, &capability);
    if (status)
        return status;
    galgen_row *row = find_row(name, capability);
    if (!row)
        return no_row(name, capability);
    if (count != row->count)
        return fail(GALGEN_KERNELS_BAD_ARGUMENTS, "%s has %zu arguments (%s), not %zu", name,
                    row->count, row->info.types, count);
    if (grid[0] == 0 || grid[1] == 0 || grid[2] == 0)
        return GALGEN_KERNELS_OK;
    status = prepare(cuda, row, device);
    if (status)
        return status;

    /* Triton appends the addresses of two scratch areas, which no kernel of the table uses. */
    void *scratch = NULL;
    void *parameters[GALGEN_KERNELS_MAX_ARGUMENTS + SCRATCH_PARAMETERS];
    memcpy(parameters, arguments, count * sizeof *parameters);
    parameters[count] = parameters[count + 1] = &scratch;
    /* cuLaunchKernel takes a CUkernel for a CUfunction since 12.0. */
    CHECK(cuLaunchKernel((CUfunction)atomic_load(&row->kernel), grid[0], grid[1], grid[2],
                         WARP * row->info.num_warps, 1, 1, row->info.shared, (CUstream)stream,
                         parameters, NULL));
    return GALGEN_KERNELS_OK;
}
