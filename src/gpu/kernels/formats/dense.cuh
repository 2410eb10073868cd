// Weights of 16 and 32 bits, which are multiplied exactly, in float32.
#pragma once

#include "../params.cuh"

// Rows of numbers.
template <typename T> struct Numbers {
    // Those that a lane reads at once: 16 bytes.
    static constexpr int AT_ONCE = 16 / sizeof(T);

    static __device__ const uint8_t *row(const uint8_t *bytes, uint32_t columns, uint32_t row) {
        return bytes + uint64_t{sizeof(T)} * columns * row;
    }

    static __device__ float weight(const uint8_t *row, uint32_t at) { return number(reinterpret_cast<const T *>(row)[at]); }

    // The products of two rows with the same numbers, each lane's part of them.
    static __device__ void dots(const uint8_t *first, const uint8_t *second, uint32_t columns, const float *x,
                                const Quantized &, float sums[2]) {
        const T *rows[2] = {reinterpret_cast<const T *>(first), reinterpret_cast<const T *>(second)};
        sums[0] = sums[1] = 0.0f;
        // Rows of another width are not made of whole reads.
        const uint32_t whole = columns % AT_ONCE == 0 ? columns : 0;
#pragma unroll 4
        for (uint32_t at = lane() * AT_ONCE; at < whole; at += WARP * AT_ONCE) {
            union {
                uint4 words;
                T numbers[AT_ONCE];
            } weights[2];
            for (int row = 0; row < 2; row++) {
                weights[row].words = __ldcs(reinterpret_cast<const uint4 *>(rows[row] + at));
            }
            for (int i = 0; i < AT_ONCE; i += 4) {
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
};
