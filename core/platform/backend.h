// SPDX-License-Identifier: MIT
// The specification's Platform Abstraction Layer: what the manager asks of an operating system.
// Implementations live in plugins/; their calls come from the manager's threads, never two at a
// time on the same segment.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/handle.h"
#include "base/region.h"
#include "base/result.h"
#include "platform/channel.h"
#include "platform/mapped_file.h"
#include "platform/process.h"

namespace snakepit::shm {

struct Capabilities {
    bool named_segments = false;  // survive the manager, can be found again by name
    bool handle_passing = false;  // clients get a handle and need no right on the name
    bool read_only_handles = false;
    bool reserves_pages = false;  // a full system is an error when a segment is made, never later
    bool process_watch = false;   // a handle tells when a process ends
};

struct Segment {
    Handle handle;
    std::uint64_t size = 0;  // bytes, a whole number of pages
    FileIdentity identity;
};

struct SegmentInfo {
    std::string name;
    std::uint64_t size = 0;
    std::uint64_t allocated = 0;  // bytes of memory it takes now
    FileIdentity identity;
    std::uint32_t uid = 0;
    std::uint32_t mode = 0;  // permission bits
    Timestamp modified;
};

struct SegmentSpace {
    std::uint64_t total = 0;  // bytes
    std::uint64_t free = 0;
};

struct BackendOptions {
    std::string shm_path = "/dev/shm";  // where segments are made
    bool use_hugepages = false;
};

class PlatformBackend {
  public:
    virtual ~PlatformBackend() = default;

    virtual std::string_view name() const = 0;  // "linux_posix"
    virtual Capabilities capabilities() const = 0;

    // Makes a segment that did not exist, readable and writable by our user alone, all zero, with
    // every page reserved. no_space when there is no room; nothing is left behind then.
    virtual Result<Segment> create_segment(const std::string& name, std::uint64_t size) = 0;
    virtual Result<Segment> open_segment(const std::string& name, AccessMode access) = 0;
    // Gives the memory back at once, also where idle clients still map it, and removes the name.
    // A segment that is gone already is no error; one that is not `expected` is left alone and is
    // security_violation.
    virtual Status remove_segment(const std::string& name, const FileIdentity& expected) = 0;
    virtual Result<SegmentInfo> inspect_segment(const std::string& name) = 0;
    // Every segment whose name begins with `prefix`.
    virtual Result<std::vector<SegmentInfo>> list_segments(std::string_view prefix) = 0;
    virtual Result<SegmentSpace> space() = 0;
    // Processes that map or hold the segment, as far as we may look; evidence for clean-up.
    virtual Result<std::vector<std::int64_t>> users_of(const FileIdentity& segment) = 0;

    virtual Result<ProcessInfo> process(std::int64_t pid) = 0;
    virtual Result<Handle> watch(std::int64_t pid) = 0;
    virtual Result<Credentials> peer(const Handle& socket) = 0;
};

}  // namespace snakepit::shm
