// SPDX-License-Identifier: Apache-2.0
#include "runtime_files.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <vector>

#include "loader/elf_image.h"
#include "loader/library_file.h"
#include "status/report.h"

namespace chiphost::worker {

Status file_key(const std::string& path, std::string* out_key, ch_error* out_error) {
    struct stat status{};
    if (stat(path.c_str(), &status) != 0) {
        return report(out_error, CH_FILE_UNREADABLE, path, "cannot open: %s", strerror(errno));
    }
    *out_key = path + "|" + std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec) + "|" +
               std::to_string(status.st_size);
    return CH_OK;
}

Status check_files(const RuntimeFiles& files, std::string* out_unique_symbol, ch_error* out_error) {
    for (const std::string* path : {&files.aicore, &files.aicpu, &files.host}) {
        if (path != &files.host && files.cross_compiled) continue;
        std::vector<char> bytes;
        CH_TRY(loader::read_file(*path, &bytes, out_error));
        CH_TRY(loader::check_elf_library(bytes.data(), bytes.size(), *path, out_error));
        *out_unique_symbol = loader::unique_symbol(bytes.data(), bytes.size());
    }
    return CH_OK;
}

Status runtime_key(const RuntimeFiles& files, std::string* out_key, ch_error* out_error) {
    out_key->clear();
    for (const std::string* path : {&files.host, &files.aicpu, &files.aicore}) {
        std::string key = *path;
        const bool may_be_missing = path != &files.host && files.cross_compiled;
        ch_error missing = no_error();
        const Status failed = file_key(*path, &key, may_be_missing ? &missing : out_error);
        if (!failed.ok() && !may_be_missing) return failed;
        *out_key += (out_key->empty() ? "" : "|") + key;
    }
    return CH_OK;
}

}  // namespace chiphost::worker
