// SPDX-License-Identifier: Apache-2.0
#include "chiphost/isolate/library.h"

#include <unistd.h>

#include <filesystem>

#include "instance.h"
#include "status/report.h"

namespace chiphost::isolate {

namespace {

void throw_if_failed(Status status, const ch_error& error) {
    if (!status.ok()) throw Error(error);
}

std::string find_beside_program(const char* name, const char* installed) {
    std::error_code none;
    const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", none);
    const std::filesystem::path beside = program.parent_path() / name;
    return !program.empty() && std::filesystem::exists(beside, none) ? beside.string() : installed;
}

}  // namespace

Error::Error(const ch_error& error)
    : std::runtime_error(std::string(code_name(error.code)) + ": " + (error.where[0] ? error.where : "") +
                         (error.where[0] ? ": " : "") + error.message),
      code_(static_cast<ch_code>(error.code)),
      where_(error.where),
      message_(error.message) {}

std::string find_anchor(const char* installed) {
    return find_beside_program("chiphost_anchor.so", installed);
}

std::string find_child(const char* installed) {
    return find_beside_program("chiphost_child", installed);
}

Library Library::open(const std::string& path, const Options& options) {
    std::shared_ptr<Instance> instance;
    ch_error error = no_error();
    throw_if_failed(Instance::open(path, options, {}, &instance, &error), error);
    return Library(std::move(instance));
}

Symbol Library::find(const std::string& name) const {
    Symbol symbol;
    ch_error error = no_error();
    throw_if_failed(instance_->find(name, {instance_->options().timeout, {}}, &symbol, &error), error);
    return symbol;
}

Value Library::call(const Symbol& symbol, const Signature& signature, const Argument* arguments) const {
    return call(symbol, signature, arguments, instance_->options().timeout);
}

Value Library::call(const Symbol& symbol, const Signature& signature, const Argument* arguments,
                    Timeout timeout) const {
    Value value;
    bool abandoned = false;
    ch_error error;  // filled only by a failure: the record is large
    const Status status = instance_->call(symbol, signature, arguments, {timeout, {}}, &value, &abandoned, &error);
    throw_if_failed(status, error);
    return value;
}

CloseResult Library::close() const {
    CloseResult result;
    ch_error error = no_error();
    throw_if_failed(instance_->close({instance_->options().timeout, {}}, &result, &error), error);
    return result;
}

Strategy Library::strategy() const {
    return instance_->options().strategy;
}

bool Library::fell_back() const {
    return instance_->selection().fell_back;
}

const std::string& Library::strategy_reason() const {
    return instance_->selection().reason;
}

int Library::process_id() const {
    return instance_->process_id();
}

const std::string& Library::path() const {
    return instance_->path();
}

bool Library::poisoned() const {
    return instance_->poisoned();
}

void Library::refuse_addresses(const std::string& function) const {
    if (strategy() != Strategy::process) return;
    ch_error error = no_error();
    report(&error, CH_SIGNATURE_UNSUPPORTED, function,
           "its result is an address in another process; take std::string as the result instead of const char*");
    throw Error(error);
}

const char* close_state_name(CloseState state) {
    switch (state) {
        case CloseState::unloaded:
            return "unloaded";
        case CloseState::kept:
            return "kept";
        case CloseState::pinned:
            return "pinned";
    }
    return "unknown";
}

const char* pin_cause_name(PinCause cause) {
    switch (cause) {
        case PinCause::unique_symbol:
            return "unique symbol";
        case PinCause::no_delete:
            return "DF_1_NODELETE";
        case PinCause::thread_local_destructor:
            return "thread_local with a destructor";
        case PinCause::needed_by:
            return "needed by";
        case PinCause::opened_elsewhere:
            return "opened elsewhere";
        case PinCause::running_thread:
            return "running thread";
        case PinCause::running_call:
            return "call that never returned";
        case PinCause::unknown_threads:
            return "threads cannot be listed";
    }
    return "unknown";
}

std::string CloseResult::text() const {
    std::string text = close_state_name(state);
    const char* separator = ": ";
    for (const Pin& pin : pins) {
        text +=
            separator + pin.object + " (" + pin_cause_name(pin.cause) + (pin.what.empty() ? "" : " ") + pin.what + ")";
        separator = ", ";
    }
    return text;
}

}  // namespace chiphost::isolate
