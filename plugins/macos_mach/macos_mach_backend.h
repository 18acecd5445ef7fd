// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <mutex>

#include "macos_mach/mach_system.h"
#include "platform/backend.h"

namespace snakepit::shm {

// Memory without a name is a memory entry of Mach, handed over as a port; a named segment is POSIX
// shared memory with a record beside it. See PlatformBackend for what each call promises, and
// README.md for where macOS promises less.
class MacosMachBackend final : public PlatformBackend {
  public:
    // `shm_path` is the directory of the records; "/dev/shm", the default, stands for a directory
    // of this user in /tmp.
    static Result<std::unique_ptr<PlatformBackend>> create(const BackendOptions& options);
    static Result<std::unique_ptr<PlatformBackend>> create(const BackendOptions& options,
                                                           std::unique_ptr<MachSystem> system);

    std::string_view name() const override { return "macos_mach"; }
    Capabilities capabilities() const override;
    Result<Segment> create_segment(const std::string& name, std::uint64_t size, Pages pages,
                                   SegmentUse use) override;
    Status reserve(const Handle& segment, std::uint64_t offset, std::uint64_t size) override;
    Status discard(const Handle& segment, std::uint64_t offset, std::uint64_t size) override;
    Status use_huge_pages(std::byte* data, std::uint64_t size) override;
    Status set_read_only(const std::string& name, bool read_only) override;
    Result<Segment> open_segment(const std::string& name, AccessMode access) override;
    Status remove_segment(const std::string& name, const FileIdentity& expected) override;
    Status remove_unused_segment(const std::string& name, const FileIdentity& expected) override;
    Status forget_segment(const std::string& name) override;
    Result<SegmentInfo> inspect_segment(const std::string& name) override;
    Result<std::vector<SegmentInfo>> list_segments(std::string_view prefix) override;
    Result<SegmentSpace> space() override;
    Result<std::vector<std::int64_t>> users_of(const FileIdentity& segment) override;
    Result<ProcessInfo> process(std::int64_t pid) override { return inspect_process(pid); }
    Result<Handle> watch(std::int64_t pid) override { return watch_process(pid); }
    Result<Credentials> peer(const Handle& socket) override { return peer_of(socket); }

  private:
    struct Entry {
        Handle handle;  // with all rights, until it is sealed
        std::uint64_t size = 0;
        FileIdentity identity;
        SegmentUse use = SegmentUse::shared;
        bool sealed = false;
        Timestamp created;
    };
    MacosMachBackend(std::string directory, std::unique_ptr<MachSystem> system)
        : directory_(std::move(directory)), system_(std::move(system)) {}

    Result<std::string> record_path(const std::string& name) const;
    Result<SegmentRecord> record_of(const std::string& name);
    Result<Segment> create_entry(const std::string& name, std::uint64_t size, SegmentUse use);
    Result<Segment> create_named(const std::string& name, std::uint64_t size);
    Result<Segment> open_entry(const std::string& name, AccessMode access);
    Status remove_entry(const std::string& name, const FileIdentity& expected);
    Status seal_entry(const std::string& name);
    Status remove_named(const std::string& name);
    Status check_identity(const std::string& name, const FileIdentity& expected);
    Result<std::uint64_t> resident(const Segment& segment);
    Result<SegmentInfo> inspect_entry(const std::string& name);

    std::string directory_;
    std::unique_ptr<MachSystem> system_;
    std::mutex mutex_;  // guards what follows
    std::map<std::string, Entry> entries_;
};

// The name of a segment for shm_open(): macOS allows 31 bytes.
std::string shared_name(std::string_view name);

}  // namespace snakepit::shm
