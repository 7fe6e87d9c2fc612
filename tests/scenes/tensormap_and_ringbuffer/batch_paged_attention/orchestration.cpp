// SPDX-License-Identifier: Apache-2.0
//
// Paged attention, several requests to a task. What is computed is said in ../paged_attention/orchestration.cpp. There
// every block of every request has four tasks; here the i-th blocks of up to 16 requests, a chunk, share them:
//
//                                                                start
//                                                                  |
//    query_key -> softmax_block -> probability_value -> online_update    first block of each request
//                                                                  |
//    query_key -> softmax_block -> probability_value -> online_update    second block
//                                                                  |
//
// There are as many steps as the longest request of the chunk has blocks. Kernels look up themselves which block they
// need, and leave out requests that have ended. The orchestration reads the lengths, to know the number of steps.
//
// out is marked manual_dep: no edges are inferred from it. The updates of a tile are ordered by m, l and o already, and
// those of different tiles write different parts of it.
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

constexpr uint32_t kMaxChunk = 16;  // requests
constexpr uint32_t kMaxTileHeads = 128;

void require_tensor(const DeviceTensor& tensor, ch_dtype dtype, uint32_t ndims, const char* message) {
    require(tensor.dtype() == dtype && tensor.ndims() == ndims, "%s", message);
}

// Up to 128 heads that use the same keys, of up to 16 requests.
struct Tile {
    uint32_t first_request, requests, steps;
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
          out(args.tensor(5).manual_dep()),
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

    // The number of a request's blocks. Kernels use their numbers without a check, so they are checked here.
    uint32_t count_blocks(DeviceGraph& graph, uint32_t request) const {
        const auto tokens = graph.read<int32_t>(context_lens, {request});
        require(0 < tokens && uint64_t(tokens) <= uint64_t{max_blocks()} * block_size(),
                "request %u: context_len %d must be 1 to max_blocks * block_size", request, tokens);
        const uint32_t blocks = (uint32_t(tokens) + block_size() - 1) / block_size();
        for (uint32_t i = 0; i < blocks; ++i) {
            const auto block = graph.read<int32_t>(block_table, {request, i});
            require(0 <= block && uint32_t(block) < total_blocks(), "request %u: block %d is not in the cache", request,
                    block);
        }
        return blocks;
    }

    void add_tile(DeviceGraph& graph, const Tile& tile) const {
        const TensorSpec per_head(CH_FLOAT32, {tile.requests, tile.heads});
        const TensorSpec per_element(CH_FLOAT32, {tile.requests, tile.heads, head_dim()});
        const TensorSpec step_scores(CH_FLOAT32, {tile.requests, tile.heads, block_size()});
        const TensorSpec step_weights(CH_FLOAT16, {tile.requests, tile.heads, block_size()});
        const auto of_tile = [&](const DeviceTensor& tensor) {
            return tensor.view({tile.requests, tile.heads, head_dim()}, {tile.first_request, tile.first_head, 0});
        };
        const auto of_kv_head = [&](const DeviceTensor& cache) {
            return cache.view({total_blocks(), block_size(), 1, head_dim()}, {0, 0, tile.kv_head, 0});
        };
        const auto lens = context_lens.view({tile.requests}, {tile.first_request});

        const auto scope = graph.scope();
        const auto start =
            graph.submit(Task(chiphost::AIV, kStart).output(per_head).output(per_head).output(per_element));
        const auto m = start.output(0), l = start.output(1), o = start.output(2);

        for (uint32_t step = 0; step < tile.steps; ++step) {
            const auto first_token = static_cast<int32_t>(step * block_size());
            const auto blocks = block_table.view({tile.requests, 1}, {tile.first_request, step});

            Task query_key(chiphost::AIC, kQueryKey);
            query_key.input(of_tile(query)).input(of_kv_head(key_cache)).input(blocks).input(lens);
            query_key.output(step_scores).scalar(first_token);
            const auto scores = graph.submit(query_key).output(0);

            Task softmax_block(chiphost::AIV, kSoftmaxBlock);
            softmax_block.input(scores).input(lens);
            softmax_block.output(step_weights).output(per_head).output(per_head).scalar(first_token).scalar(scale);
            const auto softmax = graph.submit(softmax_block);
            const auto weights = softmax.output(0), step_m = softmax.output(1), step_l = softmax.output(2);

            Task probability_value(chiphost::AIC, kProbabilityValue);
            probability_value.input(weights).input(of_kv_head(value_cache)).input(blocks).input(lens);
            probability_value.output(per_element).scalar(first_token);
            const auto step_o = graph.submit(probability_value).output(0);

            Task update(chiphost::AIV, kOnlineUpdate);
            update.input(step_m).input(step_l).input(step_o);
            update.inout(m).inout(l).inout(o).inout(of_tile(out)).scalar(step + 1 == tile.steps);
            graph.submit(update);
        }
    }
};

}  // namespace

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const Attention attention(args);
    attention.check();
    const uint32_t group = attention.heads() / attention.kv_heads();  // heads that use the same keys

    for (uint32_t request = 0; request < attention.batch(); request += kMaxChunk) {
        const uint32_t left = attention.batch() - request;
        const uint32_t chunk = left < kMaxChunk ? left : kMaxChunk;
        uint32_t steps = 0;
        for (uint32_t i = 0; i < chunk; ++i) {
            const uint32_t blocks = attention.count_blocks(graph, request + i);
            steps = blocks > steps ? blocks : steps;
        }
        for (uint32_t head = 0; head < attention.heads();) {
            const uint32_t left_in_group = group - head % group;
            const uint32_t tile_heads = left_in_group < kMaxTileHeads ? left_in_group : kMaxTileHeads;
            attention.add_tile(graph, {request, chunk, steps, head, tile_heads, head / group});
            head += tile_heads;
        }
    }
    return 0;
}
