#include "driver.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static galgen_driver driver;
static char failure[512];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void *find(void *library, const char *name) {
    void *function = dlsym(library, name);
    if (!function && !failure[0])
        snprintf(failure, sizeof failure, "the CUDA driver is older than 12.0: it has no %s", name);
    return function;
}

static void open_driver(void) {
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(failure, sizeof failure, "no CUDA driver: %s", dlerror());
        return;
    }
    /* POSIX has dlsym return functions as data pointers, which ISO C does not convert. */
#define LOAD(name, parameters) *(void **)&driver.name = find(library, #name);
    GALGEN_DRIVER_FUNCTIONS(LOAD)
#undef LOAD
    if (failure[0])
        return;
    CUresult error = driver.cuInit(0);
    if (error) {
        const char *text = "unknown error";
        driver.cuGetErrorString(error, &text);
        snprintf(failure, sizeof failure, "the CUDA driver does not start: %s", text);
    }
}

const galgen_driver *galgen_driver_get(const char **why) {
    pthread_once(&once, open_driver);
    *why = failure;
    return failure[0] ? NULL : &driver;
}
