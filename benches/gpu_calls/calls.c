// A CUDA driver and libraries that count what they are asked to do and compute nothing: memory is the host's.
//
// `count.sh` builds it four times, under the names of the four libraries that a CUDA build loads. Only the driver counts; the
// others tell it. What is counted goes to the file `GPU_CALLS` when the program ends. With `GPU_WITHOUT_GRAPHS` it captures no
// graphs, and bench leaves its own kernels alone.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum What { LAUNCHES, GRAPHS, IN_GRAPHS, PRODUCTS, ALLOCATIONS, FREES, SETS, UP, UP_BYTES, DOWN, DOWN_BYTES, COPIES, WAITS, KINDS };

void gpu_call(enum What what, uint64_t count);

#ifdef DRIVER
typedef uint64_t Address;

static uint64_t counts[KINDS];
static const char *const names[KINDS] = {"launches", "graphs", "in graphs", "products", "allocations", "frees", "sets",
                                         "up", "up bytes", "down", "down bytes", "copies", "waits"};

void gpu_call(enum What what, uint64_t count) { counts[what] += count; }

__attribute__((destructor)) static void tell(void) {
    const char *path = getenv("GPU_CALLS");
    FILE *file = path ? fopen(path, "w") : NULL;
    for (int what = 0; file && what < KINDS; what++) {
        fprintf(file, "%s\t%llu\n", names[what], (unsigned long long)counts[what]);
    }
    if (file) {
        fclose(file);
    }
}

int cuInit(unsigned flags) { return 0; }
int cuGetErrorString(int error, const char **text) {
    *text = error == 801 ? "operation not supported" : "unknown error";
    return 0;
}
int cuDeviceGet(int *device, int ordinal) {
    *device = 0;
    return ordinal ? 101 : 0;
}
// An L4: 58 processors, and pools of memory.
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    *value = attribute == 16 ? 58 : 1;
    return 0;
}
int cuDevicePrimaryCtxRetain(void **context, int device) {
    *context = (void *)16;
    return 0;
}
int cuDevicePrimaryCtxRelease_v2(int device) { return 0; }
static __thread void *current;
int cuCtxGetCurrent(void **context) {
    *context = current;
    return 0;
}
int cuCtxSetCurrent(void *context) {
    current = context;
    return 0;
}
int cuCtxDestroy_v2(void *context) { return 0; }
int cuDeviceGetMemPool(void **pool, int device) {
    *pool = (void *)32;
    return 0;
}
int cuMemPoolSetAttribute(void *pool, int attribute, void *value) { return 0; }
int cuMemPoolGetAttribute(void *pool, int attribute, uint64_t *value) {
    *value = 0;
    return 0;
}
int cuMemPoolTrimTo(void *pool, size_t least) { return 0; }
int cuMemGetInfo_v2(size_t *free, size_t *total) {
    *free = *total = (size_t)22 << 30;
    return 0;
}
int cuMemAllocAsync(Address *place, size_t bytes, void *stream) {
    gpu_call(ALLOCATIONS, 1);
    *place = (Address)calloc(1, bytes + 64);
    return *place ? 0 : 2;
}
int cuMemAlloc_v2(Address *place, size_t bytes) { return cuMemAllocAsync(place, bytes, NULL); }
int cuMemFreeAsync(Address place, void *stream) {
    gpu_call(FREES, 1);
    free((void *)place);
    return 0;
}
int cuMemFree_v2(Address place) { return cuMemFreeAsync(place, NULL); }
int cuMemcpyDtoHAsync_v2(void *to, Address from, size_t bytes, void *stream) {
    gpu_call(DOWN, 1);
    gpu_call(DOWN_BYTES, bytes);
    memcpy(to, (void *)from, bytes);
    return 0;
}
int cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t bytes, void *stream) {
    gpu_call(UP, 1);
    gpu_call(UP_BYTES, bytes);
    memcpy((void *)to, from, bytes);
    return 0;
}
int cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes, void *stream) {
    gpu_call(COPIES, 1);
    memcpy((void *)to, (void *)from, bytes);
    return 0;
}
int cuMemcpyPeerAsync(Address to, void *a, Address from, void *b, size_t bytes, void *stream) { return 801; }
int cuMemsetD8Async(Address place, unsigned char value, size_t bytes, void *stream) {
    gpu_call(SETS, 1);
    memset((void *)place, value, bytes);
    return 0;
}
int cuModuleLoad(void **module, const char *file) {
    *module = (void *)48;
    return 0;
}
int cuModuleLoadData(void **module, const void *image) {
    *module = (void *)48;
    return 0;
}
int cuModuleUnload(void *module) { return 0; }
int cuModuleGetFunction(void **function, void *module, const char *name) {
    *function = strdup(name);
    return *function ? 0 : 2;
}

// While it captures, launches are kept: of `pick` what the host goes by, the position that it counts up.
static int capturing;
static uint64_t captured;
static uint32_t *position;
int cuLaunchKernel(void *function, unsigned x, unsigned y, unsigned z, unsigned a, unsigned b, unsigned c, unsigned shared,
                   void *stream, void **params, void **extra) {
    if (!capturing) {
        gpu_call(LAUNCHES, 1);
        return 0;
    }
    captured++;
    if (strcmp(function, "pick") == 0) {
        position = (uint32_t *)(*(uint64_t **)params)[1] + 1;
    }
    return 0;
}
int cuStreamBeginCapture_v2(void *stream, int mode) {
    if (getenv("GPU_WITHOUT_GRAPHS")) {
        return 801;
    }
    capturing = 1;
    captured = 0;
    return 0;
}
int cuStreamEndCapture(void *stream, void **graph) {
    capturing = 0;
    *graph = (void *)96;
    return 0;
}
int cuStreamIsCapturing(void *stream, int *status) {
    *status = capturing;
    return 0;
}
int cuGraphInstantiateWithFlags(void **ready, void *graph, unsigned long long flags) {
    *ready = (void *)112;
    return 0;
}
int cuGraphUpload(void *ready, void *stream) { return 0; }
int cuGraphLaunch(void *ready, void *stream) {
    gpu_call(GRAPHS, 1);
    gpu_call(IN_GRAPHS, captured);
    ++*position;
    return 0;
}
int cuGraphExecDestroy(void *ready) { return 0; }
int cuGraphDestroy(void *graph) { return 0; }
int cuStreamSynchronize(void *stream) {
    gpu_call(WAITS, 1);
    return 0;
}
int cuStreamDestroy_v2(void *stream) { return 0; }
int cuStreamWaitEvent(void *stream, void *event, unsigned flags) { return 0; }
int cuEventCreate(void **event, unsigned flags) {
    *event = (void *)80;
    return 0;
}
int cuEventDestroy_v2(void *event) { return 0; }
int cuEventRecord(void *event, void *stream) { return 0; }
#endif

#ifdef RUNTIME
int __cudaLaunchKernel_ptsz(void *function) {
    gpu_call(LAUNCHES, 1);
    return 0;
}
int __cudaGetKernel(void **kernel, const void *function) {
    *kernel = (void *)16;
    return 0;
}
int __cudaPushCallConfiguration(void) { return 0; }
int __cudaPopCallConfiguration(void) { return 0; }
void **__cudaRegisterFatBinary(void *binary) {
    static void *handle;
    return &handle;
}
void __cudaRegisterFatBinaryEnd(void **handle) {}
void __cudaRegisterFunction(void) {}
void __cudaRegisterVar(void) {}
void __cudaUnregisterFatBinary(void **handle) {}
int cudaDeviceGetAttribute(int *value, int attribute, int device) {
    // Compute capability 8.9, with as much shared memory as it has.
    *value = attribute == 75 ? 8 : attribute == 76 ? 9 : attribute == 16 ? 58 : attribute == 97 ? 101376 : 1;
    return 0;
}
int cudaFree(void *place) {
    gpu_call(FREES, 1);
    free(place);
    return 0;
}
int cudaFreeAsync_ptsz(void *place, void *stream) { return cudaFree(place); }
int cudaMalloc(void **place, size_t bytes) {
    gpu_call(ALLOCATIONS, 1);
    *place = calloc(1, bytes + 64);
    return *place ? 0 : 2;
}
int cudaMallocAsync_ptsz(void **place, size_t bytes, void *stream) { return cudaMalloc(place, bytes); }
int cudaFuncGetAttributes(void *attributes, const void *function) { return 0; }
int cudaFuncSetAttribute(const void *function, int attribute, int value) { return 0; }
int cudaGetDevice(int *device) {
    *device = 0;
    return 0;
}
int cudaGetDeviceCount(int *count) {
    *count = 1;
    return 0;
}
int cudaSetDevice(int device) { return 0; }
const char *cudaGetErrorName(int error) { return "error"; }
const char *cudaGetErrorString(int error) { return "error"; }
int cudaGetLastError(void) { return 0; }
int cudaPeekAtLastError(void) { return 0; }
int cudaMemsetAsync_ptsz(void *place, int value, size_t bytes, void *stream) {
    gpu_call(SETS, 1);
    memset(place, value, bytes);
    return 0;
}
int cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks) {
    *blocks = 1;
    return 0;
}
int cudaStreamSynchronize_ptsz(void *stream) {
    gpu_call(WAITS, 1);
    return 0;
}
#endif

#ifdef BLAS
int cublasCreate_v2(void **handle) {
    *handle = (void *)16;
    return 0;
}
int cublasDestroy_v2(void *handle) { return 0; }
int cublasSetStream_v2(void *handle, void *stream) { return 0; }
int cublasDgemmStridedBatched(void) { return 0; }
int cublasGemmStridedBatchedEx(void) {
    gpu_call(PRODUCTS, 1);
    return 0;
}
#endif

#ifdef RANDOM
int curandCreateGenerator(void **generator, int kind) {
    *generator = (void *)16;
    return 0;
}
int curandDestroyGenerator(void *generator) { return 0; }
int curandGenerateUniform(void) { return 0; }
int curandGenerateUniformDouble(void) { return 0; }
int curandGenerateNormal(void) { return 0; }
int curandGenerateNormalDouble(void) { return 0; }
int curandSetPseudoRandomGeneratorSeed(void) { return 0; }
int curandSetStream(void) { return 0; }
#endif
