// SPDX-License-Identifier: Apache-2.0
//
// Paged attention: each request has one query token and attends to context_len earlier tokens, whose keys and values
// lie in blocks of a cache. block_table says which blocks, in order. For every head
//
//    out = sum over tokens t of softmax(scale * q . k[t]) * v[t]
//
// The softmax is computed online: block by block, with a running maximum m, a running sum l and a running output o that
// are corrected whenever the maximum grows. A task for each request,
//
//    start, AIV               m = -infinity, l = 0, o = 0
//
// and four for each of its blocks:
//
//    query_key, AIC           s = q @ k^T
//    softmax_block, AIV       p = exp(scale * s - row maximum), and the sums of its rows
//    probability_value, AIC   o_block = p @ v
//    online_update, AIV       m, l, o take the block in; after the last block out = o / l
//
// No edge is given. The four tasks of a block follow each other because each uses what the one before it made. Blocks
// run side by side, but for their updates, which have m, l and o as inout:
//
//                                                                start
//                                                                  |
//    query_key -> softmax_block -> probability_value -> online_update
//                                                                  |
//    query_key -> softmax_block -> probability_value -> online_update
//                                                                  |
//
// The orchestration reads the block table and the lengths while the tasks of earlier requests run. A tile is up to 128
// heads that use the same keys; it has a scope of its own. Several tiles of a request are independent.
//
// Arguments:
//   query         float16 (batch, heads, head_dim)
//   key_cache     float16 (total_blocks, block_size, kv_heads, head_dim); heads is a multiple of kv_heads
//   value_cache   the same
//   block_table   int32 (batch, max_blocks)
//   context_lens  int32 (batch)
//   out           float32 (batch, heads, head_dim)
//   scale         float32
#include <chiphost/device_graph.h>

#include "limits.h"

using chiphost::DeviceGraph;
using chiphost::DeviceTensor;
using chiphost::require;
using chiphost::Task;
using chiphost::TensorSpec;

namespace {

// The numbers that scene.py gives the kernels.
enum FuncId : int32_t { kStart = 0, kQueryKey = 1, kSoftmaxBlock = 2, kProbabilityValue = 3, kOnlineUpdate = 4 };

constexpr uint32_t kMaxTileHeads = 128;

void require_tensor(const DeviceTensor& tensor, ch_dtype dtype, uint32_t ndims, const char* message) {
    require(tensor.dtype() == dtype && tensor.ndims() == ndims, "%s", message);
}

// Up to 128 heads of one request that use the same keys.
struct Tile {
    uint32_t request, tokens;
    uint32_t first_head, heads;
    uint32_t kv_head;
};

// The arguments.
struct Attention {
    DeviceTensor query, key_cache, value_cache, block_table, context_lens, out;
    float scale;

    explicit Attention(const chiphost::DeviceArgs& args)
        : query(args.tensor(0)),
          key_cache(args.tensor(1)),
          value_cache(args.tensor(2)),
          block_table(args.tensor(3)),
          context_lens(args.tensor(4)),
          out(args.tensor(5)),
          scale(args.scalar<float>(0)) {}

    uint32_t batch() const { return query.shape(0); }
    uint32_t heads() const { return query.shape(1); }
    uint32_t head_dim() const { return query.shape(2); }
    uint32_t total_blocks() const { return key_cache.shape(0); }
    uint32_t block_size() const { return key_cache.shape(1); }
    uint32_t kv_heads() const { return key_cache.shape(2); }
    uint32_t max_blocks() const { return block_table.shape(1); }

    void check() const {
        require_tensor(query, CH_FLOAT16, 3, "query must be float16 (batch, heads, head_dim)");
        require_tensor(key_cache, CH_FLOAT16, 4, "key_cache must be float16 (blocks, block_size, kv_heads, head_dim)");
        require_tensor(value_cache, CH_FLOAT16, 4, "value_cache must have the dtype and shape of key_cache");
        require_tensor(block_table, CH_INT32, 2, "block_table must be int32 (batch, max_blocks)");
        require_tensor(context_lens, CH_INT32, 1, "context_lens must be int32 (batch)");
        require_tensor(out, CH_FLOAT32, 3, "out must be float32 (batch, heads, head_dim)");
        for (uint32_t dim = 0; dim < 4; ++dim) {
            require(value_cache.shape(dim) == key_cache.shape(dim), "value_cache must have the shape of key_cache");
        }
        for (uint32_t dim = 0; dim < 3; ++dim) {
            require(out.shape(dim) == query.shape(dim), "out must have the shape of query");
        }
        require(key_cache.shape(3) == head_dim(), "query and key_cache must have the same head_dim");
        require(block_table.shape(0) == batch() && context_lens.shape(0) == batch(),
                "block_table and context_lens must have a row for each request");
        require(kv_heads() > 0 && heads() % kv_heads() == 0, "heads must be a multiple of kv_heads");
        require(0 < block_size() && block_size() <= kMaxBlockSize, "block_size must be 1 to %u", kMaxBlockSize);
        require(0 < head_dim() && head_dim() <= kMaxHeadDim, "head_dim must be 1 to %u", kMaxHeadDim);
    }

    uint32_t read_length(DeviceGraph& graph, uint32_t request) const {
        const auto tokens = graph.read<int32_t>(context_lens, {request});
        require(0 < tokens && uint64_t(tokens) <= uint64_t{max_blocks()} * block_size(),
                "request %u: context_len %d must be 1 to max_blocks * block_size", request, tokens);
        return static_cast<uint32_t>(tokens);
    }

    uint32_t read_block(DeviceGraph& graph, uint32_t request, uint32_t index) const {
        const auto block = graph.read<int32_t>(block_table, {request, index});
        require(0 <= block && uint32_t(block) < total_blocks(), "request %u: block %d is not in the cache", request,
                block);
        return static_cast<uint32_t>(block);
    }

    void add_tile(DeviceGraph& graph, const Tile& tile) const {
        const TensorSpec per_head(CH_FLOAT32, {tile.heads}), per_element(CH_FLOAT32, {tile.heads, head_dim()});
        const TensorSpec block_scores(CH_FLOAT32, {tile.heads, block_size()});
        const TensorSpec block_weights(CH_FLOAT16, {tile.heads, block_size()});
        const auto q = query.view({1, tile.heads, head_dim()}, {tile.request, tile.first_head, 0});
        const auto tile_out = out.view({1, tile.heads, head_dim()}, {tile.request, tile.first_head, 0});

        const auto scope = graph.scope();
        const auto start =
            graph.submit(Task(chiphost::AIV, kStart).output(per_head).output(per_head).output(per_element));
        const auto m = start.output(0), l = start.output(1), o = start.output(2);

        for (uint32_t first_token = 0; first_token < tile.tokens; first_token += block_size()) {
            const uint32_t left = tile.tokens - first_token;
            const uint32_t tokens = left < block_size() ? left : block_size();
            const bool is_last = left <= block_size();
            const uint32_t block = read_block(graph, tile.request, first_token / block_size());
            const auto in_block = [&](const DeviceTensor& cache) {
                return cache.view({1, block_size(), 1, head_dim()}, {block, 0, tile.kv_head, 0});
            };

            const auto query_key =
                graph.submit(Task(chiphost::AIC, kQueryKey).input(q).input(in_block(key_cache)).output(block_scores));
            const auto scores = query_key.output(0).view({tile.heads, tokens}, {0, 0});

            const auto softmax = graph.submit(Task(chiphost::AIV, kSoftmaxBlock)
                                                  .input(scores)
                                                  .output(block_weights)
                                                  .output(per_head)
                                                  .output(per_head)
                                                  .scalar(scale));
            const auto weights = softmax.output(0), block_m = softmax.output(1), block_l = softmax.output(2);

            const auto product = graph.submit(
                Task(chiphost::AIC, kProbabilityValue).input(weights).input(in_block(value_cache)).output(per_element));

            Task update(chiphost::AIV, kOnlineUpdate);
            update.input(block_m).input(block_l).input(product.output(0));
            update.inout(m).inout(l).inout(o).inout(tile_out).scalar(is_last);
            graph.submit(update);
        }
    }
};

}  // namespace

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const Attention attention(args);
    attention.check();
    const uint32_t group = attention.heads() / attention.kv_heads();  // heads that use the same keys

    for (uint32_t request = 0; request < attention.batch(); ++request) {
        const uint32_t tokens = attention.read_length(graph, request);
        for (uint32_t head = 0; head < attention.heads();) {
            const uint32_t left_in_group = group - head % group;
            const uint32_t tile_heads = left_in_group < kMaxTileHeads ? left_in_group : kMaxTileHeads;
            attention.add_tile(graph, {request, tokens, head, tile_heads, head / group});
            head += tile_heads;
        }
    }
    return 0;
}
