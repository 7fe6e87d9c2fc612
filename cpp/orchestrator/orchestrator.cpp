// SPDX-License-Identifier: Apache-2.0
#include "orchestrator.h"

#include <stdio.h>

#include <exception>

#include "os/float_state.h"
#include "status/report.h"

namespace chiphost::orchestrator {

using graph::none;
using graph::Slot;
using graph::Task;

namespace {

template <typename T>
T* at(uint64_t address) {
    return reinterpret_cast<T*>(address);
}

const char* plural(uint64_t count) {
    return count == 1 ? "" : "s";
}

}  // namespace

void Orchestrator::begin(graph::Image* image, OrchestrationLibraries* libraries, SchedulerInterface* scheduler,
                         platform::AicpuPort* port, uint32_t cluster_count, const graph::RunObserver* observer,
                         graph::KernelNames names) {
    names_ = names;
    observer_ = observer;
    image_ = image;
    plan_ = at<graph::Orchestration>(image->orchestration);
    libraries_ = libraries;
    scheduler_ = scheduler;
    port_ = port;
    cluster_count_ = cluster_count;
    tasks_ = at<Task>(image->tasks);
    edges_ = at<graph::Edge>(image->edges);
    args_ = at<uint64_t>(image->args);
    slots_ = at<Slot>(plan_->slots);
    predecessors_ = at<graph::Predecessor>(plan_->predecessors);
    producers_.begin(at<uint32_t>(plan_->found), at<uint32_t>(plan_->marks), plan_->slot_count);
    infers_ = plan_->root_scope == graph::RootScope::automatic;
    map_.begin(at<TensorMap::Entry>(plan_->map_entries), plan_->map_capacity,
               at<TensorMap::Bucket>(plan_->map_buckets));
    strand_.begin(port, scheduler);
    room_.begin(plan_, *image, &map_, &strand_, names);
}

bool Orchestrator::go_on() {
    return strand_.go_on([](void* orchestrator) { static_cast<Orchestrator*>(orchestrator)->run(); }, this);
}

// On the strand.
void Orchestrator::run() {
    if (scheduler_->stopped()) return;  // cut off before it began
    scopes_[0] = {++scope_serial_, infers_ ? CH_SCOPE_AUTO : CH_SCOPE_MANUAL, none, none};
    depth_ = 1;
    ch_error error = no_error();
    ch_device_orchestration entry = nullptr;
    if (libraries_->get(port_, *plan_, &entry, &error) != CH_OK) {
        scheduler_->fail(error, -1);
        return;
    }
    int32_t returned = 0;
    in_entry_ = true;
    try {
        returned = entry(this, at<const ch_device_args>(plan_->args));
    } catch (const std::exception& thrown) {
        report(&error, CH_ORCHESTRATION_THREW, plan_->entry, "%s", thrown.what());
    } catch (...) {
        report(&error, CH_ORCHESTRATION_THREW, plan_->entry, "an exception that is no std::exception");
    }
    os::FloatState().restore();
    in_entry_ = false;
    if (scheduler_->stopped()) return;  // what it did then is of no interest
    if (error.code == CH_OK && returned != 0) {
        report(&error, CH_ORCHESTRATION_FAILED, plan_->entry, "returned %d", returned);
        error.detail_code = returned;
    }
    if (error.code == CH_OK && depth_ != 1) {
        report(&error, CH_TASK_INVALID, plan_->entry, "returned with %u open scope%s", depth_ - 1, plural(depth_ - 1));
    }
    if (error.code != CH_OK) {
        scheduler_->fail(error, -1);
        return;
    }
    static_cast<void>(scope_end());  // fails only if the run is over, which the scheduler knows
    for (uint32_t ring = 0; ring < graph::ring_count; ++ring) {
        plan_->heap_touched += room_.ring(ring).heap_touched();
    }
    platform::flush_cache(plan_, sizeof *plan_);
    __atomic_store_n(&image_->task_count, submitted_, __ATOMIC_SEQ_CST);
}

void Orchestrator::fail(int32_t code, const char* text) {
    if (scheduler_->stopped()) return;
    ch_error error = no_error();
    report(&error, CH_ORCHESTRATION_FATAL, plan_->entry, "%s", text);
    error.detail_code = code;
    scheduler_->fail(error, -1);
}

void Orchestrator::log(const char* text) {
    if (breathe()) platform::log_line(port_, text);
}

int32_t Orchestrator::cluster_count() {
    return breathe() ? static_cast<int32_t>(cluster_count_) : -CH_INTERRUPTED;
}

Status Orchestrator::refuse(ch_code code, const char* where, const char* format, ...) {
    ch_error error;
    va_list values;
    va_start(values, format);
    report_list(&error, code, where, format, values);
    va_end(values);
    return fail_call(&error);
}

Status Orchestrator::fail_call(ch_error* error) {
    int64_t submission = -1;
    if (submitting_) {
        submission = static_cast<int64_t>(submitted_);
        copy_text(error->where, sizeof error->where, names_.submission(submitted_, submitting_->func_id).text);
        for (const int32_t func_id : submitting_->func_id) {
            if (error->func_id < 0 && func_id >= 0) error->func_id = func_id;
        }
    }
    const graph::NameText place = graph::code_text(called_from_);
    if (place.text[0] != '\0') append(error, "; called%s", place.text);
    scheduler_->fail(*error, submission);
    return error->code;
}

uint32_t Orchestrator::in_the_way() const {
    if (strand_.missing() == Missing::none) return none;
    if (strand_.missing() == Missing::element) return waited_for_;
    if (!submitting_ || strand_.missing() == Missing::uses) return none;
    const TaskRing& ring = room_.ring(ring_of_scope());
    return ring.empty() ? none : ring.oldest();
}

bool Orchestrator::explain_stay(char* text, size_t bytes) const {
    const graph::NameText call = graph::code_text(called_from_);
    if (!in_entry_ || call.text[0] == '\0') return false;
    snprintf(text, bytes, " the orchestration has not returned; it called last%s", call.text);
    return true;
}

ch_code Orchestrator::explain_wait(char* text, size_t bytes) const {
    static const char* const what[] = {
        "",          "a slot", "room for new tensors", "room for arguments", "room for edges", "room in the tensor map",
        "an element"};
    const Missing missing = strand_.missing();
    if (missing == Missing::none) return CH_OK;
    const graph::NameText call =
        submitting_ ? names_.submission(submitted_, submitting_->func_id) : graph::NameText{"an access to an element"};
    int length = snprintf(text, bytes, " the orchestration waits for %s in %s%s", what[static_cast<uint32_t>(missing)],
                          call.text, graph::code_text(called_from_).text);
    if (const uint32_t other = in_the_way(); other != none && static_cast<size_t>(length) < bytes) {
        snprintf(text + length, bytes - static_cast<size_t>(length), ", until %s %s", names_.task(tasks_[other]).text,
                 room_.is_over(other) ? "is held by nobody" : "has completed");
    }
    switch (missing) {
        case Missing::heap:
            return CH_HEAP_DEADLOCK;
        case Missing::edges:
            return CH_DEP_POOL_DEADLOCK;
        case Missing::uses:
            return CH_TENSOR_MAP_DEADLOCK;
        case Missing::element:
            return CH_ELEMENT_WAIT;
        default:
            return CH_WINDOW_DEADLOCK;
    }
}

}  // namespace chiphost::orchestrator
