// SPDX-License-Identifier: Apache-2.0
#include "library_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/descriptor.h"
#include "status/report.h"

namespace chiphost::loader {

Status read_file(const std::string& path, std::vector<char>* out_bytes, ch_error* out_error) {
    const os::Descriptor file(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));  // a pipe keeps nobody waiting
    struct stat status{};
    if (!file.ok() || fstat(file.get(), &status) != 0) {
        return report(out_error, CH_FILE_UNREADABLE, path, "cannot open: %s", strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) return report(out_error, CH_FILE_UNREADABLE, path, "not a regular file");
    out_bytes->resize(static_cast<size_t>(status.st_size));
    size_t done = 0;
    while (done < out_bytes->size()) {
        const ssize_t got = read(file.get(), out_bytes->data() + done, out_bytes->size() - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return report(out_error, CH_FILE_UNREADABLE, path, "cannot read: %s", strerror(errno));
        if (got == 0) break;  // it shrank meanwhile; the ELF check will say so
        done += static_cast<size_t>(got);
    }
    out_bytes->resize(done);
    return CH_OK;
}

}  // namespace chiphost::loader
