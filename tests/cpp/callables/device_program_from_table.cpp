// SPDX-License-Identifier: Apache-2.0
//
// An orchestration on the AICPU that does whatever the test describes.
//
// Tensors: program int32 (n, 6), data int64 (m). A line of the program: what to do, then its operands.
//   0 core_type read_at read_count write_at write_count   a task that mixes elements of data into others
//   1 mode                                                begins a scope
//   2                                                     ends the innermost scope
//   3 from to                                             data[to] = data[from] + 1, by the orchestration itself
//   4 read_at read_count                                  a task that makes a tensor of 8 elements out of some of data
//   5 write_at write_count                                a task that mixes the tensor made last into some of data
//   6 code                                                ends the run with an error
//   7                                                     throws
//   8 core_type                                           a task that never ends
#include <chiphost/device_graph.h>

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto program = args.tensor(0), data = args.tensor(1);
    const auto* line = reinterpret_cast<const int32_t*>(program.address());
    chiphost::DeviceTensor made;
    int64_t number = 0;
    const auto part = [&](int32_t at, int32_t count) {
        return data.view({static_cast<uint32_t>(count)}, {static_cast<uint32_t>(at)});
    };
    for (uint32_t i = 0; i < program.shape(0); ++i, line += 6) {
        const auto index = [&](int operand) { return static_cast<uint32_t>(line[operand]); };
        switch (line[0]) {
            case 0:
                graph.submit(chiphost::Task(static_cast<ch_core_type>(line[1]), line[1])
                                 .input(part(line[2], line[3]))
                                 .inout(part(line[4], line[5]))
                                 .scalar(++number));
                break;
            case 1:
                graph.scope_begin(static_cast<ch_scope_mode>(line[1]));
                break;
            case 2:
                graph.scope_end();
                break;
            case 3:
                graph.write<int64_t>(data, {index(2)}, graph.read<int64_t>(data, {index(1)}) + 1);
                break;
            case 4:
                made = graph
                           .submit(chiphost::Task(chiphost::AIV, 1)
                                       .input(part(line[1], line[2]))
                                       .output(chiphost::TensorSpec(CH_INT64, {8}).initial(int64_t{7}))
                                       .scalar(++number))
                           .output(0);
                break;
            case 5:
                graph.submit(
                    chiphost::Task(chiphost::AIC, 0).input(made).inout(part(line[1], line[2])).scalar(++number));
                break;
            case 6:
                graph.fail(line[1], "the program says so");
            case 7:
                chiphost::require(false, "the program throws");
                break;
            default:
                graph.submit(chiphost::Task(static_cast<ch_core_type>(line[1]), 2 + line[1]).inout(data));
                break;
        }
    }
    return 0;
}
