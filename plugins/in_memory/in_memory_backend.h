// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <set>

#include "platform/backend.h"

namespace snakepit::shm {

// The operating system's twin for unit tests: names, room and processes are simulated and can be
// made to fail; the memory behind a handle is real, so that handles can be mapped.
class InMemoryBackend final : public PlatformBackend {
  public:
    static Result<std::unique_ptr<PlatformBackend>> create(const BackendOptions& options);

    // ---- what a test sets
    std::uint64_t capacity = 1ULL << 40;  // bytes; more is no_space
    bool fail_removal = false;            // remove_segment fails as if permission were missing
    std::map<std::int64_t, ProcessInfo> processes;
    std::map<std::string, std::vector<std::int64_t>> users;  // by segment name
    // Forgets all segments but those whose name begins with `kept`.
    void lose_segments(std::string_view kept) {
        std::erase_if(segments_, [&](const auto& entry) { return !entry.first.starts_with(kept); });
    }
    std::size_t segment_count() const { return segments_.size(); }

    std::string_view name() const override { return "in_memory"; }
    Capabilities capabilities() const override;
    Result<Segment> create_segment(const std::string& name, std::uint64_t size, Pages pages,
                                   SegmentUse use) override;
    Status reserve(const Handle& segment, std::uint64_t offset, std::uint64_t size) override;
    Status discard(const Handle& segment, std::uint64_t offset, std::uint64_t size) override;
    Status use_huge_pages(std::byte* data, std::uint64_t size) override;
    Status set_read_only(const std::string& name, bool read_only) override;
    Result<Segment> open_segment(const std::string& name, AccessMode access) override;
    Status remove_segment(const std::string& name, const FileIdentity& expected) override;
    Status forget_segment(const std::string& name) override;
    Result<SegmentInfo> inspect_segment(const std::string& name) override;
    Result<std::vector<SegmentInfo>> list_segments(std::string_view prefix) override;
    Result<SegmentSpace> space() override;
    Result<std::vector<std::int64_t>> users_of(const FileIdentity& segment) override;
    Result<ProcessInfo> process(std::int64_t pid) override;
    Result<Handle> watch(std::int64_t pid) override;
    Result<Credentials> peer(const Handle& socket) override { return peer_of(socket); }

  private:
    struct Stored {
        Handle file;
        SegmentInfo info;
    };
    std::uint64_t used() const;
    Status count_pages(const Handle& segment);
    std::map<std::string, Stored> segments_;
};

}  // namespace snakepit::shm
