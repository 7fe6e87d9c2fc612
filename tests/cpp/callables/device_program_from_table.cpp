// SPDX-License-Identifier: Apache-2.0
//
// An orchestration on the AICPU that does whatever the test describes (device_program.h).
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
//   9 cores blocks read_at read_count write_at            a task of blocks on cores of a mask: 1 AIC, 2 AIV0, 4 AIV1
//   10 read_at write_at count                             a mixed task whose kernels hand tiles over
//   11 read_at rows columns column write_at               a task that mixes a column of some of data into an element
//   12 producer consumer                                  an edge between two tasks, counted from 0
//   13                                                    a mixed task that waits for a core that is not there
#include <chiphost/device_graph.h>

#include <vector>

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto program = args.tensor(0), data = args.tensor(1);
    const auto* line = reinterpret_cast<const int32_t*>(program.address());
    chiphost::DeviceTensor made;
    std::vector<chiphost::TaskId> tasks;
    const auto part = [&](int32_t at, int32_t count) {
        return data.view({static_cast<uint32_t>(count)}, {static_cast<uint32_t>(at)});
    };
    const auto submit = [&](chiphost::Task& task) {
        const auto submitted = graph.submit(task.scalar(static_cast<int64_t>(tasks.size() + 1)));
        tasks.push_back(submitted.id());
        return submitted;
    };
    for (uint32_t i = 0; i < program.shape(0); ++i, line += 6) {
        const auto index = [&](int operand) { return static_cast<uint32_t>(line[operand]); };
        switch (line[0]) {
            case 0:
                submit(chiphost::Task(static_cast<ch_core_type>(line[1]), line[1])
                           .input(part(line[2], line[3]))
                           .inout(part(line[4], line[5])));
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
                made = submit(chiphost::Task(chiphost::AIV, 1)
                                  .input(part(line[1], line[2]))
                                  .output(chiphost::TensorSpec(CH_INT64, {8}).initial(int64_t{7})))
                           .output(0);
                break;
            case 5:
                submit(chiphost::Task(chiphost::AIC, 0).input(made).inout(part(line[1], line[2])));
                break;
            case 6:
                graph.fail(line[1], "the program says so");
            case 7:
                chiphost::require(false, "the program throws");
                break;
            case 8:
                graph.submit(chiphost::Task(static_cast<ch_core_type>(line[1]), 2 + line[1]).inout(data));
                break;
            case 9:
                submit(chiphost::Task::mixed(line[1] & 1 ? 4 : -1, line[1] & 2 ? 5 : -1, line[1] & 4 ? 6 : -1)
                           .blocks(index(2))
                           .input(part(line[3], line[4]))
                           .inout(part(line[5], 3 * line[2])));
                break;
            case 10:
                submit(chiphost::Task::mixed(7, 8, 8).input(part(line[1], line[3])).inout(part(line[2], line[3])));
                break;
            case 11: {
                const uint32_t rows = index(2), columns = index(3);
                const auto turned = part(line[1], line[2] * line[3]).reshape({rows, columns}).transpose(0, 1);
                const auto column = turned.view({1, rows}, {index(4), 0}).transpose(0, 1);
                submit(chiphost::Task(chiphost::AIV, 1).input(column).inout(part(line[5], 1)));
                break;
            }
            case 12:
                graph.add_dependency(tasks.at(index(1)), tasks.at(index(2)));
                break;
            default:
                submit(chiphost::Task::mixed(7, 8, -1).input(part(0, 1)).inout(part(1, 1)));
                break;
        }
    }
    return 0;
}
