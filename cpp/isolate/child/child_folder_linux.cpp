// SPDX-License-Identifier: Apache-2.0
#include "child_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <set>
#include <string>
#include <utility>

#include "os/folder_entries_linux.h"
#include "os/mutex.h"
#include "os/per_process.h"
#include "os/temporary_folder.h"

namespace chiphost::isolate {

namespace {

constexpr char prefix[] = "chiphost-child-";
constexpr int folder_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// Removes all that is in an open folder, folders in folders too.
void empty(int folder, int depth) {
    constexpr int depth_max = 16;
    for (bool removed = true; removed;) {
        removed = false;
        lseek(folder, 0, SEEK_SET);  // after removals a listing may have gaps
        os::for_each_entry(folder, [&](const char* name) {
            if (unlinkat(folder, name, 0) == 0) {
                removed = true;
                return;
            }
            if (depth == depth_max) return;
            const os::Descriptor inner(openat(folder, name, folder_flags));
            if (!inner.ok()) return;
            empty(inner.get(), depth + 1);
            removed = unlinkat(folder, name, AT_REMOVEDIR) == 0 || removed;
        });
    }
}

// Removes the folders of children that were killed together with their programs.
void sweep(const std::string& parent) {
    DIR* listing = opendir(parent.c_str());
    if (!listing) return;
    while (const dirent* entry = readdir(listing)) {
        if (strncmp(entry->d_name, prefix, sizeof prefix - 1) != 0) continue;
        const os::Descriptor folder(openat(dirfd(listing), entry->d_name, folder_flags));
        struct stat status{};
        if (!folder.ok() || fstat(folder.get(), &status) != 0 || status.st_uid != geteuid()) continue;
        if (flock(folder.get(), LOCK_EX | LOCK_NB) != 0) continue;
        empty(folder.get(), 0);
        unlinkat(dirfd(listing), entry->d_name, AT_REMOVEDIR);
    }
    closedir(listing);
}

void sweep_once(const std::string& parent) {
    struct Swept {
        os::Mutex mutex;
        std::set<std::string> parents CH_GUARDED_BY(mutex);
    };
    static os::PerProcess<Swept> of_this_process;
    Swept& swept = of_this_process.get([](Swept*) { return new Swept; });
    const os::MutexLock lock(swept.mutex);
    if (swept.parents.insert(parent).second) sweep(parent);
}

}  // namespace

int ChildFolder::create(const std::string& chosen) {
    const int failed = create_below(chosen);
    return failed && (chosen == P_tmpdir || create_below(P_tmpdir) != 0) ? failed : 0;
}

int ChildFolder::create_below(const std::string& parent) {
    sweep_once(parent);
    for (;;) {
        std::string path = parent + "/" + prefix + "XXXXXX";
        if (!mkdtemp(path.data())) return errno;
        os::Descriptor lock = os::above_streams(open(path.c_str(), folder_flags));
        if (!lock.ok() && errno != ENOENT) {
            const int failed = errno;
            rmdir(path.c_str());
            return failed;
        }
        // Another process may be sweeping, and may have found the folder before it was locked.
        if (!lock.ok()) continue;
        struct stat status{};
        if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0 || fstat(lock.get(), &status) != 0) {
            if (errno == EWOULDBLOCK) continue;
            const int failed = errno;
            rmdir(path.c_str());
            return failed;
        }
        if (status.st_nlink == 0) continue;
        path_ = std::move(path);
        lock_ = std::move(lock);
        return 0;
    }
}

bool ChildFolder::exists() const {
    return access(path_.c_str(), F_OK) == 0;
}

void ChildFolder::remove() {
    if (!path_.empty()) remove(lock_.get(), path_.c_str());
    path_.clear();
    lock_.reset();
}

void ChildFolder::remove(int folder, const char* path) {
    empty(folder, 0);
    rmdir(path);
}

}  // namespace chiphost::isolate
