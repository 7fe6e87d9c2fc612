// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <new>

#include "chiphost/align.h"
#include "shared_memory.h"

namespace chiphost::isolate {

namespace {

constexpr uint64_t step_bytes = 1 << 20;         // the arena grows by multiples of it
constexpr uint64_t control_room = 64 << 10;      // the arena begins there in the file; pages of any size divide it
constexpr uint64_t kept_when_idle = step_bytes;  // trim leaves so much
constexpr uint64_t careless_bytes = 64 << 20;    // the arena grows by so much without looking how much memory there is
static_assert(sizeof(ChildControl) <= control_room);

// Memory that the system can still give, in bytes.
uint64_t available_bytes() {
    FILE* file = fopen("/proc/meminfo", "re");
    if (!file) return UINT64_MAX;
    char line[128];
    unsigned long long kilobytes = 0;
    bool found = false;
    while (!found && fgets(line, sizeof line, file)) found = sscanf(line, "MemAvailable: %llu", &kilobytes) == 1;
    fclose(file);
    return found ? uint64_t{kilobytes} << 10 : UINT64_MAX;
}

// Makes a file without a name where the kernel or a filter refuses memfd_create, in memory if that is possible. It
// cannot be sealed.
int create_without_memfd(os::Descriptor* out_file) {
    const int refused = errno;
    for (const char* pattern : {"/dev/shm/chiphost-XXXXXX", P_tmpdir "/chiphost-XXXXXX"}) {
        char path[64];
        snprintf(path, sizeof path, "%s", pattern);
        *out_file = os::above_streams(mkostemp(path, O_CLOEXEC));
        if (!out_file->ok()) continue;
        unlink(path);
        return 0;
    }
    return refused;
}

}  // namespace

SharedMemory::~SharedMemory() {
    if (control_) munmap(control_, control_room);
    if (arena_) munmap(arena_, mapped_);
}

int SharedMemory::create() {
    file_ = os::above_streams(
        static_cast<int>(syscall(SYS_memfd_create, "chiphost-child", MFD_CLOEXEC | MFD_ALLOW_SEALING)));
    if (file_.ok()) {
        // The file must not shrink: else the other side, gone mad, could make every access here a SIGBUS.
        if (fcntl(file_.get(), F_ADD_SEALS, F_SEAL_SHRINK) != 0) return errno;
    } else if (const int failed = create_without_memfd(&file_)) {
        return failed;
    }
    if (ftruncate(file_.get(), control_room) != 0) return errno;
    if (const int failed = map_control()) return failed;
    control_ = new (control_) ChildControl{};
    control_->magic = child_magic;
    control_->version = child_version;
    control_->control_bytes = sizeof(ChildControl);
    return 0;
}

int SharedMemory::adopt(os::Descriptor file) {
    file_ = std::move(file);
    struct stat status{};
    if (fstat(file_.get(), &status) != 0) return errno;
    if (static_cast<uint64_t>(status.st_size) < control_room) return EPROTO;
    if (const int failed = map_control()) return failed;
    if (control_->magic != child_magic || control_->version != child_version ||
        control_->control_bytes != sizeof(ChildControl)) {
        return EPROTO;
    }
    return follow();
}

int SharedMemory::map_control() {
    void* memory = mmap(nullptr, control_room, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
    if (memory == MAP_FAILED) return errno;
    control_ = static_cast<ChildControl*>(memory);
    return 0;
}

int SharedMemory::map_arena(uint64_t bytes) {
    void* memory = arena_ ? mremap(arena_, mapped_, bytes, MREMAP_MAYMOVE)
                          : mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), control_room);
    if (memory == MAP_FAILED) return errno;
    arena_ = static_cast<char*>(memory);
    mapped_ = bytes;
    return 0;
}

int SharedMemory::reserve(uint64_t bytes) {
    if (bytes <= mapped_) return 0;
    if (bytes > UINT64_MAX / 4) return ENOMEM;
    const uint64_t wanted = align_up(bytes, step_bytes);
    // The kernel would try, and end processes to make room.
    if (wanted - mapped_ > careless_bytes && wanted - mapped_ > available_bytes()) return ENOMEM;
    // This is not ftruncate: where memory is short, that would fail later and as a signal.
    int failed = 0;
    do {
        failed = fallocate(file_.get(), 0, static_cast<off_t>(control_room + mapped_),
                           static_cast<off_t>(wanted - mapped_)) == 0
                     ? 0
                     : errno;
    } while (failed == EINTR);
    if (failed) return failed;
    if ((failed = map_arena(wanted))) return failed;
    control_->arena_bytes = wanted;
    return 0;
}

int SharedMemory::follow() {
    const uint64_t bytes = control_->arena_bytes;
    if (bytes <= mapped_) return 0;
    struct stat status{};
    if (fstat(file_.get(), &status) != 0) return errno;
    if (static_cast<uint64_t>(status.st_size) < control_room + bytes) return EPROTO;
    return map_arena(bytes);
}

void SharedMemory::become_private() {
    constexpr int fixed = MAP_PRIVATE | MAP_FIXED;
    if (control_) mmap(control_, control_room, PROT_READ | PROT_WRITE, fixed, file_.get(), 0);
    if (arena_) mmap(arena_, mapped_, PROT_READ | PROT_WRITE, fixed, file_.get(), control_room);
}

void SharedMemory::trim() {
    if (mapped_ <= kept_when_idle) return;
    fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, control_room + kept_when_idle,
              static_cast<off_t>(mapped_ - kept_when_idle));
}

}  // namespace chiphost::isolate
