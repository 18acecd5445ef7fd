// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <mutex>
#include <optional>

#include "platform/backend.h"
#include "windows_filemapping/security_descriptor.h"

namespace snakepit::shm {

// [shared_memory.platform_options.windows] of the configuration.
struct WindowsOptions {
    bool use_large_pages = false;
    // In SDDL: who may open segments, besides their user. Empty: nobody.
    std::string security_descriptor;
};

// Segments are sections backed by the page file. A name lives as long as any process has a handle,
// so this object keeps one to each segment that it created. See PlatformBackend for what each call
// promises, and README.md for where Windows promises less.
class WindowsFilemappingBackend final : public PlatformBackend {
  public:
    // `shm_path` is "Global" for names that all sessions see; otherwise names belong to the
    // session.
    static Result<std::unique_ptr<PlatformBackend>> create(const BackendOptions& options) {
        return create(options, {});
    }
    static Result<std::unique_ptr<PlatformBackend>> create(const BackendOptions& options,
                                                           const WindowsOptions& windows);

    // Why new segments have no large pages although they were asked for; empty: they have them, or
    // they were not asked for.
    const std::string& large_page_problem() const { return large_page_problem_; }

    std::string_view name() const override { return "windows_filemapping"; }
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
    Status forget_segment(const std::string& name) override;
    Result<SegmentInfo> inspect_segment(const std::string& name) override;
    Result<std::vector<SegmentInfo>> list_segments(std::string_view prefix) override;
    Result<SegmentSpace> space() override;
    Result<std::vector<std::int64_t>> users_of(const FileIdentity& segment) override;
    Result<ProcessInfo> process(std::int64_t pid) override { return inspect_process(pid); }
    Result<Handle> watch(std::int64_t pid) override { return watch_process(pid); }
    Result<Credentials> peer(const Handle& pipe) override { return peer_of(pipe); }

  private:
    struct Known {
        Handle handle;
        FileIdentity identity;
        SegmentUse use = SegmentUse::shared;
    };
    WindowsFilemappingBackend() = default;
    Result<std::wstring> object_name(std::string_view name) const;
    // A handle of ours to a segment, whoever created it; mapping_failed if there is none.
    Result<Handle> reach(const std::string& name, DWORD rights);
    Status seal_nameless(const std::string& name);
    Known* find(const std::string& name);

    bool global_ = false;
    std::uint64_t large_page_ = 0;  // bytes; 0: not used
    std::string large_page_problem_;
    std::optional<SectionAccess> access_;
    std::mutex mutex_;  // guards what follows
    std::map<std::string, Known> known_;
};

}  // namespace snakepit::shm
