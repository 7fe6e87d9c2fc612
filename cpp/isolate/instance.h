// SPDX-License-Identifier: Apache-2.0
//
// One instance of a library, wherever it lives.
#pragma once

#include <memory>
#include <string>

#include "chiphost/abi/error.h"
#include "chiphost/isolate/library.h"

namespace chiphost::isolate {

// What a strategy implements. Buffers are described by signature and arguments, so that an instance may as well live in
// another process. Thread-safe; all members that return a code first make sure that the instance is usable:
// CH_WRONG_PROCESS, CH_FINALIZED, CH_POISONED. The last owner closes it.
class Instance {
public:
    Instance(std::string path, Options options, bool fell_back)
        : path_(std::move(path)), options_(std::move(options)), fell_back_(fell_back) {}
    virtual ~Instance() = default;
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;

    // By options.strategy. What Library::open says, as codes.
    [[nodiscard]] static int32_t open(const std::string& path, const Options& options, const GoOn& go_on,
                                      std::shared_ptr<Instance>* out_instance, ch_error* out_error);

    [[nodiscard]] virtual int32_t find(const std::string& name, const Wait& wait, Symbol* out_symbol,
                                       ch_error* out_error) = 0;

    // *out_abandoned: the call has not returned and never will; what the arguments refer to must be kept for ever.
    [[nodiscard]] virtual int32_t call(const Symbol& symbol, const Signature& signature, const Argument* arguments,
                                       const Wait& wait, Value* out_value, bool* out_abandoned,
                                       ch_error* out_error) = 0;

    [[nodiscard]] virtual int32_t close(const Wait& wait, CloseResult* out_result, ch_error* out_error) = 0;

    virtual bool poisoned() const = 0;

    const std::string& path() const { return path_; }
    const Options& options() const { return options_; }
    bool fell_back() const { return fell_back_; }

private:
    const std::string path_;
    const Options options_;  // the strategy is the one in use
    const bool fell_back_;
};

}  // namespace chiphost::isolate
