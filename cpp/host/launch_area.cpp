// SPDX-License-Identifier: Apache-2.0
#include "launch_area.h"

#include <stddef.h>

#include <vector>

#include "chiphost/align.h"
#include "chiphost/hand_over.h"
#include "graph/core_protocol.h"
#include "status/report.h"

namespace chiphost::host {

using core_protocol::Handshake;
using core_protocol::Payload;

namespace {

// Offsets in the area.
constexpr uint64_t launch_at = 0;
constexpr uint64_t status_at = align_up(sizeof(ch_launch));
constexpr uint64_t handshakes_at = status_at + align_up(sizeof(ch_launch_status));
constexpr uint64_t payloads_at(uint32_t cores) {
    return handshakes_at + cores * sizeof(Handshake);
}
constexpr uint64_t area_bytes(uint32_t cores) {
    return payloads_at(cores) + 2 * cores * sizeof(Payload);
}

// A status without the texts of its error, which only a launch with a fault has: most copies do without two kilobytes.
constexpr uint64_t status_head_bytes = offsetof(ch_launch_status, error.where);
constexpr ch_launch_status no_fault = {0, 0, 0, -1, {CH_OK, 0, -1, -1, -1, "", ""}};

}  // namespace

Status LaunchArea::prepare(const Setup& setup, uint64_t* out_launch, ch_error* out_error) {
    const uint32_t cores = setup.block_dim * 3;
    CH_TRY(memory_.reserve(area_bytes(cores), out_error));
    if (setup.hands_over) {
        const uint64_t bytes = setup.block_dim * sizeof(HandOverArea);
        CH_TRY(hand_over_.reserve_zeroed(bytes, out_error));
    }
    const uint64_t memory = memory_.address();
    ch_launch launch{};
    launch.format = CH_LAUNCH_FORMAT;
    launch.block_dim = setup.block_dim;
    launch.aicpu_thread_count = setup.aicpu_threads;
    launch.kernel_count = setup.kernel_count;
    launch.graph = setup.graph;
    launch.kernels = setup.kernels;
    launch.kernel_names = setup.kernel_names;
    launch.handshakes = memory + handshakes_at;
    launch.payloads = memory + payloads_at(cores);
    launch.status = memory + status_at;
    launch.hand_over = setup.hands_over ? hand_over_.address() : 0;
    const std::vector<char> no_handshakes(cores * sizeof(Handshake));
    CH_TRY(platform::copy_to_device(device_, memory, &launch, sizeof launch, out_error));
    CH_TRY(platform::copy_to_device(device_, launch.status, &no_fault, status_head_bytes, out_error));
    *out_launch = memory + launch_at;
    return platform::copy_to_device(device_, launch.handshakes, no_handshakes.data(), no_handshakes.size(), out_error);
}

Status LaunchArea::read_status(ch_launch_status* out_status, ch_error* out_error) {
    const uint64_t status = memory_.address() + status_at;
    CH_TRY(platform::copy_from_device(device_, out_status, status, status_head_bytes, out_error));
    if (out_status->error.code == CH_OK) return CH_OK;
    return platform::copy_from_device(device_, out_status, status, sizeof *out_status, out_error);
}

Status LaunchArea::fault_in(const ch_launch_status& status, ch_error* out_error) {
    if (status.error.code == CH_OK) return CH_OK;
    copy_record(status.error, out_error);
    if (!status.complete) {
        copy_text(out_error->where, sizeof out_error->where, "device");
        copy_text(out_error->message, sizeof out_error->message, "(the device did not get to say more)");
    }
    return out_error->code;
}

}  // namespace chiphost::host
