// The embedding of the token that goes in.
#include "formats/formats.cuh"

KERNEL(embed, Embed, 256) {
    with_format(p.kind, [&](auto format) {
        using Format = decltype(format);
        const uint8_t *row = Format::row(p.table, p.columns, p.state->token);
        for (uint32_t at = threadIdx.x; at < p.columns; at += blockDim.x) {
            p.x[at] = Format::weight(row, at) * p.scale;
        }
    });
}
