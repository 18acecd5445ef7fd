// SPDX-License-Identifier: MIT
#pragma once

#include "linux_posix/memfd_segments.h"
#include "platform/backend.h"

namespace snakepit::shm {

// Segments are files on a tmpfs (shm_path), opened by path and not by shm_open, which knows only
// /dev/shm; those whose name begins with kAnonymousPrefix are memfds. See PlatformBackend for what
// each call promises.
class LinuxPosixBackend final : public PlatformBackend {
  public:
    // platform_error when shm_path is not a directory that we may write to.
    static Result<std::unique_ptr<PlatformBackend>> create(const BackendOptions& options);

    std::string_view name() const override { return "linux_posix"; }
    Capabilities capabilities() const override;
    Result<Segment> create_segment(const std::string& name, std::uint64_t size, Pages pages,
                                   SegmentUse use) override;
    Status reserve(const Handle& segment, std::uint64_t offset, std::uint64_t size) override;
    Status check_reserved(const Handle& segment, std::uint64_t size) override;
    Status discard(const Handle& segment, std::uint64_t offset, std::uint64_t size) override;
    Status use_huge_pages(std::byte* data, std::uint64_t size) override;
    Status set_read_only(const std::string& name, bool read_only) override;
    Result<Segment> open_segment(const std::string& name, AccessMode access) override;
    Status remove_segment(const std::string& name, const FileIdentity& expected) override;
    Status remove_unused_segment(const std::string& name, const FileIdentity& expected) override;
    Status forget_segment(const std::string& name) override { return memfds_.forget(name); }
    Keeping tend_keeper() override { return memfds_.tend(); }
    Result<SegmentInfo> inspect_segment(const std::string& name) override;
    Result<std::vector<SegmentInfo>> list_segments(std::string_view prefix) override;
    Result<SegmentSpace> space() override;
    Result<std::vector<std::int64_t>> users_of(const FileIdentity& segment) override;
    Result<ProcessInfo> process(std::int64_t pid) override { return inspect_process(pid); }
    Result<Handle> watch(std::int64_t pid) override { return watch_process(pid); }
    Result<Credentials> peer(const Handle& socket) override { return peer_of(socket); }

  private:
    explicit LinuxPosixBackend(BackendOptions options)
        : options_(std::move(options)), memfds_(options_.keeper) {}
    std::string path_of(std::string_view name) const;
    Error without_room(Error error, std::uint64_t bytes);

    BackendOptions options_;
    MemfdSegments memfds_;
};

}  // namespace snakepit::shm
