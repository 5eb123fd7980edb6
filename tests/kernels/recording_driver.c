/* A CUDA driver without a device: it accepts every call, and remembers the last launch.
 *
 * Built as libcuda.so.1 by test_aot.py. A test sets the first group of variables, and reads the
 * second.
 */
#include <stddef.h>
#include <string.h>

int recorded_capability = 90;
int recorded_failure = 0; /* result of cuLaunchKernel */
size_t recorded_sizes[64]; /* bytes of each parameter; a size of 0 ends the list */

int recorded_loads = 0;
int recorded_launches = 0;
const void *recorded_image;
char recorded_symbol[256];
int recorded_shared_limit = 0;
unsigned recorded_shape[7]; /* grid, block, dynamic shared memory */
void *recorded_stream;
unsigned char recorded_values[64][8];

static char context, kernel, library;

int cuInit(unsigned flags) { return (int)flags; }

int cuGetErrorString(int error, const char **text) {
    *text = error == 700 ? "an illegal memory access was encountered" : "recorded failure";
    return 0;
}

int cuCtxGetCurrent(void **current) {
    *current = NULL; /* as in a thread that has not used CUDA yet */
    return 0;
}

int cuCtxSetCurrent(void *current) { return current == &context ? 0 : 201; }

int cuDevicePrimaryCtxRetain(void **primary, int device) {
    *primary = &context;
    return device;
}

int cuCtxGetDevice(int *device) {
    *device = 0;
    return 0;
}

int cuDeviceGet(int *device, int ordinal) {
    *device = ordinal;
    return 0;
}

int cuDeviceGetAttribute(int *value, int attribute, int device) {
    *value = attribute == 75 ? recorded_capability / 10 : recorded_capability % 10;
    return device;
}

int cuLibraryLoadData(void **loaded, const void *image, void *jit_options, void **jit_values,
                      unsigned jit_count, void *options, void **values, unsigned count) {
    (void)jit_options, (void)jit_values, (void)options, (void)values;
    recorded_image = image;
    recorded_loads++;
    *loaded = &library;
    return (int)(jit_count + count);
}

int cuLibraryUnload(void *loaded) { return loaded == &library ? 0 : 400; }

int cuLibraryGetKernel(void **found, void *loaded, const char *name) {
    strncpy(recorded_symbol, name, sizeof recorded_symbol - 1);
    *found = &kernel;
    return loaded == &library ? 0 : 400;
}

int cuKernelSetAttribute(int attribute, int value, void *function, int device) {
    recorded_shared_limit = value;
    return attribute == 8 && function == &kernel ? device : 1;
}

int cuLaunchKernel(void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                   unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared,
                   void *stream, void **parameters, void **extra) {
    const unsigned shape[] = {grid_x, grid_y, grid_z, block_x, block_y, block_z, shared};
    memcpy(recorded_shape, shape, sizeof shape);
    recorded_stream = stream;
    recorded_launches++;
    for (int i = 0; recorded_sizes[i]; i++)
        memcpy(recorded_values[i], parameters[i], recorded_sizes[i]);
    return function == &kernel && !extra ? recorded_failure : 400;
}
