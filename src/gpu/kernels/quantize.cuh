// Numbers in eight bits, for products with quantized weights.
#pragma once

#include "params.cuh"

// Numbers that share a scale.
constexpr int GROUP = 32;

// Quantizes 32 numbers, one of each lane of a warp. `at` is the lane's place in the row.
//
// What is not finite makes the scale NaN, and with it every product of the row.
__device__ inline void quantize_group(const Quantized &out, uint32_t at, float x) {
    float largest = isfinite(x) ? fabsf(x) : INFINITY;
    largest = warp_max(largest);
    const float scale = isfinite(largest) ? largest / 127.0f : NAN;
    const float inverse = scale > 0.0f ? 127.0f / largest : 0.0f;
    // Under this the inverse is infinite.
    const int quant = inverse < INFINITY ? __float2int_rn(isfinite(x) ? x * inverse : 0.0f) : 0;
    float sum = static_cast<float>(quant);
    for (int step = 8; step > 0; step /= 2) {
        sum += __shfl_xor_sync(ALL_LANES, sum, step);
    }
    out.quants[at] = static_cast<int8_t>(quant);
    if (lane() % 16 == 0) {
        out.sums[at / 16] = sum * scale;
    }
    if (lane() == 0) {
        out.scales[at / GROUP] = scale;
    }
}
