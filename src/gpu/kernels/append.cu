// What a prompt's attention takes: queries and keys normed and turned, keys and values put into the cache.
//
// A warp has one head of one row.
#include "heads.cuh"
#include "tiles.cuh"

constexpr int APPEND_THREADS = 256;
constexpr int APPEND_WARPS = APPEND_THREADS / WARP;

template <typename E> __device__ void append_of(const Append &p, float *head) {
    const uint32_t each = p.heads + 2 * p.kv_heads;
    const uint32_t vector = blockIdx.x * APPEND_WARPS + warp();
    const uint32_t row = vector / each;
    const uint32_t slot = vector % each;
    // Whole warps, and nothing waits for them.
    if (row >= p.rows) {
        return;
    }
    const bool is_query = slot < p.heads;
    const bool is_key = !is_query && slot < p.heads + p.kv_heads;
    const uint32_t kv_head = (slot - p.heads) % p.kv_heads;
    const float *numbers = is_query ? p.queries : is_key ? p.keys : p.values;
    numbers += is_query ? (uint64_t{row} * p.heads + slot) * p.dim : (uint64_t{row} * p.kv_heads + kv_head) * p.dim;
    take_head(is_query ? p.query_norm : is_key ? p.key_norm : Norm{}, numbers, p.dim, head);
    if ((is_query || is_key) && p.turn.cos) {
        __syncwarp();
        for (uint32_t pair = lane(); pair < p.turn.dims / 2; pair += WARP) {
            turn_pair(p.turn, p.position + row, head, pair);
        }
        __syncwarp();
    }
    if (is_query) {
        F16 *turned = p.turned + (uint64_t{slot} * p.rows + row) * padded(p.dim);
        for (uint32_t at = lane(); at < padded(p.dim); at += WARP) {
            store(turned + at, at < p.dim ? head[at] : 0.0f);
        }
    } else {
        E *cache = static_cast<E *>(is_key ? p.key_cache : p.value_cache);
        cache += (uint64_t{kv_head} * p.capacity + p.position + row) * p.dim;
        for (uint32_t at = lane(); at < p.dim; at += WARP) {
            store(cache + at, head[at]);
        }
    }
}

KERNEL(append, Append, APPEND_THREADS) {
    __shared__ float heads[APPEND_WARPS][LONGEST];
    if (p.half) {
        append_of<F16>(p, heads[warp()]);
    } else {
        append_of<float>(p, heads[warp()]);
    }
}
