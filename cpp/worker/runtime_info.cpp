// SPDX-License-Identifier: Apache-2.0
#include "runtime_info.h"

#include <set>

#include "os/mutex.h"
#include "os/per_process.h"

namespace chiphost::worker {

const RuntimeInfo& keep(const RuntimeInfo& info) {
    struct Infos {
        os::Mutex mutex;
        std::set<RuntimeInfo> all CH_GUARDED_BY(mutex);
    };
    static os::PerProcess<Infos> of_this_process;
    Infos& infos = of_this_process.get([](Infos*) { return new Infos; });
    const os::MutexLock lock(infos.mutex);
    return *infos.all.insert(info).first;
}

}  // namespace chiphost::worker
