/* The table of binaries; `python -m galgen_kernels.aot build` writes its rows. */
#ifndef GALGEN_TABLE_H
#define GALGEN_TABLE_H

#include <stdatomic.h>

#include "galgen_kernels.h"

typedef struct galgen_row {
    galgen_kernels_binary info;
    const char *symbol;         /* of the kernel in the image */
    size_t count;               /* of the arguments */
    const unsigned char *image; /* cubin */
    _Atomic(void *) kernel;     /* CUkernel, once loaded */
    _Atomic(uint64_t) prepared; /* bit i: device i lets it have its shared memory */
} galgen_row;

extern galgen_row galgen_rows[];
extern const size_t galgen_row_count;

#endif
