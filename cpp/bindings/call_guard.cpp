// SPDX-License-Identifier: Apache-2.0
#include "call_guard.h"

#include <atomic>
#include <chrono>
#include <thread>

#include "os/mutex.h"
#include "os/per_process.h"

namespace nb = nanobind;

namespace chiphost::bindings {

namespace {

constexpr std::chrono::seconds patience{10};   // a run that was asked to stop ends, or is given up, within one
constexpr std::chrono::seconds end_within{5};  // after end_calls has returned

bool interpreter_ends() {
#if PY_VERSION_HEX >= 0x030D0000
    return Py_IsFinalizing() != 0;
#else
    return _Py_IsFinalizing() != 0;
#endif
}

// Keeps a thread other than the one that ends the process from running any more Python, as Python itself does with
// threads that wait for the GIL then. An exception in it would be printed while the interpreter is taken down, which
// aborts the process if it comes upon the lock of stderr. Returns if the interpreter is not taken down soon: whoever
// ends it may wait for this thread.
void wait_for_the_end(const std::atomic<std::chrono::steady_clock::time_point>& give_up) {
    PyThreadState* const state = PyEval_SaveThread();
    while (std::chrono::steady_clock::now() < give_up.load() || interpreter_ends()) {
        std::this_thread::sleep_for(std::chrono::milliseconds{100});
    }
    PyEval_RestoreThread(state);
}

}  // namespace

struct CallGuard::Calls {
    os::Mutex mutex;  // never held while waiting for the GIL
    os::Condition none_left;
    size_t count CH_GUARDED_BY(mutex) = 0;  // under way
    std::thread::id ender;
    PyObject* error = nullptr;  // never released: it is needed until the process has ended
    std::atomic<bool> ending{false};
    std::atomic<std::chrono::steady_clock::time_point> give_up{};  // when nobody waits for the end any more

    static Calls& of_this_process() {
        static os::PerProcess<Calls> calls;
        return calls.get([](Calls*) { return new Calls; });
    }

    void begin_one() {
        const os::MutexLock lock(mutex);
        ++count;
    }
    void end_one() {
        const os::MutexLock lock(mutex);
        if (--count == 0) none_left.notify_all();
    }

    bool ended_by_another() const { return ending.load() && ender != std::this_thread::get_id(); }
};

CallGuard::CallGuard() : calls_(Calls::of_this_process()) {
    if (calls_.ended_by_another()) {
        wait_for_the_end(calls_.give_up);
        PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(calls_.error)), calls_.error);
        throw nb::python_error();
    }
    calls_.begin_one();
}

CallGuard::~CallGuard() {
    calls_.end_one();
    if (calls_.ended_by_another()) wait_for_the_end(calls_.give_up);
}

bool CallGuard::to_end() const {
    return calls_.ended_by_another();
}

void end_calls(nb::object error) {
    auto& calls = CallGuard::Calls::of_this_process();
    calls.error = error.release().ptr();
    calls.ender = std::this_thread::get_id();
    calls.give_up = std::chrono::steady_clock::now() + patience + end_within;
    calls.ending = true;
    const nb::gil_scoped_release unlocked;
    os::MutexLock lock(calls.mutex);
    calls.none_left.wait_for(lock, patience, [&]() CH_REQUIRES(calls.mutex) { return calls.count == 0; });
    calls.give_up = std::chrono::steady_clock::now() + end_within;
}

}  // namespace chiphost::bindings
