// SPDX-License-Identifier: MIT
#include "memory/durable_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include <fmt/format.h>

#include "base/handle.h"
#include "base/make_directory.h"
#include "platform/resource_error.h"

namespace snakepit::shm {

using namespace layout;

namespace {

constexpr std::uint64_t kMagic = 0x31525544'4D485353ULL;  // "SSHMDUR1"
constexpr std::string_view kUnfinished = ".region.new";   // of a save that was cut off
static_assert(sizeof(DurableRecord) % 64 == 0);

Status sync_directory(const std::string& path) {
    const Handle directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory && ::fsync(directory.get()) == 0) return {};
    return fail(system_error(errno, fmt::format("cannot write {}", path)));
}

bool valid(const DurableRecord& record) {
    return record.magic == kMagic && record.version == kVersion &&
           record.checksum == checksum_of(record) &&
           record.fixed.checksum == checksum_of(record.fixed) &&
           record.body.checksum == checksum_of(record.body);
}

}  // namespace

DurableRecord DurableStore::describe(const SlotFixed& fixed, const SlotBody& body,
                                     const char* metadata, std::string_view name) {
    DurableRecord record{};
    record.magic = kMagic;
    record.version = kVersion;
    record.fixed = fixed;
    record.body = body;
    if (metadata && body.metadata_bytes > 0)
        std::memcpy(record.metadata.text, metadata, body.metadata_bytes);
    name.copy(record.name.text, sizeof record.name.text - 1);
    record.checksum = checksum_of(record);
    return record;
}

Status DurableStore::save(const DurableRecord& record) const {
    const auto path = path_of({record.fixed.id_micros, record.fixed.id_random});
    const auto fresh = path + ".new";  // ends with kUnfinished
    SHM_TRY(make_directory(directory_));
    {
        const Handle file(
            ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!file ||
            ::write(file.get(), &record, sizeof record) != static_cast<ssize_t>(sizeof record) ||
            ::fsync(file.get()) != 0)
            return fail(file_error(errno, fmt::format("cannot write {}", fresh), fresh));
    }
    if (std::rename(fresh.c_str(), path.c_str()) != 0)
        return fail(file_error(errno, fmt::format("cannot write {}", path), path));
    return sync_directory(directory_);
}

bool DurableStore::has(const RegionId& id) const {
    return ::access(path_of(id).c_str(), F_OK) == 0;
}

Status DurableStore::forget(const RegionId& id) const {
    ::unlink((path_of(id) + ".new").c_str());
    if (::unlink(path_of(id).c_str()) == 0) return sync_directory(directory_);
    if (errno == ENOENT) return {};
    return fail(system_error(errno, fmt::format("cannot remove {}", path_of(id)),
                             ErrorCode::cleanup_failed));
}

std::vector<DurableRecord> DurableStore::all(std::vector<std::string>& damaged) const {
    std::vector<DurableRecord> out;
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(directory_.c_str()), ::closedir);
    if (!directory) return out;
    while (const auto* entry = ::readdir(directory.get())) {
        const std::string name(entry->d_name);
        if (name.ends_with(kUnfinished)) ::unlink((directory_ + "/" + name).c_str());
        if (!name.ends_with(".region")) continue;
        DurableRecord record{};
        const Handle file(
            ::open((directory_ + "/" + name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
        const bool read = file && ::read(file.get(), &record, sizeof record) ==
                                      static_cast<ssize_t>(sizeof record);
        if (read && valid(record))
            out.push_back(record);
        else
            damaged.push_back(name);
    }
    return out;
}

}  // namespace snakepit::shm
