// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <string>

#include "os/mutex.h"
#include "os/own_files.h"

namespace chiphost::loader {

// A path that the dynamic loader takes as it is. In a path that it is given, also one to open, the loader replaces
// $ORIGIN, ${LIB} and the like, and a dollar cannot be quoted. So a folder or a file whose path has one is named by a
// descriptor, which stays open as long as the process lives: then $ORIGIN of the library itself is that folder. Where
// that is not possible the path is the one given, and the loader's words say what it looked for. For any thread; may
// throw std::bad_alloc.
class LoaderPath {
public:
    explicit LoaderPath(const std::string& path) : path_(path) {
        if (path.find('$') == std::string::npos) return;
        const size_t name = path.rfind('/') + 1;
        const bool in_name = path.find('$', name) != std::string::npos;
        const int descriptor = kept(in_name ? path : path.substr(0, name), in_name ? 0 : O_DIRECTORY);
        char folder[32];
        if (descriptor < 0 || !os::folder_of_own_files(descriptor, folder)) return;
        path_ = std::string(folder) + "/" + std::to_string(descriptor);
        if (!in_name) path_ += "/" + path.substr(name);
    }

    const char* c_str() const { return path_.c_str(); }

    // The loader's words, with the path that was given.
    std::string words(const char* said, const std::string& given) const {
        std::string words = said ? said : "the loader gave no reason";
        if (const size_t at = words.find(path_); at != std::string::npos) words.replace(at, path_.size(), given);
        return words;
    }

private:
    // An equal path must lead to the same folder or file for ever: the loader takes it for the same library. So there
    // is one descriptor for each file that was ever at the path, and it is never closed; a new one is opened only if
    // something else is there now. Returns -1 if nothing is there.
    static int kept(const std::string& path, int flags) {
        struct Kept {
            os::Mutex mutex;
            std::map<std::string, int> descriptors CH_GUARDED_BY(mutex);  // of the files that were there last
        };
        static Kept& kept = *new Kept;
        const os::MutexLock lock(kept.mutex);
        int& descriptor = kept.descriptors.try_emplace(path, -1).first->second;
        struct stat before{};
        struct stat now{};
        if (stat(path.c_str(), &now) != 0) return -1;
        if (descriptor >= 0 && fstat(descriptor, &before) == 0 && before.st_dev == now.st_dev &&
            before.st_ino == now.st_ino) {
            return descriptor;
        }
        return descriptor = open(path.c_str(), O_PATH | O_CLOEXEC | flags);
    }

    std::string path_;
};

}  // namespace chiphost::loader
