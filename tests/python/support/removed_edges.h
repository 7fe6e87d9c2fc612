// SPDX-License-Identifier: Apache-2.0
//
// Included before an orchestration whose entry is renamed to chiphost_test_entry: the entry that is left calls it with a
// graph that forgets one edge. CHIPHOST_TEST_REMOVE says which, counted from 0; CHIPHOST_TEST_LOG names a file that gets
// a line for everything the orchestration does. The orchestration must share the process's C library.
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include <vector>

namespace removed_edges {

inline long number_of_removed() {
    const char* text = getenv("CHIPHOST_TEST_REMOVE");
    return text && *text ? strtol(text, nullptr, 10) : -1;
}

struct Log {
    FILE* file = nullptr;
    long removed = number_of_removed();
    long count = 0;  // of edges so far

    Log() {
        const char* path = getenv("CHIPHOST_TEST_LOG");
        if (path && *path) file = fopen(path, "w");
    }
    ~Log() {
        if (file) fclose(file);
    }
    template <typename... Values>
    void line(const char* format, Values... values) {
        if (file) fprintf(file, format, values...);
    }
    // True if the next edge is the one to be removed.
    bool remove_next() { return count++ == removed; }
};

inline Log*& log() {
    static Log* current = nullptr;
    return current;
}

}  // namespace removed_edges

#ifdef CHIPHOST_TEST_HOST_GRAPH

#include <chiphost/host_build_graph.h>

namespace removed_edges {

inline const ch_host_graph_ops*& original() {
    static const ch_host_graph_ops* ops = nullptr;
    return ops;
}

inline void log_words(int32_t func_id, const uint64_t* words, uint32_t count) {
    log()->line("task %d", func_id);
    for (uint32_t i = 0; i < count; ++i) log()->line(" %llu", static_cast<unsigned long long>(words[i]));
    log()->line("\n");
}

struct Graph {
    explicit Graph(ch_host_graph* raw) : raw_(raw), ops_(*raw->ops) {
        original() = raw->ops;
        ops_.add_task = [](ch_host_graph* graph, const uint64_t* args, uint32_t count, int32_t func_id, int32_t type) {
            log_words(func_id, args, count);
            return original()->add_task(graph, args, count, func_id, type);
        };
        ops_.add_tensor_task = [](ch_host_graph* graph, const ch_host_argument* args, uint32_t count, int32_t func_id,
                                  int32_t type) {
            std::vector<uint64_t> words;
            for (uint32_t i = 0; i < count; ++i) {
                words.push_back(args[i].is_tensor ? args[i].tensor->address : args[i].word);
            }
            log_words(func_id, words.data(), count);
            return original()->add_tensor_task(graph, args, count, func_id, type);
        };
        ops_.add_successor = [](ch_host_graph* graph, int32_t from, int32_t to) {
            log()->line("edge %d %d\n", from, to);
            return log()->remove_next() ? 0 : original()->add_successor(graph, from, to);
        };
        ops_.device_malloc = [](ch_host_graph* graph, uint64_t bytes) {
            const uint64_t address = original()->device_malloc(graph, bytes);
            log()->line("memory %llu %llu\n", static_cast<unsigned long long>(address),
                        static_cast<unsigned long long>(bytes));
            return address;
        };
        raw->ops = &ops_;
    }
    ~Graph() { raw_->ops = original(); }

    ch_host_graph* const raw_;
    ch_host_graph_ops ops_;
};

}  // namespace removed_edges

extern "C" int32_t chiphost_test_entry(ch_host_graph* graph, const ch_task_args* args);

extern "C" __attribute__((visibility("default"))) int32_t CHIPHOST_TEST_ENTRY(ch_host_graph* graph,
                                                                              const ch_task_args* args) {
    removed_edges::Log log;
    removed_edges::log() = &log;
    const removed_edges::Graph changed(graph);
    return chiphost_test_entry(graph, args);
}

#else

#include <chiphost/device_graph.h>

namespace removed_edges {

inline const ch_device_graph_ops*& original() {
    static const ch_device_graph_ops* ops = nullptr;
    return ops;
}

inline void log_tensor(uint32_t role, const ch_device_tensor& tensor) {
    log()->line(" %u:%lld:%u:%llu:%u", role, static_cast<long long>(tensor.owner), tensor.number,
                static_cast<unsigned long long>(tensor.address - tensor.buffer), ch_dtype_bytes(tensor.dtype));
    for (uint32_t dim = 0; dim < tensor.ndims; ++dim) log()->line(":%u*%u", tensor.shape[dim], tensor.stride[dim]);
}

// Removes what is to be removed. A tensor counts if edges may be inferred from it, and then stays without them.
inline int32_t submit(ch_device_graph* graph, const ch_task_spec* spec, ch_task_result* out_result) {
    ch_task_spec changed = *spec;
    std::vector<ch_task_tensor> tensors(spec->tensors, spec->tensors + spec->tensor_count);
    std::vector<int64_t> after;
    for (uint32_t i = 0; i < spec->after_count; ++i) {
        if (!log()->remove_next()) after.push_back(spec->after[i]);
    }
    for (ch_task_tensor& tensor : tensors) {
        if (tensor.role == CH_ROLE_OUTPUT || tensor.role == CH_ROLE_NO_DEP) continue;
        if (log()->remove_next()) tensor.role = CH_ROLE_NO_DEP;
    }
    changed.tensors = tensors.data();
    changed.after = after.data();
    changed.after_count = static_cast<uint32_t>(after.size());
    const int32_t failed = original()->submit(graph, &changed, out_result);
    log()->line("task %lld %u after", static_cast<long long>(out_result->id), spec->block_num);
    for (uint32_t i = 0; i < spec->after_count; ++i) log()->line(" %lld", static_cast<long long>(spec->after[i]));
    log()->line(" tensors");
    uint32_t outputs = 0;
    for (uint32_t i = 0; failed == 0 && i < spec->tensor_count; ++i) {
        const ch_task_tensor& tensor = spec->tensors[i];
        const bool made = tensor.role == CH_ROLE_OUTPUT;
        log_tensor(tensor.role, made ? out_result->outputs[outputs++] : *tensor.tensor);
    }
    log()->line("\n");
    return failed;
}

inline void log_element(const ch_device_tensor& tensor, const uint32_t* indices, bool write) {
    ch_device_tensor element = tensor;
    for (uint32_t dim = 0; dim < tensor.ndims; ++dim) {
        element.address += uint64_t{indices[dim]} * tensor.stride[dim] * ch_dtype_bytes(tensor.dtype);
    }
    element.ndims = 0;
    log()->line("element");
    log_tensor(write ? CH_ROLE_INOUT : CH_ROLE_INPUT, element);
    log()->line("\n");
}

struct Graph {
    explicit Graph(ch_device_graph* raw) : raw_(raw), ops_(*raw->ops) {
        original() = raw->ops;
        ops_.submit = submit;
        ops_.add_dependency = [](ch_device_graph* graph, int64_t producer, int64_t consumer) {
            log()->line("edge %lld %lld\n", static_cast<long long>(producer), static_cast<long long>(consumer));
            return log()->remove_next() ? 0 : original()->add_dependency(graph, producer, consumer);
        };
        ops_.scope_begin = [](ch_device_graph* graph, int32_t mode) {
            log()->line("scope %d\n", mode);
            return original()->scope_begin(graph, mode);
        };
        ops_.scope_end = [](ch_device_graph* graph) {
            log()->line("end\n");
            return original()->scope_end(graph);
        };
        ops_.get_element = [](ch_device_graph* graph, const ch_device_tensor* tensor, const uint32_t* indices,
                              uint64_t* out_bits) {
            log_element(*tensor, indices, false);
            return original()->get_element(graph, tensor, indices, out_bits);
        };
        ops_.set_element = [](ch_device_graph* graph, const ch_device_tensor* tensor, const uint32_t* indices,
                              uint64_t bits) {
            log_element(*tensor, indices, true);
            return original()->set_element(graph, tensor, indices, bits);
        };
        raw->ops = &ops_;
    }
    ~Graph() { raw_->ops = original(); }

    ch_device_graph* const raw_;
    ch_device_graph_ops ops_;
};

}  // namespace removed_edges

extern "C" int32_t chiphost_test_entry(ch_device_graph* graph, const ch_device_args* args);

extern "C" __attribute__((visibility("default"))) int32_t CHIPHOST_TEST_ENTRY(ch_device_graph* graph,
                                                                              const ch_device_args* args) {
    removed_edges::Log log;
    removed_edges::log() = &log;
    const removed_edges::Graph changed(graph);
    return chiphost_test_entry(graph, args);
}

#endif
