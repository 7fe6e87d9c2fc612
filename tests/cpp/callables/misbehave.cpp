// SPDX-License-Identifier: Apache-2.0
//
// An orchestration that does one thing wrong; scalar 0 says which. Tensor 0 is an int32 output.
#include <stdexcept>

#include <chiphost/host_build_graph.h>

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const auto out = args.tensor(0);
    const auto device = graph.copy_out(out);
    switch (args.scalar<int32_t>(0)) {
        case 0:
            return 0;  // nothing wrong: an empty graph
        case 1:
            return -7;
        case 2:
            throw std::runtime_error("the orchestration's own words");
        case 3:
            graph.add_task(chiphost::AIV, 1024, {});
            return 0;
        case 4:
            graph.add_task(chiphost::AIV, -1, {});
            return 0;
        case 5:
            graph.add_task(chiphost::AIV, 9, {});  // no such kernel
            return 0;
        case 6:
            graph.add_task(static_cast<ch_core_type>(2), 0, {});
            return 0;
        case 7:
            graph.add_task(chiphost::AIC, 1, {});  // kernel 1 is for AIV
            return 0;
        case 8: {
            const auto task = graph.add_task(chiphost::AIV, 1, {});
            graph.add_successor(task, task + 1);
            return 0;
        }
        case 9: {
            chiphost::Word words[CH_MAX_TASK_ARGS + 1] = {
                // All words are the same.
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
            graph.add_task(chiphost::AIV, 1, words, CH_MAX_TASK_ARGS + 1);
            return 0;
        }
        case 10: {
            const auto a = graph.add_task(chiphost::AIV, 1, {}), b = graph.add_task(chiphost::AIV, 1, {}),
                       c = graph.add_task(chiphost::AIV, 1, {});
            graph.add_successor(a, b);
            graph.add_successor(b, c);
            graph.add_successor(c, b);
            return 0;
        }
        case 11:
            graph.device_malloc(uint64_t{1} << 60);
            return 0;
        case 12:
            graph.copy_to_device(device + out.bytes(), out.address(), 4);  // just beyond the end
            return 0;
        case 13:
            graph.record_tensor_pair(static_cast<char*>(out.address()) + 4, device, out.bytes());
            return 0;
        case 14:
            graph.device_free(device + 4);
            return 0;
        case 15:
            graph.device_free(device);  // it is to be copied out after the run
            return 0;
        case 16:
            throw 5;
        case 17:
            for (;;) {
                if (__atomic_load_n(out.data<int32_t>(), __ATOMIC_ACQUIRE) == 1) return 0;
            }
        case 18:
            graph.add_task(chiphost::AIV, 1024, {});
            return -7;  // the first error counts
        default:
            return args.tensor(3).ndims() == 0;  // there is no such tensor
    }
}
