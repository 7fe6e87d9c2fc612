// SPDX-License-Identifier: Apache-2.0
#include "child_messages.h"

#include <string.h>

#include "status/report.h"

namespace chiphost::worker {

void TextWriter::add(std::string_view text) {
    const uint64_t bytes = text.size();
    bytes_.append(reinterpret_cast<const char*>(&bytes), sizeof bytes);
    bytes_.append(text);
    bytes_ += '\0';  // so that the reader may take it as a C string
}

std::string_view TextReader::next() {
    uint64_t bytes = 0;
    const auto left = static_cast<size_t>(end_ - at_);
    if (left >= sizeof bytes) memcpy(&bytes, at_, sizeof bytes);
    // What follows a text that is cut off is no text: the reader stays where it is.
    if (left < sizeof bytes + 1 || bytes >= left - sizeof bytes) return {};
    at_ += sizeof bytes;
    const std::string_view text(at_, bytes);
    at_ += bytes + 1;
    return text;
}

void write_callable(const ch_callable& callable, TextWriter* out_texts) {
    const auto add_binary = [&](const ch_binary& binary) {
        out_texts->add({static_cast<const char*>(binary.data), binary.bytes});
        out_texts->add(binary.key);
        out_texts->add(binary.name);
    };
    out_texts->add(callable.key);
    out_texts->add(callable.entry);
    add_binary(callable.orchestration);
    out_texts->add({reinterpret_cast<const char*>(&callable.kernel_count), sizeof callable.kernel_count});
    for (uint32_t i = 0; i < callable.kernel_count; ++i) {
        const uint32_t numbers[] = {callable.kernels[i].func_id, callable.kernels[i].core_type};
        out_texts->add({reinterpret_cast<const char*>(numbers), sizeof numbers});
        add_binary(callable.kernels[i].binary);
    }
}

StoredCallable::StoredCallable(std::string bytes) : bytes_(std::move(bytes)) {
    TextReader reader(bytes_.data(), bytes_.size());
    const auto next_binary = [&]() -> ch_binary {
        const std::string_view data = reader.next();
        const char* key = reader.next().data();
        return {data.data(), data.size(), key, reader.next().data()};
    };
    raw_.key = reader.next().data();
    raw_.entry = reader.next().data();
    raw_.orchestration = next_binary();
    memcpy(&raw_.kernel_count, reader.next().data(), sizeof raw_.kernel_count);
    for (uint32_t i = 0; i < raw_.kernel_count; ++i) {
        uint32_t numbers[2];
        memcpy(numbers, reader.next().data(), sizeof numbers);
        kernels_.push_back({numbers[0], numbers[1], next_binary()});
    }
    raw_.kernels = kernels_.data();
}

ch_callable StoredCallable::raw(uint32_t format) const {
    ch_callable callable = raw_;
    callable.format = format;
    return callable;
}

// Gives every tensor an offset.
void ArenaArguments::place_tensors(const ch_task_args& args, uint64_t* inout_end) {
    const auto data_of = [](const ch_tensor& tensor) { return reinterpret_cast<const void*>(tensor.data); };
    pieces_.clear();
    for (uint32_t i = 0; i < args.tensor_count; ++i) {
        if (const uint64_t bytes = ch_tensor_bytes(&args.tensors[i])) pieces_.add(data_of(args.tensors[i]), bytes);
    }
    pieces_.place(inout_end);
    tensors_.assign(args.tensor_count, 0);
    for (uint32_t i = 0; i < args.tensor_count; ++i) {
        if (ch_tensor_bytes(&args.tensors[i])) tensors_[i] = pieces_.offset_of(data_of(args.tensors[i]));
    }
}

Status ArenaArguments::write(isolate::SharedMemory& memory, const ch_callable& callable,
                             const isolate::KeptKeys::Place& place, const ch_task_args& args,
                             const ch_call_config& config, ch_error* out_error) {
    RunMessage message{};
    message.slot = place.slot;
    message.callable_sent = !place.kept;
    message.callable_format = callable.format;
    message.tensor_count = args.tensor_count;
    message.scalar_count = args.scalar_count;
    message.config = config;
    message.config.struct_bytes = sizeof message.config;
    message.tensors = isolate::ArenaPieces::aligned(sizeof message);
    message.scalars = message.tensors + args.tensor_count * sizeof(ch_tensor);
    message.callable = message.scalars + args.scalar_count * sizeof(uint64_t);
    if (!place.kept) {
        texts_ = {};
        write_callable(callable, &texts_);
        message.callable_bytes = texts_.bytes().size();
    }
    message.end = message.callable + message.callable_bytes;
    place_tensors(args, &message.end);

    if (const int failed = memory.reserve(message.end)) {
        return report(out_error, CH_HOST_MEMORY_EXHAUSTED, "shared memory",
                      "wanted %llu bytes for the arguments of a run: %s", static_cast<unsigned long long>(message.end),
                      strerror(failed));
    }
    memcpy(memory.at(0), &message, sizeof message);
    for (uint32_t i = 0; i < args.tensor_count; ++i) {
        ch_tensor tensor = args.tensors[i];
        tensor.data = tensors_[i];
        memcpy(memory.at<ch_tensor>(message.tensors) + i, &tensor, sizeof tensor);
    }
    if (args.scalar_count) memcpy(memory.at(message.scalars), args.scalars, args.scalar_count * sizeof(uint64_t));
    if (message.callable_bytes) memcpy(memory.at(message.callable), texts_.bytes().data(), message.callable_bytes);
    texts_ = {};
    pieces_.copy_in(memory);
    return CH_OK;
}

void ArenaArguments::read_back(isolate::SharedMemory& memory, const ch_task_args& args) const {
    for (uint32_t i = 0; i < args.tensor_count; ++i) {
        const ch_tensor& tensor = args.tensors[i];
        const uint64_t bytes = ch_tensor_bytes(&tensor);
        if (tensor.access == CH_IN || !bytes) continue;
        memcpy(reinterpret_cast<void*>(tensor.data), memory.at(tensors_[i]), bytes);
    }
}

}  // namespace chiphost::worker
