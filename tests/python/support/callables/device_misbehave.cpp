// SPDX-License-Identifier: Apache-2.0
//
// An orchestration on the AICPU that does one thing wrong; tensor 1, a text, names it. test_device_errors.py knows the
// results. Tensor 0 is an int32 vector of 64 elements. Deeds that the C++ interface itself refuses are done with the
// table of functions.
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <vector>

#include <chiphost/device_graph.h>

using chiphost::AIC;
using chiphost::AIV;
using chiphost::DeviceArgs;
using chiphost::DeviceGraph;
using chiphost::DeviceTensor;
using chiphost::Task;
using chiphost::TaskId;
using chiphost::TensorSpec;

namespace {

// The numbers that device_faults.py gives the kernels.
enum FuncId : int32_t {
    kTouch,
    kTouchOnAic,
    kThrow,
    kThrowNumber,
    kNeverReturn,
    kPopOnAic,
    kPopOnAiv,
    kMissing,
    kWaitForAiv1,
    kWaitForFlag,
    kSpin,
    kMeet
};

struct Raw {
    explicit Raw(ch_device_graph* graph) : graph(graph) {}

    // One AIV task with this one argument.
    int32_t submit(const ch_task_tensor& argument) {
        ch_task_spec spec = plain();
        spec.tensors = &argument;
        spec.tensor_count = 1;
        return submit(spec);
    }
    int32_t submit(const ch_task_spec& spec) {
        ch_task_result result{-1, nullptr, 0, 0};
        return graph->ops->submit(graph, &spec, &result);
    }
    static ch_task_spec plain() {
        ch_task_spec spec{};
        spec.struct_bytes = sizeof spec;
        spec.func_id[0] = spec.func_id[2] = -1;
        spec.func_id[1] = kTouch;
        spec.block_num = 1;
        return spec;
    }
    // Changes a tensor and submits it as an input.
    template <typename Change>
    int32_t submit_changed(const DeviceTensor& tensor, Change&& change) {
        ch_device_tensor raw = tensor.raw();
        change(raw);
        ch_task_tensor argument{};
        argument.role = CH_ROLE_INPUT;
        argument.tensor = &raw;
        return submit(argument);
    }

    ch_device_graph* graph;
};

Task touch(const DeviceTensor& out) {
    return Task(AIV, kTouch).inout(out);
}

TensorSpec kilobyte() {
    return TensorSpec(CH_UINT8, {1024});
}

// A tensor of a scope that has ended.
DeviceTensor expired(DeviceGraph& graph, const DeviceTensor& out) {
    const auto scope = graph.scope();
    return graph.submit(Task(AIV, kTouch).inout(out).output(chiphost::like(out))).output(0);
}

int32_t misbehave(const std::string& what, ch_device_graph* raw_graph, DeviceGraph& graph, const DeviceArgs& args) {
    const auto out = args.tensor(0);
    Raw raw(raw_graph);
    const auto is = [&](const char* name) { return what == name; };

    if (is("nothing")) return 0;
    if (is("reads for ever")) {
        for (;;) graph.read<int32_t>(args.tensor(0), {0});
    }
    if (is("writes for ever")) {
        for (;;) graph.write<int32_t>(args.tensor(0), {0}, 1);
    }
    if (is("opens scopes for ever")) {
        for (;;) const auto scope = graph.scope();
    }
    if (is("asks for ever")) {
        while (!graph.failed()) {
        }
        return 0;
    }
    if (is("asks until a kernel has thrown")) {
        graph.submit(Task(AIV, kThrow).no_dep(args.tensor(0)));
        while (!graph.failed()) {
        }
        return 0;
    }
    if (is("a long way round the heap")) {
        for (int i = 0; i < 8000; ++i) {
            const auto scope = graph.scope();
            // One after the other, so that the ring is never empty.
            graph.submit(Task(AIV, kTouch).inout(args.tensor(0)).output(TensorSpec(CH_INT32, {2048}).initial(1)));
        }
        return 0;
    }
    if (is("fails when it is stopped")) {
        try {
            for (;;) graph.read<int32_t>(args.tensor(0), {0});
        } catch (...) {
            graph.fail(7, "this is not why");
        }
    }
    if (is("a task after a kernel that throws")) {
        const TaskId thrower = graph.submit(Task(AIV, kThrow).no_dep(args.tensor(0))).id();
        graph.submit(Task(AIV, kNeverReturn).no_dep(args.tensor(0)).after(thrower));
        return 0;
    }
    if (is("an output asked for after its scope")) {
        chiphost::SubmittedTask kept{ch_task_result{}};
        for (int i = 0; i < 2; ++i) {
            const auto scope = graph.scope();
            const auto made = graph.submit(Task(AIV, kTouch).output(TensorSpec(CH_INT32, {4}).initial(0)));
            if (i == 0) kept = made;
            if (i == 1) graph.submit(Task(AIV, kTouch).inout(kept.output(0)));
            // Gives the first task time to complete, so that its place is free again.
            for (int wait = 0; wait < 2000; ++wait) graph.failed();
        }
        return 0;
    }
    if (is("edges from tasks that have completed")) {
        Task last(AIV, kTouch);
        last.inout(args.tensor(0));
        for (int i = 0; i < 5; ++i) {
            last.after(graph.submit(Task(AIV, kTouch).inout(args.tensor(0))).id());
            graph.read<int32_t>(args.tensor(0), {0});
        }
        graph.submit(last);
        return 0;
    }
    if (is("an element of an argument, after its scope")) {
        {
            const auto scope = graph.scope();
            graph.submit(Task(AIV, kTouch).inout(args.tensor(0)));
        }
        graph.write<int32_t>(args.tensor(0), {1}, graph.read<int32_t>(args.tensor(0), {0}) + 100);
        return 0;
    }
    if (is("empty scopes")) {
        for (int i = 0; i < 1000; ++i) {
            const auto outer = graph.scope();
            const auto inner = graph.scope(CH_SCOPE_MANUAL);
        }
        return 0;
    }
    if (is("63 scopes")) {
        for (int i = 0; i < 63; ++i) raw_graph->ops->scope_begin(raw_graph, CH_SCOPE_AUTO);
        graph.submit(touch(out));
        for (int i = 0; i < 63; ++i) raw_graph->ops->scope_end(raw_graph);
        return 0;
    }
    if (is("clusters")) {
        graph.write(out, {0}, graph.cluster_count());
        return 0;
    }

    // The rings.
    if (is("many tasks")) {
        for (int i = 0; i < 100; ++i) graph.submit(touch(out));
    } else if (is("many tasks, and goes on")) {
        for (int i = 0; i < 100; ++i) {
            try {
                graph.submit(touch(out));
            } catch (const std::exception&) {
            }
        }
        return graph.failed() ? 0 : 1;
    } else if (is("many buffers")) {
        for (int i = 0; i < 100; ++i) graph.submit(Task(AIV, kTouch).inout(out).output(kilobyte()));
    } else if (is("a large buffer")) {
        graph.submit(Task(AIV, kTouch).inout(out).output(TensorSpec(CH_UINT8, {1 << 20})));
    } else if (is("many tasks below a deep scope")) {
        const auto a = graph.scope(), b = graph.scope(), c = graph.scope();
        graph.submit(touch(out));
        for (int i = 0; i < 100; ++i) {
            const auto d = graph.scope();
            graph.submit(touch(out));
        }
    } else if (is("many predecessors")) {
        std::vector<TaskId> before;
        const auto scope = graph.scope(CH_SCOPE_MANUAL);
        for (int i = 0; i < 5; ++i) before.push_back(graph.submit(touch(out)).id());
        Task task = touch(out);
        for (const TaskId id : before) task.after(id);
        graph.submit(task);
    } else if (is("many edges")) {
        const auto scope = graph.scope(CH_SCOPE_MANUAL);
        TaskId before = graph.submit(touch(out)).id();
        for (int i = 0; i < 10; ++i) before = graph.submit(touch(out).after(before)).id();
    } else if (is("many added edges")) {
        const auto scope = graph.scope(CH_SCOPE_MANUAL);
        TaskId before = graph.submit(touch(out)).id();
        for (int i = 0; i < 10; ++i) {
            const TaskId task = graph.submit(touch(out)).id();
            graph.add_dependency(before, task);
            before = task;
        }
    } else if (is("many uses")) {
        for (int i = 0; i < 3; ++i) {
            Task task(AIV, kTouch);
            for (int use = 0; use < 30; ++use) task.input(out);
            graph.submit(task);
        }

        // Tasks.
    } else if (is("no kernel")) {
        graph.submit(Task::mixed(-1, -1, -1).inout(out));
    } else if (is("no blocks")) {
        graph.submit(touch(out).blocks(0));
    } else if (is("too many blocks")) {
        graph.submit(touch(out).blocks(0x7fffffff));
    } else if (is("func_id 1024")) {
        graph.submit(Task(AIV, 1024).inout(out));
    } else if (is("func_id -2")) {
        graph.submit(Task(AIV, -2).inout(out));
    } else if (is("kernel missing")) {
        graph.submit(Task(AIV, kMissing).inout(out));
    } else if (is("kernel of a mixed task missing")) {
        graph.submit(Task::mixed(kTouchOnAic, kTouch, kMissing).inout(out));
    } else if (is("AIV kernel on AIC")) {
        graph.submit(Task(AIC, kTouch).inout(out));
    } else if (is("AIC kernel on AIV")) {
        graph.submit(Task::mixed(-1, kTouch, kTouchOnAic).inout(out));
    } else if (is("33 tensors")) {
        std::vector<ch_task_tensor> tensors(33);
        for (auto& tensor : tensors) tensor = {CH_ROLE_INPUT, 0, {&out.raw()}};
        ch_task_spec spec = Raw::plain();
        spec.tensors = tensors.data();
        spec.tensor_count = 33;
        raw.submit(spec);
    } else if (is("129 scalars")) {
        const std::vector<uint64_t> scalars(129);
        ch_task_spec spec = Raw::plain();
        spec.scalars = scalars.data();
        spec.scalar_count = 129;
        raw.submit(spec);
    } else if (is("33 tensors in C++")) {
        Task task(AIV, kTouch);
        for (int i = 0; i < 33; ++i) task.input(out);
    } else if (is("a task of another version")) {
        ch_task_spec spec = Raw::plain();
        spec.struct_bytes = 8;
        raw.submit(spec);
    } else if (is("role 5")) {
        raw.submit(ch_task_tensor{5, 0, {&out.raw()}});
    } else if (is("no tensor")) {
        raw.submit(ch_task_tensor{CH_ROLE_INPUT, 0, {nullptr}});
    } else if (is("6 dimensions")) {
        raw.submit_changed(out, [](ch_device_tensor& tensor) { tensor.ndims = 6; });
    } else if (is("dtype 99")) {
        raw.submit_changed(out, [](ch_device_tensor& tensor) { tensor.dtype = 99; });
    } else if (is("a view beyond the buffer")) {
        raw.submit_changed(out, [](ch_device_tensor& tensor) { tensor.shape[0] = tensor.raw_shape[0] = 65; });
    } else if (is("a view beyond its array")) {
        raw.submit_changed(out, [](ch_device_tensor& tensor) { tensor.shape[0] = 65; });
    } else if (is("a view of other strides")) {
        raw.submit_changed(out, [](ch_device_tensor& tensor) { tensor.stride[0] = 2; });
    } else if (is("a view of dimensions that are none")) {
        raw.submit_changed(out, [](ch_device_tensor& tensor) { tensor.raw_dim[0] = 200; });
    } else if (is("a view before the buffer")) {
        raw.submit_changed(out, [](ch_device_tensor& tensor) { tensor.address -= 4; });
    } else if (is("a new tensor of 2^32 elements")) {
        graph.submit(Task(AIV, kTouch).inout(out).output(TensorSpec(CH_UINT8, {1 << 16, 1 << 16})));
    } else if (is("a new tensor beyond 2^64 bytes")) {
        graph.submit(Task(AIV, kTouch).inout(out).output(TensorSpec(CH_INT64, {1u << 31, 1u << 31})));
    } else if (is("a new tensor of dtype 99")) {
        ch_tensor_spec spec{};
        spec.dtype = 99;
        ch_task_tensor argument{};
        argument.role = CH_ROLE_OUTPUT;
        argument.spec = &spec;
        raw.submit(argument);
    } else if (is("a view in C++")) {
        (void)out.view({10}, {60});
    } else if (is("an output that is not there")) {
        (void)graph.submit(touch(out)).output(0);
    } else if (is("an argument that is not there")) {
        (void)args.tensor(2);

        // Scopes.
    } else if (is("a scope ends too often")) {
        raw_graph->ops->scope_end(raw_graph);
    } else if (is("a scope stays open")) {
        raw_graph->ops->scope_begin(raw_graph, CH_SCOPE_AUTO);
        graph.submit(touch(out));
    } else if (is("an automatic scope in a manual one")) {
        const auto outer = graph.scope(CH_SCOPE_MANUAL);
        const auto inner = graph.scope(CH_SCOPE_AUTO);
    } else if (is("scope mode 7")) {
        raw_graph->ops->scope_begin(raw_graph, 7);
    } else if (is("65 scopes")) {
        for (int i = 0; i < 64; ++i) raw_graph->ops->scope_begin(raw_graph, CH_SCOPE_AUTO);
    } else if (is("a tensor after its scope")) {
        graph.submit(Task(AIV, kTouch).input(expired(graph, out)));
    } else if (is("a view after its scope")) {
        graph.submit(Task(AIV, kTouch).no_dep(expired(graph, out).view({3}, {1})));
    } else if (is("an element after its scope")) {
        graph.read<int32_t>(expired(graph, out), {0});
    } else if (is("an element written after its scope")) {
        graph.write<int32_t>(expired(graph, out), {0}, 1);

        // Elements.
    } else if (is("an element of an open manual scope")) {
        const auto scope = graph.scope(CH_SCOPE_MANUAL);
        graph.read<int32_t>(graph.submit(Task(AIV, kTouch).output(chiphost::like(out))).output(0), {0});
    } else if (is("an element written in an open manual scope")) {
        const auto scope = graph.scope(CH_SCOPE_MANUAL);
        graph.submit(Task(AIV, kTouch).inout(out));
        graph.write<int32_t>(out, {0}, 1);
    } else if (is("an element behind an open manual scope")) {
        const auto outer = graph.scope(CH_SCOPE_MANUAL);
        const TaskId first = graph.submit(Task(AIV, kTouch).output(chiphost::like(out))).id();
        {
            const auto inner = graph.scope(CH_SCOPE_MANUAL);
            graph.submit(touch(out).after(first));
        }
        graph.read<int32_t>(out, {0});
    } else if (is("element 64")) {
        graph.read<int32_t>(out, {64});
    } else if (is("an element of 8 bytes")) {
        graph.read<int64_t>(out, {0});

        // Edges.
    } else if (is("an edge to an earlier task") || is("an edge to itself")) {
        const auto scope = graph.scope(CH_SCOPE_MANUAL);
        const TaskId first = graph.submit(touch(out)).id(), second = graph.submit(touch(out)).id();
        graph.add_dependency(second, is("an edge to itself") ? second : first);
    } else if (is("an edge from no task")) {
        const auto scope = graph.scope(CH_SCOPE_MANUAL);
        graph.add_dependency(TaskId(1000), graph.submit(touch(out)).id());
    } else if (is("an edge from task -1")) {
        const auto scope = graph.scope(CH_SCOPE_MANUAL);
        graph.add_dependency(TaskId(), graph.submit(touch(out)).id());
    } else if (is("an edge from ring 9")) {
        const auto scope = graph.scope(CH_SCOPE_MANUAL);
        graph.add_dependency(TaskId(int64_t{9} << 32), graph.submit(touch(out)).id());
    } else if (is("an edge to no task")) {
        const auto scope = graph.scope(CH_SCOPE_MANUAL);
        graph.add_dependency(graph.submit(touch(out)).id(), TaskId(1000));
    } else if (is("an edge to a task that may run")) {
        TaskId first, second;
        {
            const auto scope = graph.scope(CH_SCOPE_MANUAL);
            first = graph.submit(touch(out)).id();
            second = graph.submit(touch(out)).id();
        }
        graph.add_dependency(first, second);

        // The orchestration itself.
    } else if (is("fail")) {
        graph.submit(touch(out));
        graph.fail(-42, "100% of what %s says");
    } else if (is("fail twice")) {
        raw_graph->ops->report_fatal(raw_graph, 1, "first");
        raw_graph->ops->report_fatal(raw_graph, 2, "second");
        return 3;
    } else if (is("fail with 2,000 characters")) {
        graph.fail(1, (std::string(1999, 'x') + "!").c_str());
    } else if (is("fail at length")) {
        graph.fail(1, std::string(5000, 'x').c_str());
    } else if (is("return 77")) {
        graph.submit(touch(out));
        return 77;
    } else if (is("throw")) {
        const auto scope = graph.scope(CH_SCOPE_MANUAL);
        graph.submit(touch(out));
        throw std::runtime_error("what the orchestration says");
    } else if (is("throw a number")) {
        throw 5;
    } else if (is("never return")) {
        for (;;) usleep(1000);
    } else if (is("submit for ever")) {
        for (;;) {
            const auto scope = graph.scope();
            graph.submit(touch(out));
        }

        // Kernels.
    } else if (is("a kernel throws")) {
        graph.submit(Task(AIV, kThrow).inout(out));
    } else if (is("a kernel throws a number")) {
        graph.submit(Task(AIV, kThrowNumber).inout(out));
    } else if (is("a kernel throws while the orchestration submits")) {
        graph.submit(Task(AIV, kThrow).inout(out));
        for (int i = 0; i < 100000; ++i) graph.submit(touch(out));
    } else if (is("a kernel throws while the orchestration waits")) {
        graph.submit(Task(AIV, kThrow).inout(out));
        graph.read<int32_t>(out, {0});
    } else if (is("a kernel never returns")) {
        graph.submit(Task(AIV, kNeverReturn).inout(out));
    } else if (is("a kernel never returns, and the orchestration waits for an element")) {
        graph.submit(Task(AIV, kNeverReturn).inout(out));
        graph.read<int32_t>(out, {0});
    } else if (is("a tile that nobody pushes")) {
        graph.submit(Task::mixed(kPopOnAic, kTouch, -1).inout(out));
    } else if (is("cores that wait for each other")) {
        graph.submit(Task::mixed(kPopOnAic, kPopOnAiv, -1).inout(out));
        graph.submit(touch(out));
    } else if (is("an element of a task that waits for ever")) {
        graph.submit(Task::mixed(kPopOnAic, kPopOnAiv, -1).inout(out));
        graph.read<int32_t>(out, {0});
    } else if (is("three cores that wait for each other in a circle")) {
        graph.submit(Task::mixed(kPopOnAic, kWaitForAiv1, kPopOnAiv).inout(out));
    } else if (is("an element behind two tasks and a core that waits for ever")) {
        graph.submit(Task::mixed(kPopOnAic, kPopOnAiv, -1).inout(out));
        const auto made = graph.submit(Task(AIV, kTouch).inout(out).output(chiphost::like(out)));
        graph.read<int32_t>(made.output(0), {0});
    } else if (is("flags of two clusters") || is("flags of two clusters, without a pause")) {
        const int32_t kernel = is("flags of two clusters") ? kWaitForFlag : kSpin;
        for (int32_t own : {0, 1}) graph.submit(Task(AIC, kernel).no_dep(out).scalar(own).scalar(1 - own));
    } else if (is("a flag that nobody sets")) {
        graph.submit(Task(AIC, kWaitForFlag).no_dep(out).scalar(0).scalar(1));
    } else if (is("more blocks than cores that meet")) {
        graph.submit(Task(AIV, kMeet).inout(out).scalar(5).blocks(2 * graph.cluster_count() + 1));
    } else if (is("a mixed task that finds no cluster")) {
        graph.submit(Task(AIC, kWaitForFlag).no_dep(out).scalar(0).scalar(1));
        // Mixed tasks come first, so it is ready only when another core has run.
        const TaskId before = graph.submit(touch(out)).id();
        graph.submit(Task::mixed(kTouchOnAic, kTouch, -1).inout(out).after(before));
    } else if (is("after a task that was never submitted")) {
        graph.submit(touch(out).after(TaskId(1000)));
    } else if (is("hand over on one core")) {
        graph.submit(Task(AIV, kPopOnAiv).inout(out));
    } else {
        return 1000;
    }
    return 0;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int32_t build_graph(ch_device_graph* raw_graph,
                                                                      const ch_device_args* raw_args) {
    DeviceGraph graph(raw_graph);
    const DeviceArgs args(*raw_args);
    const DeviceTensor text = args.tensor(1);
    const std::string what(reinterpret_cast<const char*>(text.address()), text.bytes());
    return misbehave(what, raw_graph, graph, args);
}
