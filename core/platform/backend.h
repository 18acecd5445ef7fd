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
#include "platform/keeper.h"
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
    // Files that can still be made; 2^64 - 1 where the file system counts none.
    std::uint64_t free_files = ~std::uint64_t{0};
};

inline constexpr std::uint64_t kHugePage = 2 << 20;  // bytes

struct BackendOptions {
    std::string shm_path = "/dev/shm";  // where segments are made
    // Where those are whose name begins with kDurablePrefix: a directory on a disk, absolute.
    std::string durable_path;
    // Holds descriptors of segments without a name for the next manager; none: they end with us.
    std::shared_ptr<DescriptorKeeper> keeper;
};
inline constexpr std::string_view kDurablePrefix = "durable/";
// Begins the name of a segment that has none in the file system (memfd): what follows is what the
// system shows in /proc/<pid>/maps, and what the keeper knows it by.
inline constexpr std::string_view kAnonymousPrefix = "memfd:";

// What becomes of a segment: used as it is, or filled by us and then made read-only for ever.
enum class SegmentUse : std::uint8_t { shared, to_be_sealed };

// How the descriptors of segments without a name are kept for the next manager.
struct Keeping {
    std::uint64_t segments = 0;  // without a name
    std::uint64_t kept = 0;      // of those, known to a keeper
    std::string keeper;          // who it is; empty: nobody yet
    std::string problem;         // why some are not kept; empty when all are
};

// Whether a new segment has its memory at once, or where and when it is reserved.
enum class Pages : std::uint8_t { reserved, on_demand };

class PlatformBackend {
  public:
    virtual ~PlatformBackend() = default;

    virtual std::string_view name() const = 0;  // "linux_posix"
    virtual Capabilities capabilities() const = 0;

    // Makes a segment that did not exist, readable and writable by our user alone, all zero.
    // no_space when there is no room, in the file system or in a control group of this process;
    // nothing is left behind then.
    virtual Result<Segment> create_segment(const std::string& name, std::uint64_t size,
                                           Pages pages = Pages::reserved,
                                           SegmentUse use = SegmentUse::shared) = 0;
    // Makes sure that touching these bytes of a segment can never fault; what they hold stays.
    virtual Status reserve(const Handle& segment, std::uint64_t offset, std::uint64_t size) = 0;
    // Makes sure that a segment made on demand, which somebody else reserved, has every page and
    // the size it was made with. no_space when pages are missing, corruption_detected when it was
    // cut or has grown.
    virtual Status check_reserved(const Handle&, std::uint64_t) { return {}; }
    // Gives the memory of these bytes back; they are zero afterwards, and not reserved.
    virtual Status discard(const Handle& segment, std::uint64_t offset, std::uint64_t size) = 0;
    // Asks for huge pages under `size` reserved bytes at `data`, both multiples of kHugePage.
    // not_supported, with the reason, where the system has none to give.
    virtual Status use_huge_pages(std::byte* data, std::uint64_t size) = 0;
    // Takes the right to write from a segment, for handles opened from now on, or gives it back.
    // From one without a name for everybody and ever: it must have been made to_be_sealed, nobody
    // may have it mapped for writing, and giving back is not_supported.
    virtual Status set_read_only(const std::string& name, bool read_only) = 0;
    virtual Result<Segment> open_segment(const std::string& name, AccessMode access) = 0;
    // Gives the memory back at once, also where idle clients still map it, and removes the name.
    // A segment that is gone already is no error; one that is not `expected` is left alone and is
    // security_violation.
    // Without an `expected` one it is removed as remove_unused_segment() does it.
    virtual Status remove_segment(const std::string& name, const FileIdentity& expected) = 0;
    // Removes a segment that nobody has open or maps, by the kernel's word; region_in_use
    // otherwise. For what another manager may have made.
    virtual Status remove_unused_segment(const std::string& name, const FileIdentity& expected) {
        return remove_segment(name, expected);
    }
    // Lets go of a segment without a name that nobody here knows: whoever holds it keeps it.
    virtual Status forget_segment(const std::string& name) = 0;
    // Looks after the keeper of descriptors: one that ended is replaced, and gets them all. Call
    // about once a second.
    virtual Keeping tend_keeper() { return {}; }
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
