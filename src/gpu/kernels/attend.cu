// Attention of one token: turns its queries and its key, adds key and value to the cache, and attends.
//
// A block has the queries of one key's heads, so that each key and value is read once, and one of `splits` shares of the
// positions, which its warps deal out among them. Scores are never stored: softmax goes along (Milakov and Gimelshein,
// <https://arxiv.org/abs/1805.02867>), and `gather` puts the shares together.
#include "activation.cuh"
#include "heads.cuh"

constexpr int ATTEND_THREADS = 128;
constexpr int ATTEND_WARPS = ATTEND_THREADS / WARP;
// Queries that a block has at the most; those of a larger group read the keys once for each so many.
constexpr uint32_t QUERIES = 8;
// Positions that a warp looks at together.
constexpr int TOGETHER = 4;

// A warp's share of the attention of one query.
struct Share {
    float largest;
    float weight;
};

struct Space {
    // The key behind the queries.
    float heads[QUERIES + 1][LONGEST];
    float sums[ATTEND_WARPS][QUERIES][LONGEST];
    Share shares[ATTEND_WARPS][QUERIES];
};

// `EACH` numbers of a head for each lane, every 32nd.
template <typename E, int EACH>
__device__ void attend_in(const Attend &p, Space &space, uint32_t kv_head, uint32_t queries, uint32_t from, uint32_t position) {
    const E *keys = static_cast<const E *>(p.key_cache) + uint64_t{kv_head} * p.capacity * p.dim;
    const E *values = static_cast<const E *>(p.value_cache) + uint64_t{kv_head} * p.capacity * p.dim;
    float own[QUERIES][EACH];
    float sum[QUERIES][EACH];
    Share share[QUERIES];
    for (uint32_t q = 0; q < QUERIES; q++) {
        share[q] = {-INFINITY, 0.0f};
        for (int i = 0; i < EACH; i++) {
            const uint32_t at = lane() + i * WARP;
            own[q][i] = q < queries && at < p.dim ? space.heads[q][at] * p.scale : 0.0f;
            sum[q][i] = 0.0f;
        }
    }
    const uint32_t workers = p.splits * ATTEND_WARPS;
    const uint32_t worker = blockIdx.y * ATTEND_WARPS + warp();
    for (uint32_t base = from + worker * TOGETHER; base <= position; base += workers * TOGETHER) {
        float score[QUERIES][TOGETHER];
#pragma unroll
        for (int j = 0; j < TOGETHER; j++) {
            const bool seen = base + j <= position;
            const E *key = keys + uint64_t{base + j} * p.dim;
            float numbers[EACH];
            for (int i = 0; i < EACH; i++) {
                const uint32_t at = lane() + i * WARP;
                numbers[i] = seen && at < p.dim ? number(key[at]) : 0.0f;
            }
            for (uint32_t q = 0; q < QUERIES; q++) {
                if (q < queries) {
                    float dot = 0.0f;
                    for (int i = 0; i < EACH; i++) {
                        dot = fmaf(own[q][i], numbers[i], dot);
                    }
                    dot = squashed(p.softcap, warp_sum(dot));
                    score[q][j] = seen ? dot : -INFINITY;
                }
            }
        }
        for (uint32_t q = 0; q < QUERIES; q++) {
            if (q < queries) {
                float largest = share[q].largest;
                for (int j = 0; j < TOGETHER; j++) {
                    largest = fmaxf(largest, score[q][j]);
                }
                const float origin = origin_of(largest);
                const float shrink = expf(share[q].largest - origin);
                float weight = share[q].weight * shrink;
                for (int j = 0; j < TOGETHER; j++) {
                    score[q][j] = expf(score[q][j] - origin);
                    weight += score[q][j];
                }
                share[q] = {largest, weight};
                for (int i = 0; i < EACH; i++) {
                    sum[q][i] *= shrink;
                }
            }
        }
#pragma unroll
        for (int j = 0; j < TOGETHER; j++) {
            const bool seen = base + j <= position;
            const E *value = values + uint64_t{base + j} * p.dim;
            for (int i = 0; i < EACH; i++) {
                const uint32_t at = lane() + i * WARP;
                const float x = seen && at < p.dim ? number(value[at]) : 0.0f;
                for (uint32_t q = 0; q < QUERIES; q++) {
                    if (q < queries) {
                        sum[q][i] = fmaf(score[q][j], x, sum[q][i]);
                    }
                }
            }
        }
    }
    for (uint32_t q = 0; q < QUERIES; q++) {
        if (q < queries) {
            for (int i = 0; i < EACH; i++) {
                const uint32_t at = lane() + i * WARP;
                if (at < p.dim) {
                    space.sums[warp()][q][at] = sum[q][i];
                }
            }
            if (lane() == 0) {
                space.shares[warp()][q] = share[q];
            }
        }
    }
}

template <typename E> __device__ void attend_of(const Attend &p, Space &space) {
    const uint32_t group = p.heads / p.kv_heads;
    const uint32_t parts = (group + QUERIES - 1) / QUERIES;
    const uint32_t kv_head = blockIdx.x / parts;
    const uint32_t part = blockIdx.x % parts * QUERIES;
    const uint32_t first = kv_head * group + part;
    const uint32_t queries = min(group - part, QUERIES);
    const uint32_t position = p.state->position;
    const uint32_t from = first_seen(p.window, position);
    // The share that the new position falls into.
    const uint32_t owner = (position - from) / TOGETHER % (p.splits * ATTEND_WARPS) / ATTEND_WARPS;
    const bool owns = owner == blockIdx.y;

    const uint32_t vectors = owns ? queries + 1 : queries;
    for (uint32_t vector = warp(); vector < vectors; vector += ATTEND_WARPS) {
        if (vector < queries) {
            take_head(p.query_norm, p.queries + uint64_t{first + vector} * p.dim, p.dim, space.heads[vector]);
        } else {
            take_head(p.key_norm, p.keys + uint64_t{kv_head} * p.dim, p.dim, space.heads[vector]);
        }
    }
    __syncthreads();
    if (p.turn.cos) {
        const uint32_t pairs = p.turn.dims / 2;
        for (uint32_t at = threadIdx.x; at < vectors * pairs; at += ATTEND_THREADS) {
            turn_pair(p.turn, position, space.heads[at / pairs], at % pairs);
        }
    }
    __syncthreads();
    if (owns) {
        const uint64_t place = (uint64_t{kv_head} * p.capacity + position) * p.dim;
        for (uint32_t at = threadIdx.x; at < p.dim; at += ATTEND_THREADS) {
            store(static_cast<E *>(p.key_cache) + place + at, space.heads[queries][at]);
            store(static_cast<E *>(p.value_cache) + place + at, p.values[uint64_t{kv_head} * p.dim + at]);
        }
    }
    __syncthreads();

    switch ((p.dim + WARP - 1) / WARP) {
    case 1: attend_in<E, 1>(p, space, kv_head, queries, from, position); break;
    case 2: attend_in<E, 2>(p, space, kv_head, queries, from, position); break;
    case 3: attend_in<E, 3>(p, space, kv_head, queries, from, position); break;
    case 4: attend_in<E, 4>(p, space, kv_head, queries, from, position); break;
    default: attend_in<E, 8>(p, space, kv_head, queries, from, position); break;
    }
    __syncthreads();

    for (uint32_t q = 0; q < queries; q++) {
        float largest = -INFINITY;
        for (int w = 0; w < ATTEND_WARPS; w++) {
            largest = fmaxf(largest, space.shares[w][q].largest);
        }
        const float origin = origin_of(largest);
        float weight = 0.0f;
        for (int w = 0; w < ATTEND_WARPS; w++) {
            weight += space.shares[w][q].weight * expf(space.shares[w][q].largest - origin);
        }
        float *out = p.partial + (uint64_t{first + q} * p.splits + blockIdx.y) * (p.dim + 2);
        for (uint32_t at = threadIdx.x; at < p.dim; at += ATTEND_THREADS) {
            float sum = 0.0f;
            for (int w = 0; w < ATTEND_WARPS; w++) {
                sum += space.sums[w][q][at] * expf(space.shares[w][q].largest - origin);
            }
            out[at] = sum;
        }
        if (threadIdx.x == 0) {
            out[p.dim] = largest;
            out[p.dim + 1] = weight;
        }
    }
}

KERNEL(attend, Attend, ATTEND_THREADS) {
    __shared__ Space space;
    if (p.half) {
        attend_of<F16>(p, space);
    } else {
        attend_of<float>(p, space);
    }
}
