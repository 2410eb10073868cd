// What every kernel is written with. Compiled by nvcc for a GPU, and by a C++ compiler with an emulator of what is used here,
// under which the tests run the same kernels without a GPU.
#pragma once

#include <stdint.h>

#ifdef __CUDACC__
#include <cuda_fp16.h>

// A kernel takes its parameters as one structure, and always has the same number of threads.
#define KERNEL(name, Params, threads) \
    extern "C" __global__ void __launch_bounds__(threads) name(const __grid_constant__ Params p)
#else
#include "emulator.h"
#endif

constexpr int WARP = 32;
constexpr unsigned ALL_LANES = 0xffffffffu;

__device__ inline int lane() { return threadIdx.x % WARP; }
__device__ inline int warp() { return threadIdx.x / WARP; }

// Sums and largest values, given to all lanes.

__device__ inline float warp_sum(float value) {
    for (int step = WARP / 2; step > 0; step /= 2) {
        value += __shfl_xor_sync(ALL_LANES, value, step);
    }
    return value;
}

__device__ inline float warp_max(float value) {
    for (int step = WARP / 2; step > 0; step /= 2) {
        value = fmaxf(value, __shfl_xor_sync(ALL_LANES, value, step));
    }
    return value;
}

// The sum over all threads of a block, given to all of them.
template <int THREADS> __device__ float block_sum(float value) {
    __shared__ float sums[THREADS / WARP];
    value = warp_sum(value);
    // Nobody still reads the sums of a call before.
    __syncthreads();
    if (lane() == 0) {
        sums[warp()] = value;
    }
    __syncthreads();
    return warp_sum(lane() < THREADS / WARP ? sums[lane()] : 0.0f);
}

// Numbers of 16 and 32 bits, as float32.

struct Bf16 {
    uint16_t bits;
};

struct F16 {
    uint16_t bits;
};

__device__ inline float number(Bf16 x) { return __uint_as_float(static_cast<uint32_t>(x.bits) << 16); }
__device__ inline float number(F16 x) { return __half2float(__ushort_as_half(x.bits)); }
__device__ inline float number(float x) { return x; }

__device__ inline void store(float *place, float x) { *place = x; }
__device__ inline void store(F16 *place, float x) { place->bits = __half_as_ushort(__float2half_rn(x)); }
