// SPDX-License-Identifier: Apache-2.0
#include "runtime_info.h"

#include <mutex>
#include <set>

#include "os/per_process.h"

namespace chiphost::worker {

const RuntimeInfo& keep(const RuntimeInfo& info) {
    struct Infos {
        std::mutex mutex;
        std::set<RuntimeInfo> all;
    };
    static os::PerProcess<Infos> of_this_process;
    Infos& infos = of_this_process.get([](Infos*) { return new Infos; });
    const std::lock_guard lock(infos.mutex);
    return *infos.all.insert(info).first;
}

}  // namespace chiphost::worker
