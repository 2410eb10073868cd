// The parameters of the kernels, field by field those of `params.rs`.
#pragma once

#include "kernel.cuh"

// Where a sequence stands, and what followed its last token.
struct State {
    uint32_t token;
    uint32_t position;
    // The most likely next token with its logit.
    uint32_t id;
    float logit;
};

// A row in eight bits: number `i` is about `scales[i / 32] * quants[i]`. `sums` are those of 16 numbers each.
struct Quantized {
    int8_t *quants;
    float *scales;
    float *sums;
};

// The numbers of ggml's types.
enum Kind : uint32_t {
    KIND_F32 = 0,
    KIND_F16 = 1,
    KIND_Q4_0 = 2,
    KIND_Q4_1 = 3,
    KIND_Q5_0 = 6,
    KIND_Q5_1 = 7,
    KIND_Q8_0 = 8,
    KIND_Q2K = 10,
    KIND_Q3K = 11,
    KIND_Q4K = 12,
    KIND_Q5K = 13,
    KIND_Q6K = 14,
    KIND_BF16 = 30,
};

enum Activation : uint32_t { NO_ACTIVATION = 0, SILU = 1, GELU = 2, GELU_TANH = 3 };

// x = table[state.token] * scale
struct Embed {
    const uint8_t *table;
    const State *state;
    float *x;
    uint32_t kind;
    uint32_t columns;
    float scale;
    uint32_t unused;
};
static_assert(sizeof(Embed) == 40, "params.rs has the same");

// A norm's weights; `scale` null: there is none, `bias` null: it adds nothing.
struct Norm {
    const float *scale;
    const float *bias;
    float epsilon;
    // Whether the mean is taken off.
    uint32_t layer;
};

// x += post(y) + z; out = pre(x)
struct Residual {
    float *x;
    const float *y;
    const float *z;
    Norm post;
    Norm pre;
    float *out;
    // As well; null where no product needs it.
    Quantized quantized;
    uint32_t columns;
    uint32_t unused;
};
static_assert(sizeof(Residual) == 112, "params.rs has the same");

// Rows of weights, one block or number after another.
struct Weights {
    const uint8_t *bytes;
    const float *bias;
    uint32_t kind;
    uint32_t rows;
};

// y = weights x, of up to three matrices, one's results after another's; or `y = act(first x) * (second x)`, or `y = act(first x)`.
struct Product {
    Weights weights[3];
    const float *x;
    Quantized quantized;
    float *y;
    // Of y, as well; null where no product needs it.
    Quantized out;
    uint32_t columns;
    uint32_t count;
    uint32_t activation;
    // Results are squashed to within plus and minus this; 0: they are not.
    float softcap;
};
static_assert(sizeof(Product) == 152, "params.rs has the same");

// How heads are turned by their positions.
struct Turn {
    // [positions, dims / 2] each; null: nothing is turned.
    const float *cos;
    const float *sin;
    uint32_t dims;
    // The pairs that are turned lie side by side, else half of `dims` apart.
    uint32_t interleaved;
};

// Attention of one token's queries over the cache, to which its key and value are added.
struct Attend {
    const State *state;
    // [heads, dim], [kv_heads, dim] and [kv_heads, dim], as the products gave them.
    const float *queries;
    const float *keys;
    const float *values;
    Norm query_norm;
    Norm key_norm;
    Turn turn;
    // [kv_heads, capacity, dim] each.
    void *key_cache;
    void *value_cache;
    // [heads, splits, dim + 2]: sums of values, the largest score, the sum of weights.
    float *partial;
    uint32_t heads;
    uint32_t kv_heads;
    uint32_t dim;
    uint32_t capacity;
    // 0: all positions.
    uint32_t window;
    uint32_t splits;
    // The caches are of float16, else of float32.
    uint32_t half;
    float scale;
    float softcap;
    uint32_t unused;
};
static_assert(sizeof(Attend) == 168, "params.rs has the same");

// The parts of an attention put together.
struct Gather {
    const float *partial;
    float *out;
    Quantized quantized;
    uint32_t heads;
    uint32_t dim;
    uint32_t splits;
    uint32_t unused;
};
static_assert(sizeof(Gather) == 56, "params.rs has the same");

// The largest logit, which becomes the next token.
struct Pick {
    const float *logits;
    State *state;
    uint32_t count;
    uint32_t unused;
};
static_assert(sizeof(Pick) == 24, "params.rs has the same");

// A prompt's new rows: queries and keys turned, keys and values put into the cache.
struct Append {
    // [rows, heads, dim], [rows, kv_heads, dim] and [rows, kv_heads, dim], as the products gave them.
    const float *queries;
    const float *keys;
    const float *values;
    Norm query_norm;
    Norm key_norm;
    Turn turn;
    // [heads, rows, padded(dim)]
    F16 *turned;
    // [kv_heads, capacity, dim] each.
    void *key_cache;
    void *value_cache;
    uint32_t rows;
    uint32_t heads;
    uint32_t kv_heads;
    uint32_t dim;
    uint32_t capacity;
    // Of the first row.
    uint32_t position;
    // The caches are of float16, else of float32.
    uint32_t half;
    uint32_t unused;
};
static_assert(sizeof(Append) == 152, "params.rs has the same");

// Attention of those queries over the cache, whose last keys are their own.
struct Prompt {
    // As `Append` leaves them.
    const F16 *queries;
    const void *key_cache;
    const void *value_cache;
    // [rows, heads, dim]
    float *out;
    uint32_t rows;
    uint32_t heads;
    uint32_t kv_heads;
    uint32_t dim;
    uint32_t capacity;
    uint32_t position;
    // 0: all positions.
    uint32_t window;
    uint32_t half;
    float scale;
    float softcap;
};
static_assert(sizeof(Prompt) == 72, "params.rs has the same");

// x = act(x) * factor, or without a factor act(x)
struct Activate {
    float *x;
    // Null for none.
    const float *factor;
    uint32_t count;
    uint32_t activation;
};
static_assert(sizeof(Activate) == 24, "params.rs has the same");
