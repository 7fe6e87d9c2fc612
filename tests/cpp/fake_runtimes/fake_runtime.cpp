// SPDX-License-Identifier: Apache-2.0
//
// Host runtimes with one fault each; FAKE_GOOD has none.
#include <dlfcn.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <stdexcept>

#include "chiphost/abi/host_runtime.h"
#include "fake_header.h"
#include "status/report.h"

namespace {

#ifdef FAKE_RECORDS_ENTRY
uint64_t entry_thread, size_thread;

// Makes a key of its own, and a value for the thread that came in, as many libraries do.
uint64_t note_thread() {
    pthread_key_t key;
    for (int i = 0; i < 16; ++i) {
        if (pthread_key_create(&key, nullptr) == 0) pthread_setspecific(key, "the runtime's");
    }
    return static_cast<uint64_t>(syscall(SYS_gettid));
}
#endif

#ifdef FAKE_STATIC_TLS
// A large part of the memory that the C library sets aside for libraries that are loaded later.
__attribute__((tls_model("initial-exec"))) thread_local volatile char of_every_thread[600];
#endif

uint64_t runtime_size() {
#ifdef FAKE_STATIC_TLS
    of_every_thread[0] = 1;
#endif
#ifdef FAKE_RECORDS_ENTRY
    size_thread = note_thread();
#endif
#ifdef FAKE_THROWS_IN_SIZE
    throw std::runtime_error("runtime_size");
#endif
    return 64;
}

#ifdef FAKE_PINS_ITSELF
// A thread_local with a destructor keeps its library as long as the thread that has used it (facts H2).
struct Pin {
    ~Pin() { asm volatile(""); }
    int value = 0;
};
thread_local Pin pin;
#endif

// The number of runs since the library was loaded.
[[maybe_unused]] int32_t run_count = 0;

#ifdef FAKE_LEAKS_THREAD
void* sleep_for_ever(void*) {
    for (;;) pause();
}
#endif

int32_t set_device(void*, const ch_device_options*, ch_error* out_error) {
#ifdef FAKE_THROWS_IN_SET_DEVICE
    throw std::runtime_error("set_device");
#endif
#ifdef FAKE_HANGS_IN_SET_DEVICE
    for (;;) pause();
#endif
#ifdef FAKE_FAILS_IN_SET_DEVICE
    out_error->code = CH_PLATFORM_FAILED;
    out_error->detail_code = 507018;
    return CH_PLATFORM_FAILED;
#endif
#ifdef FAKE_LEAVES_LIBRARY
    if (!dlopen(CHIPHOST_TEST_LIBRARIES "/stateless.so", RTLD_NOW | RTLD_LOCAL)) return CH_INTERNAL;
#endif
#ifdef FAKE_LEAKS_THREAD
    pthread_t thread;
    pthread_create(&thread, nullptr, sleep_for_ever, nullptr);
    pthread_detach(thread);
#endif
    (void)out_error;
    return CH_OK;
}

int32_t run(void*, const ch_run_request* request, ch_error*) {
#ifdef FAKE_THROWS_IN_RUN
    throw std::runtime_error("run");
#endif
#ifdef FAKE_PINS_ITSELF
    ++pin.value;
#endif
    request->out_result->task_count = 42;
#ifdef FAKE_RECORDS_ENTRY
    request->out_result->orchestration_ns = entry_thread;
    request->out_result->device_ns = size_thread;
#else
    request->out_result->orchestration_ns = static_cast<uint64_t>(__atomic_add_fetch(&run_count, 1, __ATOMIC_RELAXED));
#endif
    return CH_OK;
}

int32_t finalize_device(void*, const void*, ch_error*) {
#ifdef FAKE_THROWS_IN_FINALIZE
    throw std::runtime_error("finalize");
#endif
    return CH_OK;
}

constexpr ch_abi_header header = CH_ABI_HEADER(ch_host_runtime, CH_ABI_HOST_RUNTIME, CH_HOST_RUNTIME_MAJOR,
                                               CH_HOST_RUNTIME_MINOR, CHIPHOST_PLATFORM);
constexpr ch_chip chip = {sizeof(ch_chip), 8, 2, 0, 1 << 20};
constexpr ch_host_runtime table = {with_fault(header), "fake",     "a2a3", CHIPHOST_PLATFORM, "0",
                                   runtime_size,       set_device, run,    finalize_device,   &chip};

}  // namespace

#ifdef FAKE_NO_ENTRY
#define ENTRY some_other_name
#else
#define ENTRY chiphost_host_runtime
#endif

extern "C" __attribute__((visibility("default"))) const ch_host_runtime* ENTRY() {
#ifdef FAKE_RECORDS_ENTRY
    entry_thread = note_thread();
#endif
#ifdef FAKE_THROWS_IN_ENTRY
    throw std::runtime_error("entry");
#endif
    return &table;
}
