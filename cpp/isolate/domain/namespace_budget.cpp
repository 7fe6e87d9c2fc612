// SPDX-License-Identifier: Apache-2.0
#include "namespace_budget.h"

#include <algorithm>

#include "loader/loader_refusal.h"
#include "os/per_process.h"
#include "status/report.h"

namespace chiphost::isolate {

NamespaceBudget& NamespaceBudget::of_this_process() {
    static os::PerProcess<NamespaceBudget> budget;
    return budget.get(
        [](NamespaceBudget* inherited) { return inherited ? new NamespaceBudget(*inherited) : new NamespaceBudget; });
}

NamespaceBudget::NamespaceBudget() : tunables_(LoaderTunables::in_force()) {
    limit_ = tunables_.namespaces_estimated();
}

// A child made by fork() has the parent's namespaces, but not its lock.
NamespaceBudget::NamespaceBudget(const NamespaceBudget& inherited)
    : opened_(inherited.opened_),
      limit_(inherited.limit_),
      found_at_(inherited.found_at_),
      words_(inherited.words_),
      tunables_(inherited.tunables_) {}

// Counts the open namespaces, whoever opened them. What others have closed again still holds static TLS, which only the
// loader knows.
size_t NamespaceBudget::open() const {
    return std::max(opened_, count_namespaces().value_or(0));
}

void NamespaceBudget::find_limit(const std::string& anchor_path) {
    const size_t now = open();
    if (found_at_ == now) return;  // nothing has changed since
    NamespaceProbe probe;
    ch_error ignored = no_error();
    if (probe_namespaces(anchor_path, "", &probe, &ignored) != CH_OK) return;  // the estimate stands
    limit_ = now + probe.left;
    words_ = probe.words;
    found_at_ = now;
}

Status NamespaceBudget::spent(ch_error* out_error) const {
    const size_t now = open();
    const LoaderAdvice advice = advise(tunables_, tunables_.static_tls_surplus() / std::max<size_t>(limit_, 1));
    const std::string why = found_at_ ? "found by trying; the loader says: " + words_ : "estimated";
    const std::string remedy = limit_ >= namespaces_max || advice.tunables.empty()
                                   ? "This is the most that glibc allows"
                                   : "Start the process with GLIBC_TUNABLES=" + advice.tunables + " to have " +
                                         std::to_string(advice.namespaces) +
                                         ", as chiphost run and ci do with --more-namespaces";
    return report(out_error, CH_NAMESPACES_SPENT, "dlmopen",
                  "%zu linker namespaces are open, %zu of them chiphost's, and this process can have %zu (%s; %s). %s",
                  now, opened_, limit_, why.c_str(), tunables_.text().c_str(), remedy.c_str());
}

Status NamespaceBudget::take(const std::string& anchor_path, ch_error* out_error) {
    const os::MutexLock lock(mutex_);
    if (open() >= limit_) find_limit(anchor_path);
    if (open() >= limit_) return spent(out_error);
    ++opened_;
    return CH_OK;
}

Status NamespaceBudget::refused(const char* words, ch_error* out_error) {
    const os::MutexLock lock(mutex_);
    --opened_;
    if (limit_named_by(words) != NamespaceLimit::none) {
        found_at_ = limit_ = open();
        words_ = words;
        return spent(out_error);
    }
    return loader::report_refusal(out_error, "dlmopen", words);
}

NamespaceBudget::Numbers NamespaceBudget::numbers() {
    const os::MutexLock lock(mutex_);
    Numbers numbers{opened_, count_namespaces(), limit_, found_at_.has_value(), tunables_};
    if (numbers.others) *numbers.others -= std::min(*numbers.others, opened_);
    return numbers;
}

Status find_namespace_capacity(const std::string& anchor_path, const std::string& library_path,
                               NamespaceCapacity* out_capacity, ch_error* out_error) {
    NamespaceBudget::Numbers& numbers = out_capacity->numbers;
    numbers = NamespaceBudget::of_this_process().numbers();
    NamespaceProbe& probe = out_capacity->probe;
    CH_TRY(probe_namespaces(anchor_path, library_path, &probe, out_error));
    const size_t open = numbers.opened + numbers.others.value_or(0);
    if (open + probe.left >= namespaces_max) return CH_OK;  // nothing helps
    // One namespace takes at most what all had, less what the open ones took at least, divided by those that fitted.
    const size_t surplus = numbers.tunables.static_tls_surplus();
    const size_t taken = std::min(surplus, open * namespace_static_tls_min);
    out_capacity->advice = advise(numbers.tunables, probe.left ? (surplus - taken) / probe.left : 0);
    return CH_OK;
}

}  // namespace chiphost::isolate
