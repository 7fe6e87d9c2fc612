// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "isolate/domain/domain.h"
#include "test_files.h"

namespace chiphost::isolate {

// A library in a domain and a thread of the domain to call it on.
class Guest {
public:
    Guest(Strategy strategy, const std::string& name) { open(strategy, name); }
    Guest(Domain* domain, const std::string& name) : domain_(domain) { load(name); }

    int32_t call(const char* symbol, const void* second = nullptr, void* third = nullptr) {
        return call_on(thread_, symbol, second, third);
    }
    int32_t call_on(ch_mailbox* thread, const char* symbol, const void* second = nullptr, void* third = nullptr) {
        void* address = nullptr;
        ch_error error = no_error();
        if (domain_->find_symbol(library_, symbol, "guest", &address, &error) != CH_OK) return -1000;
        return ch_mailbox_call(thread, reinterpret_cast<ch_call>(address), nullptr, second, third);
    }

    Domain& domain() { return *domain_; }
    ch_library* library() { return library_; }
    ch_mailbox* thread() { return thread_; }

private:
    void open(Strategy strategy, const std::string& name) {
        ch_error error = no_error();
        ASSERT_EQ(Domain::open(strategy, CHIPHOST_ANCHOR, &domain_, &error), CH_OK) << tests::text_of(error);
        load(name);
    }
    void load(const std::string& name) {
        ch_error error = no_error();
        ASSERT_EQ(domain_->open_library(tests::library_path(name), &library_, &error), CH_OK) << tests::text_of(error);
        ASSERT_EQ(domain_->lease_thread(&thread_, &error), CH_OK) << tests::text_of(error);
    }

    Domain* domain_ = nullptr;
    ch_library* library_ = nullptr;
    ch_mailbox* thread_ = nullptr;
};

// Opens namespaces until that fails, each with the library unless its name is ""; returns how many could be opened.
inline size_t open_all(const std::string& library, ch_error* out_error) {
    for (size_t opened = 0;; ++opened) {
        Domain* domain = nullptr;
        ch_library* loaded = nullptr;
        if (Domain::open(Strategy::link_namespace, CHIPHOST_ANCHOR, &domain, out_error) != CH_OK) return opened;
        if (!library.empty() && domain->open_library(library, &loaded, out_error) != CH_OK) return opened;
    }
}

}  // namespace chiphost::isolate
