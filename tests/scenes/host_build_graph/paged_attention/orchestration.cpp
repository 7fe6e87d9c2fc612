// SPDX-License-Identifier: Apache-2.0
//
// Paged attention: each request has one query token and attends to context_len earlier tokens, whose keys and values
// lie in blocks of a cache. block_table says which blocks, in order. For every head
//
//    out = sum over tokens t of softmax(scale * q . k[t]) * v[t]
//
// The softmax is computed online: block by block, with a running maximum m, a running sum l and a running output o that
// are corrected whenever the maximum grows. Four tasks for each block of a request,
//
//    query_key, AIC           s = q @ k^T
//    softmax_block, AIV       p = exp(scale * s - row maximum), and the sums of its rows
//    probability_value, AIC   o_block = p @ v
//    online_update, AIV       m, l, o take the block in; after the last block out = o / l
//
// one after another. Blocks run side by side, but for their updates, which share m, l and o:
//
//    query_key -> softmax_block -> probability_value -> online_update
//                                                            |
//    query_key -> softmax_block -> probability_value -> online_update
//                                                            |
//
// A tile is up to 128 heads that use the same keys. Several tiles of a request are independent.
//
// Arguments:
//   query         float16 (batch, heads, head_dim)
//   key_cache     float16 (total_blocks, block_size, kv_heads, head_dim); heads is a multiple of kv_heads
//   value_cache   the same
//   block_table   int32 (batch, max_blocks)
//   context_lens  int32 (batch)
//   out           float32 (batch, heads, head_dim)
//   scale         float32
#include <chiphost/float16.h>
#include <chiphost/host_build_graph.h>

#include "limits.h"

using chiphost::DevicePointer;
using chiphost::float16;
using chiphost::HostGraph;
using chiphost::require;
using chiphost::Tensor;

namespace {

// The numbers that scene.py gives the kernels.
enum FuncId : int32_t { kQueryKey = 0, kSoftmaxBlock = 1, kProbabilityValue = 2, kOnlineUpdate = 3 };

constexpr int32_t kMaxTileHeads = 128;

void require_tensor(const Tensor& tensor, ch_dtype dtype, uint32_t ndims, const char* message) {
    require(tensor.dtype() == dtype && tensor.ndims() == ndims, "%s", message);
}

int32_t length(const Tensor& tensor, uint32_t dim) {
    return static_cast<int32_t>(tensor.shape(dim));
}

// One tile of heads of one request.
struct Tile {
    DevicePointer query;    // float16 (heads, head_dim)
    DevicePointer out;      // float32 (heads, head_dim)
    uint64_t kv_offset;     // of the tile's head in a token of the cache, in elements
    const int32_t* blocks;  // numbers of the request's blocks, in host memory
    int32_t heads;
    int32_t tokens;  // length of the context
};

struct Cache {
    DevicePointer key, value;  // float16 (total_blocks, block_size, kv_heads, head_dim)
    int32_t block_size;
    int32_t head_dim;
    int32_t token_stride;  // elements from one token to the next
    float scale;
};

void add_tile(HostGraph& graph, const Cache& cache, const Tile& tile) {
    const auto floats = [&](int64_t count) { return graph.device_malloc(count * sizeof(float)); };
    const int32_t heads = tile.heads, block_size = cache.block_size, head_dim = cache.head_dim;
    const auto max = floats(heads), sum = floats(heads), acc = floats(heads * head_dim);

    HostGraph::TaskId last_update = -1;
    const int32_t block_count = (tile.tokens + block_size - 1) / block_size;
    for (int32_t i = 0; i < block_count; ++i) {
        const uint64_t first = uint64_t(tile.blocks[i]) * block_size * cache.token_stride + tile.kv_offset;
        const auto key = cache.key.element<float16>(first), value = cache.value.element<float16>(first);
        const int32_t tokens = i + 1 < block_count ? block_size : tile.tokens - i * block_size;
        const bool is_first = i == 0, is_last = i + 1 == block_count;

        // Each block has buffers of its own, so that it waits for no other before its update.
        const auto scores = floats(heads * block_size);
        const auto weights = graph.device_malloc(heads * block_size * sizeof(float16));
        const auto block_max = floats(heads), block_sum = floats(heads), block_acc = floats(heads * head_dim);

        const auto query_key = graph.add_task(
            chiphost::AIC, kQueryKey, {tile.query, key, scores, heads, block_size, head_dim, cache.token_stride});
        const auto softmax =
            graph.add_task(chiphost::AIV, kSoftmaxBlock,
                           {scores, weights, block_max, block_sum, heads, block_size, tokens, cache.scale});
        const auto product =
            graph.add_task(chiphost::AIC, kProbabilityValue,
                           {weights, value, block_acc, heads, block_size, head_dim, cache.token_stride});
        const auto update = graph.add_task(
            chiphost::AIV, kOnlineUpdate,
            {block_max, block_sum, block_acc, max, sum, acc, tile.out, heads, head_dim, is_first, is_last});

        graph.add_successor(query_key, softmax);
        graph.add_successor(softmax, product);
        graph.add_successor(product, update);
        if (!is_first) graph.add_successor(last_update, update);
        last_update = update;
    }
}

}  // namespace

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const Tensor query = args.tensor(0), key_cache = args.tensor(1), value_cache = args.tensor(2);
    const Tensor block_table = args.tensor(3), context_lens = args.tensor(4), out = args.tensor(5);
    require_tensor(query, CH_FLOAT16, 3, "query must be float16 (batch, heads, head_dim)");
    require_tensor(key_cache, CH_FLOAT16, 4, "key_cache must be float16 (blocks, block_size, kv_heads, head_dim)");
    require_tensor(value_cache, CH_FLOAT16, 4, "value_cache must be float16 (blocks, block_size, kv_heads, head_dim)");
    require_tensor(block_table, CH_INT32, 2, "block_table must be int32 (batch, max_blocks)");
    require_tensor(context_lens, CH_INT32, 1, "context_lens must be int32 (batch)");
    require_tensor(out, CH_FLOAT32, 3, "out must be float32 (batch, heads, head_dim)");

    const int32_t batch = length(query, 0), heads = length(query, 1), head_dim = length(query, 2);
    const int32_t total_blocks = length(key_cache, 0), block_size = length(key_cache, 1);
    const int32_t kv_heads = length(key_cache, 2), max_blocks = length(block_table, 1);
    require(length(key_cache, 3) == head_dim, "query and key_cache must have the same head_dim");
    for (uint32_t dim = 0; dim < 4; ++dim) {
        require(value_cache.shape(dim) == key_cache.shape(dim), "key_cache and value_cache must have the same shape");
    }
    for (uint32_t dim = 0; dim < 3; ++dim) {
        require(out.shape(dim) == query.shape(dim), "query and out must have the same shape");
    }
    require(length(block_table, 0) == batch && length(context_lens, 0) == batch,
            "block_table and context_lens must have a row for each request");
    require(kv_heads > 0 && heads % kv_heads == 0, "heads must be a multiple of kv_heads");
    require(0 < block_size && block_size <= kMaxBlockSize, "block_size must be 1 to %d", kMaxBlockSize);
    require(0 < head_dim && head_dim <= kMaxHeadDim, "head_dim must be 1 to %d", kMaxHeadDim);

    const auto dev_key = graph.copy_in(key_cache), dev_value = graph.copy_in(value_cache);
    const Cache cache{dev_key, dev_value, block_size, head_dim, kv_heads * head_dim, args.scalar<float>(0)};
    const auto dev_query = graph.copy_in(query), dev_out = graph.copy_out(out);
    const int32_t group = heads / kv_heads;  // heads that use the same keys

    for (int32_t request = 0; request < batch; ++request) {
        const int32_t tokens = context_lens.data<int32_t>()[request];
        const int32_t* blocks = block_table.data<int32_t>() + int64_t{request} * max_blocks;
        require(0 < tokens && tokens <= int64_t{max_blocks} * block_size,
                "request %d: context_len %d must be 1 to max_blocks * block_size", request, tokens);
        for (int32_t i = 0; i * block_size < tokens; ++i) {
            require(0 <= blocks[i] && blocks[i] < total_blocks, "request %d: block %d is not in the cache", request,
                    blocks[i]);
        }
        for (int32_t head = 0; head < heads;) {
            const int32_t left_in_group = group - head % group;
            const int32_t tile_heads = left_in_group < kMaxTileHeads ? left_in_group : kMaxTileHeads;
            const uint64_t row = uint64_t(request) * heads + head;
            const uint64_t kv_offset = uint64_t(head / group) * head_dim;
            add_tile(graph, cache,
                     {dev_query.element<float16>(row * head_dim), dev_out.element<float>(row * head_dim), kv_offset,
                      blocks, tile_heads, tokens});
            head += tile_heads;
        }
    }
    return 0;
}
