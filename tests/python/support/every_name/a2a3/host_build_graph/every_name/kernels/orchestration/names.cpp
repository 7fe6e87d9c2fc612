// SPDX-License-Identifier: Apache-2.0
#include "orchestration_api.h"

#include "../../../../../checks.h"

extern "C" int build_names_graph(OrchestrationRuntime* runtime, const ChipStorageTaskArgs& args) {
    check_types();
    check_arguments(args);
    const ContinuousTensor x = args.tensor(0), y = args.tensor(1);

    void* spare = device_malloc(runtime, 64);
    void* in = device_malloc(runtime, x.nbytes());
    void* middle = device_malloc(runtime, x.nbytes());
    void* out = device_malloc(runtime, x.nbytes());
    CHECK(spare != nullptr && in != nullptr && in != spare);
    device_free(runtime, spare);
    if (copy_to_device(runtime, in, x.data_as<float>(), x.nbytes()) != 0) return 1;
    record_tensor_pair(runtime, y.data_as<void>(), out, y.nbytes());

    const auto address = [](void* memory) { return reinterpret_cast<uint64_t>(memory); };
    uint64_t first[] = {address(in), address(middle), args.scalar(0), 32};
    uint64_t second[] = {address(middle), address(out), to_u64(2.0f), 32};
    CHECK(get_task_count(runtime) == 0);
    const int one = add_task(runtime, first, 4, 0, CoreType::AIV);
    const int two = add_task(runtime, second, 4, 1, CoreType::AIC);
    add_successor(runtime, one, two);
    print_runtime(runtime);
    return get_task_count(runtime) == 2 ? 0 : 2;
}
