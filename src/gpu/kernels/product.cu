// Products of one row with matrices of weights of one type: each weight is read once, as it lies.
#include "activation.cuh"
#include "formats/formats.cuh"
#include "quantize.cuh"

constexpr int PRODUCT_THREADS = 256;
constexpr int PRODUCT_WARPS = PRODUCT_THREADS / WARP;

// The results of two rows, in all lanes. The same row twice costs as much as once where it stays in the cache.
struct Two {
    float first;
    float second;
};

__device__ inline float with_bias(const Weights &weights, uint32_t row, float y) {
    return weights.bias ? y + weights.bias[row] : y;
}

// A row of each of two matrices of this type.
template <typename Format>
__device__ Two two_rows(const Product &p, const Weights &a, uint32_t row_a, const Weights &b, uint32_t row_b) {
    const uint8_t *first = Format::row(a.bytes, p.columns, row_a);
    const uint8_t *second = Format::row(b.bytes, p.columns, row_b);
    float sums[2];
    Format::dots(first, second, p.columns, p.x, p.quantized, sums);
    return {with_bias(a, row_a, warp_sum(sums[0])), with_bias(b, row_b, warp_sum(sums[1]))};
}

// Each warp takes two rows of one of the matrices.
template <typename Format> __device__ void plain(const Product &p) {
    uint32_t pair = blockIdx.x * PRODUCT_WARPS + warp();
    float *y = p.y;
    for (uint32_t matrix = 0; matrix < p.count; matrix++) {
        const Weights &weights = p.weights[matrix];
        const uint32_t pairs = (weights.rows + 1) / 2;
        if (pair < pairs) {
            const uint32_t row = 2 * pair;
            const bool second = row + 1 < weights.rows;
            const Two two = two_rows<Format>(p, weights, row, weights, second ? row + 1 : row);
            if (lane() == 0) {
                y[row] = squashed(p.softcap, two.first);
                if (second) {
                    y[row + 1] = squashed(p.softcap, two.second);
                }
            }
            return;
        }
        pair -= pairs;
        y += weights.rows;
    }
}

// Each block takes 32 results, so that it can quantize them.
template <typename Format> __device__ void activating(const Product &p, float *results) {
    const Weights &gate = p.weights[0];
    const Weights &up = p.weights[1];
    const uint32_t base = blockIdx.x * WARP;
    const uint32_t last = gate.rows - 1;
    constexpr int EACH = WARP / PRODUCT_WARPS;
    for (int i = 0; i < EACH; i += p.count == 2 ? 1 : 2) {
        const int slot = warp() * EACH + i;
        // Beyond the end the last row is computed once more, and nobody keeps it.
        const uint32_t row = min(base + slot, last);
        if (p.count == 2) {
            const Two two = two_rows<Format>(p, gate, row, up, row);
            results[slot] = activated(p.activation, two.first) * two.second;
        } else {
            const Two two = two_rows<Format>(p, gate, row, gate, min(row + 1, last));
            results[slot] = activated(p.activation, two.first);
            results[slot + 1] = activated(p.activation, two.second);
        }
    }
    __syncthreads();
    if (warp() == 0) {
        const uint32_t at = base + lane();
        const bool within = at <= last;
        if (within) {
            p.y[at] = results[lane()];
        }
        if (p.out.quants) {
            quantize_group(p.out, at, within ? results[lane()] : 0.0f);
        }
    }
}

template <typename Format> __device__ void product_of(const Product &p, float *results) {
    if (p.activation == NO_ACTIVATION) {
        plain<Format>(p);
    } else {
        activating<Format>(p, results);
    }
}

#define PRODUCT(name, ...) \
    KERNEL(product_##name, Product, PRODUCT_THREADS) { \
        __shared__ float results[WARP]; \
        product_of<__VA_ARGS__>(p, results); \
    }
FOR_EACH_FORMAT(PRODUCT)
