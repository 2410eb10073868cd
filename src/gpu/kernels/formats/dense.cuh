// Weights of 16 and 32 bits, which are multiplied exactly, in float32.
#pragma once

#include "../params.cuh"

// Numbers that a lane reads at once: 16 bytes.
template <typename T> constexpr int AT_ONCE = 16 / sizeof(T);

template <typename T> __device__ void dense_dots(const uint8_t *first, const uint8_t *second, uint32_t columns,
                                                  const float *x, float sums[2]) {
    const T *rows[2] = {reinterpret_cast<const T *>(first), reinterpret_cast<const T *>(second)};
    sums[0] = sums[1] = 0.0f;
    // Rows of another width are not made of whole reads.
    const uint32_t whole = columns % AT_ONCE<T> == 0 ? columns : 0;
#pragma unroll 4
    for (uint32_t at = lane() * AT_ONCE<T>; at < whole; at += WARP * AT_ONCE<T>) {
        union {
            uint4 words;
            T numbers[AT_ONCE<T>];
        } weights[2];
        for (int row = 0; row < 2; row++) {
            weights[row].words = __ldcs(reinterpret_cast<const uint4 *>(rows[row] + at));
        }
        for (int i = 0; i < AT_ONCE<T>; i += 4) {
            const float4 four = *reinterpret_cast<const float4 *>(x + at + i);
            const float values[4] = {four.x, four.y, four.z, four.w};
            for (int j = 0; j < 4; j++) {
                for (int row = 0; row < 2; row++) {
                    sums[row] = fmaf(number(weights[row].numbers[i + j]), values[j], sums[row]);
                }
            }
        }
    }
    for (uint32_t at = whole + lane(); at < columns; at += WARP) {
        for (int row = 0; row < 2; row++) {
            sums[row] = fmaf(number(rows[row][at]), x[at], sums[row]);
        }
    }
}
