// SPDX-License-Identifier: Apache-2.0
//
// Builds any graph that the first tensor, a program of int32 words, describes. device_programs.py writes the programs
// and knows their results.
//
// Registers: tensors, at first the arguments from tensor 1 on, then what views and tasks make; tasks; one number, the
// accumulator, which elements that are read go into and which tasks get as their scalar. The last argument is the log,
// an int64 vector that element reads are written to.
#include <vector>

#include <chiphost/device_graph.h>

using chiphost::DeviceGraph;
using chiphost::DeviceTensor;
using chiphost::require;
using chiphost::Task;
using chiphost::TaskId;
using chiphost::TensorSpec;

namespace {

enum Op : int32_t {
    kView = 1,      // tensor, lengths, offsets
    kReshape,       // tensor, ndims, lengths
    kTranspose,     // tensor, dim, dim
    kManualDep,     // tensor
    kSubmit,        // see submit()
    kScopeBegin,    // mode
    kScopeEnd,      //
    kDependency,    // producer, consumer
    kRead,          // tensor, indices
    kWrite,         // tensor, indices, value
    kForgetTensors  // how many tensors are left; a scope's tensors go with it
};

class Interpreter {
public:
    Interpreter(DeviceGraph& graph, const chiphost::DeviceArgs& args)
        : graph_(graph), program_(args.tensor(0)), log_(args.tensor(args.tensor_count() - 1)) {
        for (uint32_t i = 1; i + 1 < args.tensor_count(); ++i) tensors_.push_back(args.tensor(i));
    }

    // Runs to the end of the program, or of the scope.
    void run() {
        const auto* words = reinterpret_cast<const int32_t*>(program_.address());
        const auto end = static_cast<uint32_t>(program_.elements());
        while (at_ < end) {
            const auto op = static_cast<Op>(words[at_++]);
            if (op == kScopeEnd) return;
            step(op, words);
        }
    }

private:
    void step(Op op, const int32_t* words) {
        const auto next = [&] { return words[at_++]; };
        const auto lengths = [&](uint32_t count) {
            std::vector<uint32_t> result(count);
            for (uint32_t& length : result) length = static_cast<uint32_t>(next());
            return result;
        };
        switch (op) {
            case kView: {
                const DeviceTensor& tensor = tensors_.at(next());
                const auto shape = lengths(tensor.ndims()), offset = lengths(tensor.ndims());
                tensors_.push_back(tensor.view(shape.data(), shape.size(), offset.data(), offset.size()));
                return;
            }
            case kReshape: {
                const DeviceTensor& tensor = tensors_.at(next());
                const auto shape = lengths(next());
                tensors_.push_back(tensor.reshape(shape.data(), shape.size()));
                return;
            }
            case kTranspose: {
                const DeviceTensor& tensor = tensors_.at(next());
                const auto dims = lengths(2);
                tensors_.push_back(tensor.transpose(dims[0], dims[1]));
                return;
            }
            case kManualDep:
                tensors_.push_back(DeviceTensor(tensors_.at(next())).manual_dep());
                return;
            case kSubmit:
                return submit(words);
            case kScopeBegin: {
                const auto scope = graph_.scope(static_cast<ch_scope_mode>(next()));
                return run();
            }
            case kScopeEnd:
                return;
            case kDependency: {
                const auto producer = tasks_.at(next()), consumer = tasks_.at(next());
                graph_.add_dependency(producer, consumer);
                return;
            }
            case kRead:
            case kWrite: {
                const DeviceTensor& tensor = tensors_.at(next());
                const auto indices = lengths(tensor.ndims());
                const int64_t value = op == kWrite ? next() : 0;
                if (tensor.dtype() == CH_INT64) return element<int64_t>(op, tensor, indices, value);
                return element<int32_t>(op, tensor, indices, value);
            }
            case kForgetTensors:
                tensors_.resize(next());
                return;
        }
        require(false, "device_graph_interpreter: no operation %d", op);
    }

    // core mask, blocks, constant, tensors, for each: role (9: new with initial value), 1 if the kernel writes,
    // register or dtype, ndims, lengths (, initial); number of predecessors, predecessors.
    //
    // The kernel gets the program from the core mask on as argument 0.
    void submit(const int32_t* words) {
        const uint32_t begin = at_;
        const auto next = [&] { return words[at_++]; };
        const int32_t cores = next(), blocks = next();
        next();  // the constant is the kernel's
        const auto used = [&](int32_t bit, int32_t func_id) { return cores & bit ? func_id : -1; };
        Task task = cores == 1   ? Task(chiphost::AIC, 0)
                    : cores == 2 ? Task(chiphost::AIV, 1)
                                 : Task::mixed(used(1, 0), used(2, 1), used(4, 1));
        task.blocks(static_cast<uint32_t>(blocks));
        const uint32_t rest = static_cast<uint32_t>(program_.elements()) - begin;
        task.no_dep(program_.view({rest}, {begin}));
        uint32_t outputs = 0;
        for (int32_t count = next(); count > 0; --count) {
            const int32_t role = next();
            next();  // skips the flag that tells the kernel to write
            if (role == CH_ROLE_OUTPUT || role == 9) {
                const auto dtype = static_cast<ch_dtype>(next());
                std::vector<uint32_t> shape(static_cast<size_t>(next()));
                for (uint32_t& length : shape) length = static_cast<uint32_t>(next());
                TensorSpec spec(dtype, shape.data(), shape.size());
                if (role == 9) {
                    const int32_t initial = next();
                    dtype == CH_INT64 ? spec.initial(int64_t{initial}) : spec.initial(initial);
                }
                task.output(spec);
                ++outputs;
                continue;
            }
            const DeviceTensor& tensor = tensors_.at(next());
            switch (role) {
                case CH_ROLE_INPUT:
                    task.input(tensor);
                    break;
                case CH_ROLE_INOUT:
                    task.inout(tensor);
                    break;
                case CH_ROLE_OUTPUT_EXISTING:
                    task.output(tensor);
                    break;
                default:
                    task.no_dep(tensor);
            }
        }
        for (int32_t count = next(); count > 0; --count) task.after(tasks_.at(next()));
        task.scalar(accumulator_);
        const auto submitted = graph_.submit(task);
        tasks_.push_back(submitted.id());
        for (uint32_t i = 0; i < outputs; ++i) tensors_.push_back(submitted.output(i));
    }

    template <typename T>
    void element(Op op, const DeviceTensor& tensor, const std::vector<uint32_t>& indices, int64_t value) {
        // DeviceGraph takes a list of indices that is written in the source.
        const auto access = [&](std::initializer_list<uint32_t> list) {
            if (op == kWrite) return graph_.write(tensor, list, static_cast<T>(value));
            const int64_t read = graph_.read<T>(tensor, list);
            accumulator_ = static_cast<int64_t>(static_cast<uint64_t>(accumulator_) * 31 + static_cast<uint64_t>(read));
            graph_.write(log_, {reads_++}, read);
        };
        switch (indices.size()) {
            case 0:
                return access({});
            case 1:
                return access({indices[0]});
            case 2:
                return access({indices[0], indices[1]});
            case 3:
                return access({indices[0], indices[1], indices[2]});
            case 4:
                return access({indices[0], indices[1], indices[2], indices[3]});
            default:
                return access({indices[0], indices[1], indices[2], indices[3], indices[4]});
        }
    }

    DeviceGraph& graph_;
    DeviceTensor program_, log_;
    uint32_t at_ = 0;
    uint32_t reads_ = 0;
    int64_t accumulator_ = 0;
    std::vector<DeviceTensor> tensors_;
    std::vector<TaskId> tasks_;
};

}  // namespace

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    Interpreter(graph, args).run();
    return 0;
}
