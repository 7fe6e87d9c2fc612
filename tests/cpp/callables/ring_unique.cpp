// SPDX-License-Identifier: Apache-2.0
//
// An orchestration with a symbol that all copies of it would share.
#include <chiphost/device_graph.h>

template <typename T>
struct __attribute__((visibility("default"))) Holder {
    static int counter;
};
template <typename T>
int Holder<T>::counter = 0;

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    return Holder<int>::counter++;
}
