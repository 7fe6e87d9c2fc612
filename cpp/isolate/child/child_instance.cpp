// SPDX-License-Identifier: Apache-2.0
#include "child_instance.h"

#include <stdlib.h>
#include <string.h>

#include <algorithm>

#include "isolate/call_arguments.h"
#include "isolate/wait_time.h"
#include "library_messages.h"
#include "os/mapped_address_linux.h"
#include "status/report.h"

namespace chiphost::isolate {

namespace {

bool in_memory(const Parameter& parameter) {
    return parameter.type == Type::buffer || parameter.type == Type::text;
}

// The number of bytes of the caller's memory that an argument stands for.
uint64_t bytes_of(const Parameter& parameter, const Argument& argument) {
    if (!argument.data) return 0;
    return parameter.type == Type::text ? strlen(static_cast<const char*>(argument.data)) + 1 : argument.bytes;
}

}  // namespace

Status ChildInstance::open(const std::string& path, const Options& options, const Selection& selection,
                           const GoOn& go_on, std::shared_ptr<Instance>* out_instance, ch_error* out_error) {
    const std::shared_ptr<ChildInstance> instance(new ChildInstance(path, options, selection));
    CH_TRY(instance->load(go_on, out_error));
    *out_instance = instance;
    return CH_OK;
}

Status ChildInstance::load(const GoOn& go_on, ch_error* out_error) {
    const Wait wait{options().timeout, go_on};
    const WaitTime time(wait);
    const TurnLock turn(state_, time, out_error);
    CH_TRY(turn.status());
    CH_TRY(ChildProcess::start(options().child_path, &child_, out_error));
    process_id_ = child_->id();
    const OpenLibrary message{options().stack_bytes, options().default_lookup};
    std::string bytes(reinterpret_cast<const char*>(&message), sizeof message);
    return ask(ChildVerb::open_library, bytes + path(), time, path(), out_error);
}

ChildInstance::~ChildInstance() {
    if (state_.inherited() || !child_) return;
    CloseResult ignored;
    ch_error error = no_error();
    static_cast<void>(close({options().timeout, {}}, &ignored, &error));  // nobody is there to be told
}

void ChildInstance::end_child() {
    child_.reset();
    process_id_ = -1;
}

// Posts a verb whose message ends with a text, and waits for its answer.
Status ChildInstance::ask(ChildVerb verb, const std::string& text, const WaitTime& time, const std::string& where,
                          ch_error* out_error) {
    SharedMemory& memory = child_->memory();
    if (const int failed = memory.reserve(text.size() + 1)) {
        return report(out_error, CH_HOST_MEMORY_EXHAUSTED, "shared memory", "%s", strerror(failed));
    }
    memcpy(memory.at(0), text.c_str(), text.size() + 1);
    child_->post(verb);
    CH_TRY(await(time, where, out_error));
    if (memory.control().code == CH_OK) return CH_OK;
    return copy_record(memory.control().error, out_error);
}

// Words for what the child was doing when it came to its end.
const char* ChildInstance::doing() {
    SharedMemory& memory = child_->memory();
    const auto unless_begun = [](const uint32_t& begun, const char* doing) {
        return __atomic_load_n(&begun, __ATOMIC_ACQUIRE) ? doing : "no call was under way";
    };
    switch (static_cast<ChildVerb>(memory.control().verb)) {
        case ChildVerb::open_library:
            return "its constructors ran";
        case ChildVerb::call_function:
            return unless_begun(memory.at<CallFunction>(0)->begun, "it was running");
        case ChildVerb::close_library:
            return unless_begun(memory.at<CloseLibrary>(0)->begun, "its destructors ran");
        case ChildVerb::allocate_memory:
        case ChildVerb::free_memory:
        case ChildVerb::write_memory:
        case ChildVerb::read_memory:
            return "no call was under way";
        default:
            return "it was looked for";
    }
}

// Returns CH_OK as soon as there is an answer; the answer to close_library is that the child ends in order. After any
// other code the child has ended, and the instance is poisoned.
Status ChildInstance::await(const WaitTime& time, const std::string& where, ch_error* out_error) {
    using Answer = ChildProcess::Answer;
    const int id = static_cast<int>(child_->id());
    Status failed;
    while (failed.ok()) {
        const Answer answer = child_->wait(time.next_slice_ns());
        if (answer == Answer::complete) return CH_OK;
        if (answer == Answer::died) {
            const ChildProcess::End& end = child_->end();
            const bool closing = static_cast<ChildVerb>(child_->memory().control().verb) == ChildVerb::close_library;
            if (closing && !end.signalled && end.number == 0) return CH_OK;
            failed = child_->report_end(where, doing(), out_error);
        } else if (time.interrupted()) {
            failed = report(out_error, CH_INTERRUPTED, where,
                            "interrupted, and it has not returned; process %d was killed, %s must be opened again", id,
                            path().c_str());
        } else if (time.is_up()) {
            failed = report(out_error, CH_DEADLINE_EXCEEDED, where,
                            "it did not return within %.3g s; process %d was killed, %s must be opened again",
                            time.seconds(), id, path().c_str());
        }
    }
    state_.poison([&]() CH_REQUIRES(state_) {
        return "process " + std::to_string(id) + " " + child_->describe_end() +
               (where == path() ? "" : " in " + where) + ", and the library's globals are gone with it";
    });
    end_child();
    return failed;
}

Status ChildInstance::find(const std::string& name, const Wait& wait, Symbol* out_symbol, ch_error* out_error) {
    const WaitTime time(wait);
    const TurnLock turn(state_, time, out_error);
    CH_TRY(turn.usable(out_error));
    CH_TRY(ask(ChildVerb::find_symbol, name, time, name, out_error));
    uint64_t address = 0;
    memcpy(&address, child_->memory().at(0), sizeof address);
    *out_symbol = {name, reinterpret_cast<void*>(address)};
    return CH_OK;
}

Status ChildInstance::write_call(const Symbol& symbol, const Signature& signature, const Argument* arguments,
                                 ch_error* out_error) {
    const size_t count = signature.parameters.size();
    CallFunction message{};
    message.function = reinterpret_cast<uint64_t>(symbol.address);
    message.result = static_cast<uint32_t>(signature.result);
    message.parameters = static_cast<uint32_t>(count);
    message.end = sizeof message + count * sizeof(CallParameter);
    pieces_.clear();
    for (size_t i = 0; i < count; ++i) {
        if (!in_memory(signature.parameters[i])) continue;
        if (const uint64_t bytes = bytes_of(signature.parameters[i], arguments[i])) {
            pieces_.add(arguments[i].data, bytes);
        }
    }
    pieces_.place(&message.end);
    SharedMemory& memory = child_->memory();
    if (const int failed = memory.reserve(message.end)) {
        return report(out_error, CH_HOST_MEMORY_EXHAUSTED, "shared memory",
                      "wanted %llu bytes for the arguments of %s: %s", static_cast<unsigned long long>(message.end),
                      symbol.name.c_str(), strerror(failed));
    }
    memcpy(memory.at(0), &message, sizeof message);
    auto* parameters = memory.at<CallParameter>(sizeof message);
    for (size_t i = 0; i < count; ++i) {
        const Parameter& kind = signature.parameters[i];
        const Argument& argument = arguments[i];
        CallParameter parameter{argument.word, static_cast<uint32_t>(kind.type), 0, 0};
        if (in_memory(kind)) {
            parameter.in_arena = argument.data != nullptr;
            parameter.word = !argument.data             ? 0
                             : bytes_of(kind, argument) ? pieces_.offset_of(argument.data)
                                                        : message.end;
        } else if (kind.type == Type::pointer) {
            parameter.of_callers = argument.word != 0 && os::is_mapped(argument.word);
        }
        parameters[i] = parameter;
    }
    pieces_.copy_in(memory);
    return CH_OK;
}

// Reads the answer of a function that threw, too: what it wrote before that is the caller's, as it would be in one
// process.
Status ChildInstance::read_answer(const Symbol& symbol, const Signature& signature, const Argument* arguments,
                                  Value* out_value, ch_error* out_error) {
    SharedMemory& memory = child_->memory();
    for (size_t i = 0; i < signature.parameters.size(); ++i) {
        const Parameter& kind = signature.parameters[i];
        if (kind.type != Type::buffer || kind.access == Access::in || !bytes_of(kind, arguments[i])) continue;
        memcpy(arguments[i].data, memory.at(pieces_.offset_of(arguments[i].data)), arguments[i].bytes);
    }
    if (memory.control().code != CH_OK) {
        copy_record(memory.control().error, out_error);
        if (!out_error->where[0]) copy_text(out_error->where, sizeof out_error->where, symbol.name);
        return out_error->code;
    }
    CallFunction message;
    memcpy(&message, memory.at(0), sizeof message);
    *out_value = {message.word, {}, message.is_null != 0};
    if (signature.result == Type::text) out_value->text.assign(memory.at(message.text), message.text_bytes);
    return CH_OK;
}

Status ChildInstance::call(const Symbol& symbol, const Signature& signature, const Argument* arguments,
                           const Wait& wait, Value* out_value, bool* out_abandoned, ch_error* out_error) {
    *out_abandoned = false;  // what the arguments refer to is used by this process only
    CH_TRY(check_signature(signature, symbol.name, out_error));
    const WaitTime time(wait);
    const TurnLock turn(state_, time, out_error);
    CH_TRY(turn.usable(out_error));
    CH_TRY(write_call(symbol, signature, arguments, out_error));
    child_->post(ChildVerb::call_function);
    CH_TRY(await(time, symbol.name, out_error));
    return read_answer(symbol, signature, arguments, out_value, out_error);
}

// Posts a verb about memory, whose data are in the arena already or will be, and waits for its answer.
Status ChildInstance::post_memory(ChildVerb verb, uint64_t address, uint64_t bytes, const WaitTime& time,
                                  ch_error* out_error) {
    SharedMemory& memory = child_->memory();
    *memory.at<UseMemory>(0) = {address, bytes};
    child_->post(verb);
    CH_TRY(await(time, path(), out_error));
    if (memory.control().code == CH_OK) return CH_OK;
    return copy_record(memory.control().error, out_error);
}

Status ChildInstance::make_block(uint64_t bytes, const WaitTime& time, uint64_t* out_address, ch_error* out_error) {
    CH_TRY(post_memory(ChildVerb::allocate_memory, 0, bytes, time, out_error));
    *out_address = child_->memory().at<UseMemory>(0)->address;
    return CH_OK;
}

Status ChildInstance::drop_block(uint64_t address, const WaitTime& time, ch_error* out_error) {
    return post_memory(ChildVerb::free_memory, address, 0, time, out_error);
}

// The largest piece that is copied at once, for the arena never shrinks.
constexpr uint64_t copied_bytes_max = 16 << 20;

// Calls copy(first, bytes) for one piece of a range after the other, until one fails. The caller has the turn, which
// clang cannot see from here.
template <typename Copy>
static Status copy_in_pieces(SharedMemory& memory, uint64_t bytes, ch_error* out_error,
                             Copy&& copy) CH_NO_THREAD_SAFETY_ANALYSIS {
    const uint64_t piece_max = std::min(bytes, copied_bytes_max);
    if (const int failed = memory.reserve(memory_data + piece_max)) {
        return report(out_error, CH_HOST_MEMORY_EXHAUSTED, "shared memory", "wanted %llu bytes for a copy: %s",
                      static_cast<unsigned long long>(piece_max), strerror(failed));
    }
    for (uint64_t first = 0; first < bytes; first += piece_max) {
        CH_TRY(copy(first, std::min(piece_max, bytes - first)));
    }
    return CH_OK;
}

Status ChildInstance::copy_in(uint64_t address, const void* data, uint64_t bytes, const WaitTime& time,
                              ch_error* out_error) {
    SharedMemory& memory = child_->memory();
    return copy_in_pieces(memory, bytes, out_error, [&](uint64_t first, uint64_t piece) CH_REQUIRES(state_) {
        memcpy(memory.at(memory_data), static_cast<const char*>(data) + first, piece);
        return post_memory(ChildVerb::write_memory, address + first, piece, time, out_error);
    });
}

Status ChildInstance::copy_out(uint64_t address, void* out_data, uint64_t bytes, const WaitTime& time,
                               ch_error* out_error) {
    SharedMemory& memory = child_->memory();
    return copy_in_pieces(memory, bytes, out_error, [&](uint64_t first, uint64_t piece) CH_REQUIRES(state_) {
        CH_TRY(post_memory(ChildVerb::read_memory, address + first, piece, time, out_error));
        memcpy(static_cast<char*>(out_data) + first, memory.at(memory_data), piece);
        return Status(CH_OK);
    });
}

Status ChildInstance::close(const Wait& wait, CloseResult* out_result, ch_error* out_error) {
    const WaitTime time(wait);
    const TurnLock turn(state_, time, out_error);
    CH_TRY(turn.status());
    Status failed;
    if (child_) {
        memset(child_->memory().at(0), 0, sizeof(CloseLibrary));
        child_->post(ChildVerb::close_library);
        failed = await(time, path(), out_error);
        end_child();
    }
    set_closed({});  // whatever the end was like, nothing is left
    *out_result = close_result();
    return failed;
}

}  // namespace chiphost::isolate
