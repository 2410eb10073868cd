// Attention of many queries of a prompt, by tensor cores (Dao, FlashAttention-2, <https://arxiv.org/abs/2307.08691>).
//
// A block has 128 queries of one head, 16 for each warp, and goes through the keys that any of them sees. Scores and sums stay
// in registers: what a product of queries with keys leaves in a lane is what the product with values takes from it. Keys and
// values are read from the cache while the ones before are computed with, and lie in shared memory.
//
// What is multiplied is in float16, whose significand has three bits more than bfloat16's. Beyond 65504 it is infinite, and the
// answer no number.
#include "heads.cuh"
#include "tiles.cuh"

constexpr int PROMPT_THREADS = 256;
constexpr uint32_t QUERY_ROWS = PROMPT_THREADS / WARP * TILE;
constexpr float LOG2_E = 1.44269504088896341f;

// Some keys and their values, with a gap after each row, so that 8 rows begin in different banks.
template <int DIM, int KEYS> struct Stretch {
    static constexpr uint32_t STRIDE = DIM + 8;
    alignas(16) uint16_t keys[KEYS][STRIDE];
    alignas(16) uint16_t values[KEYS][STRIDE];
};

// How four numbers of a cache are read, and what they are multiplied as.
uint2 four(F16);
float4 four(float);

__device__ inline uint2 operands(uint2 x) { return x; }
__device__ inline uint2 operands(float4 x) { return {pack(x.x, x.y), pack(x.z, x.w)}; }

// A thread's share of the keys and values of a stretch, four numbers each.
template <typename E, int DIM, int KEYS> struct Fetched {
    using Four = decltype(four(E{}));
    static constexpr uint32_t QUADS = DIM / 4;
    static constexpr int EACH = KEYS * QUADS / PROMPT_THREADS;
    Four keys[EACH];
    Four values[EACH];

    // Those from position `at` on; zeros beyond `end`, and beyond the head's own numbers.
    __device__ void read(const Prompt &p, uint32_t kv_head, uint32_t at, uint32_t end) {
        const uint64_t place = (uint64_t{kv_head} * p.capacity + at) * p.dim;
        const E *key = static_cast<const E *>(p.key_cache) + place;
        const E *value = static_cast<const E *>(p.value_cache) + place;
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            const uint32_t row = (threadIdx.x + i * PROMPT_THREADS) / QUADS;
            const uint32_t column = threadIdx.x % QUADS * 4;
            const bool within = at + row < end && column < p.dim;
            keys[i] = values[i] = Four{};
            if (within) {
                keys[i] = __ldg(reinterpret_cast<const Four *>(key + row * p.dim + column));
                values[i] = __ldg(reinterpret_cast<const Four *>(value + row * p.dim + column));
            }
        }
    }

    __device__ void write(Stretch<DIM, KEYS> &stretch) const {
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            const uint32_t row = (threadIdx.x + i * PROMPT_THREADS) / QUADS;
            const uint32_t column = threadIdx.x % QUADS * 4;
            *reinterpret_cast<uint2 *>(&stretch.keys[row][column]) = operands(keys[i]);
            *reinterpret_cast<uint2 *>(&stretch.values[row][column]) = operands(values[i]);
        }
    }
};

// The queries of a warp, or where they lie.
struct Queries {
    const F16 *rows[2];

    __device__ Queries(const Prompt &p, uint32_t head, uint32_t first) {
        for (uint32_t half = 0; half < 2; half++) {
            // Beyond the end the last one is computed once more, and nobody keeps it.
            const uint32_t row = min(first + lane() / 4 + half * 8, p.rows - 1);
            rows[half] = p.queries + (uint64_t{head} * p.rows + row) * padded(p.dim);
        }
    }

    __device__ Tile tile(uint32_t column) const {
        Tile tile;
#pragma unroll
        for (uint32_t i = 0; i < 4; i++) {
            const F16 *pair = rows[i % 2] + column + lane() % 4 * 2 + i / 2 * 8;
            tile.pairs[i] = __ldg(reinterpret_cast<const uint32_t *>(pair));
        }
        return tile;
    }
};

// What a warp has of its 16 queries: each lane of two of them, 8 apart.
template <int DIM> struct Attended {
    float sums[DIM / 8][4];
    float largest[2];
    // This lane's part.
    float weights[2];
};

// Goes on with the keys and values of a stretch, the first of which stand at position `at`.
template <int DIM, int KEYS>
__device__ void go_on(const Prompt &p, const Stretch<DIM, KEYS> &stretch, const Queries &queries, uint32_t position, uint32_t at,
                      Attended<DIM> &attended) {
    constexpr uint32_t STRIDE = Stretch<DIM, KEYS>::STRIDE;
    float scores[KEYS / 8][4] = {};
#pragma unroll
    for (int d = 0; d < DIM / 16; d++) {
        if (d * TILE < p.dim) {
            const Tile query = queries.tile(d * TILE);
#pragma unroll
            for (int k = 0; k < KEYS / 16; k++) {
                const Tile keys = transposed_tile(&stretch.keys[k * TILE][d * TILE], STRIDE);
                multiply(scores[2 * k], scores[2 * k + 1], query, keys);
            }
        }
    }
    // Weights are powers of two, which the GPU has an instruction for.
    const bool capped = p.softcap > 0.0f;
    const float before = capped ? p.scale / p.softcap : p.scale * LOG2_E;
    const float after = p.softcap * LOG2_E;
    const uint32_t last = position + TILE - 1;
    const bool hides = at + KEYS - 1 > position || (p.window > 0 && at + p.window <= last);
#pragma unroll
    for (int k = 0; k < KEYS / 8; k++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float score = scores[k][i] * before;
            if (capped) {
                score = tanhf(score) * after;
            }
            if (hides) {
                const uint32_t query = position + lane() / 4 + i / 2 * 8;
                const uint32_t key = at + k * 8 + lane() % 4 * 2 + i % 2;
                if (key > query || (p.window > 0 && key + p.window <= query)) {
                    score = -INFINITY;
                }
            }
            scores[k][i] = score;
        }
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float largest = attended.largest[half];
#pragma unroll
        for (int k = 0; k < KEYS / 8; k++) {
            largest = fmaxf(largest, fmaxf(scores[k][2 * half], scores[k][2 * half + 1]));
        }
        // Four lanes share a query.
        largest = fmaxf(largest, __shfl_xor_sync(ALL_LANES, largest, 1));
        largest = fmaxf(largest, __shfl_xor_sync(ALL_LANES, largest, 2));
        const float origin = origin_of(largest);
        const float shrink = exp2f(attended.largest[half] - origin);
        attended.largest[half] = largest;
        float weights = attended.weights[half] * shrink;
#pragma unroll
        for (int k = 0; k < KEYS / 8; k++) {
#pragma unroll
            for (int i = 2 * half; i < 2 * half + 2; i++) {
                scores[k][i] = exp2f(scores[k][i] - origin);
                weights += scores[k][i];
            }
        }
        attended.weights[half] = weights;
#pragma unroll
        for (int d = 0; d < DIM / 8; d++) {
            attended.sums[d][2 * half] *= shrink;
            attended.sums[d][2 * half + 1] *= shrink;
        }
    }
#pragma unroll
    for (int k = 0; k < KEYS / 16; k++) {
        const float(&low)[4] = scores[2 * k];
        const float(&high)[4] = scores[2 * k + 1];
        const Tile weights = {{pack(low[0], low[1]), pack(low[2], low[3]), pack(high[0], high[1]),
                               pack(high[2], high[3])}};
#pragma unroll
        for (int d = 0; d < DIM / 16; d++) {
            if (d * TILE < p.dim) {
                const Tile values = plain_tile(&stretch.values[k * TILE][d * TILE], STRIDE);
                multiply(attended.sums[2 * d], attended.sums[2 * d + 1], weights, values);
            }
        }
    }
}

template <typename E, int DIM, int KEYS> __device__ void prompt_of(const Prompt &p, Stretch<DIM, KEYS> &stretch) {
    const uint32_t head = blockIdx.x;
    const uint32_t kv_head = head / (p.heads / p.kv_heads);
    // The last queries see most, so that they go first.
    const uint32_t base = (gridDim.y - 1 - blockIdx.y) * QUERY_ROWS;
    const uint32_t first = base + warp() * TILE;
    const uint32_t position = p.position + first;
    const uint32_t end = p.position + min(base + QUERY_ROWS, p.rows);
    const Queries queries(p, head, first);

    Attended<DIM> attended = {};
    attended.largest[0] = attended.largest[1] = -INFINITY;
    Fetched<E, DIM, KEYS> fetched;
    uint32_t at = first_seen(p.window, p.position + base);
    fetched.read(p, kv_head, at, end);
    for (; at < end; at += KEYS) {
        // Nobody still reads the keys before.
        __syncthreads();
        fetched.write(stretch);
        __syncthreads();
        fetched.read(p, kv_head, at + KEYS, end);
        // All of a warp's queries, or none.
        if (first < p.rows && at <= position + TILE - 1 && at + KEYS > first_seen(p.window, position)) {
            go_on<DIM, KEYS>(p, stretch, queries, position, at, attended);
        }
    }

#pragma unroll
    for (int half = 0; half < 2; half++) {
        float weight = attended.weights[half];
        weight += __shfl_xor_sync(ALL_LANES, weight, 1);
        weight += __shfl_xor_sync(ALL_LANES, weight, 2);
        const uint32_t row = first + lane() / 4 + half * 8;
        float *out = p.out + (uint64_t{row} * p.heads + head) * p.dim + lane() % 4 * 2;
#pragma unroll
        for (uint32_t d = 0; d < DIM / 8; d++) {
            // A head has a multiple of four numbers.
            if (row < p.rows && d * 8 + lane() % 4 * 2 < p.dim) {
                const float2 two = {attended.sums[d][2 * half] / weight, attended.sums[d][2 * half + 1] / weight};
                *reinterpret_cast<float2 *>(out + d * 8) = two;
            }
        }
    }
}

template <int DIM, int KEYS> __device__ void prompt_in(const Prompt &p, Stretch<DIM, KEYS> &stretch) {
    if (p.half) {
        prompt_of<F16>(p, stretch);
    } else {
        prompt_of<float>(p, stretch);
    }
}

// For heads of so many numbers at the most.

KERNEL(prompt_64, Prompt, PROMPT_THREADS) {
    __shared__ Stretch<64, 64> stretch;
    prompt_in(p, stretch);
}

KERNEL(prompt_128, Prompt, PROMPT_THREADS) {
    __shared__ Stretch<128, 32> stretch;
    prompt_in(p, stretch);
}

KERNEL(prompt_256, Prompt, PROMPT_THREADS) {
    __shared__ Stretch<256, 16> stretch;
    prompt_in(p, stretch);
}
