// SPDX-License-Identifier: MIT
// Platform Abstraction Layer: what the manager needs from an operating system. Implementations are
// in plugins/. Called on the manager's threads, never concurrently for the same segment.
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
    bool named_segments = false;  // survive the manager and can be found by name
    bool handle_passing = false;  // clients get a handle and need no permission for the name
    bool read_only_handles = false;
    bool reserves_pages =
        false;  // lack of memory is an error when a segment is created, never later
    bool process_watch = false;  // a handle becomes readable when a process ends
};

struct Segment {
    Handle handle;
    std::uint64_t size = 0;  // bytes, a whole number of pages
    FileIdentity identity;
};

struct SegmentInfo {
    std::string name;
    std::uint64_t size = 0;
    std::uint64_t allocated = 0;  // bytes of memory in use
    FileIdentity identity;
    std::uint32_t uid = 0;
    std::uint32_t mode = 0;  // permission bits
    Timestamp modified;
};

struct SegmentSpace {
    std::uint64_t total = 0;  // bytes
    std::uint64_t free = 0;
    // Files that can still be created; 2^64 - 1 if the file system has no limit.
    std::uint64_t free_files = ~std::uint64_t{0};
};

inline constexpr std::uint64_t kHugePage = 2 << 20;  // bytes

struct BackendOptions {
    std::string shm_path = "/dev/shm";  // where segments are created
    // Where segments with kDurablePrefix are: an absolute path on a disk.
    std::string durable_path;
    // Keeps descriptors of segments without a name for the next manager; null: they end with this
    // process.
    std::shared_ptr<DescriptorKeeper> keeper;
};
inline constexpr std::string_view kDurablePrefix = "durable/";
// The prefix for segments without a name in the file system (memfd). The rest is the name in
// /proc/<pid>/maps and at the keeper.
inline constexpr std::string_view kAnonymousPrefix = "memfd:";

// The use of a segment: shared as it is, or filled by the manager and then made read-only
// permanently.
enum class SegmentUse : std::uint8_t { shared, to_be_sealed };

// The state of the keeper for segments without a name.
struct Keeping {
    std::uint64_t segments = 0;  // without a name
    std::uint64_t kept = 0;      // of those, known to a keeper
    std::string keeper;          // its display name; empty: none yet
    std::string problem;         // why some are not kept; empty if all are
};

// Whether a new segment's memory is reserved at once, or later and by whom.
enum class Pages : std::uint8_t { reserved, on_demand };

class PlatformBackend {
  public:
    virtual ~PlatformBackend() = default;

    virtual std::string_view name() const = 0;  // "linux_posix"
    virtual Capabilities capabilities() const = 0;

    // Creates a new segment, readable and writable by our user only, all zero. no_space if the file
    // system or a control group of this process has no room; then nothing is left behind.
    virtual Result<Segment> create_segment(const std::string& name, std::uint64_t size,
                                           Pages pages = Pages::reserved,
                                           SegmentUse use = SegmentUse::shared) = 0;
    // Reserves these bytes of a segment, so that accessing them never faults; their contents stay.
    virtual Status reserve(const Handle& segment, std::uint64_t offset, std::uint64_t size) = 0;
    // Checks that a segment whose memory a client reserved has every page and its original size.
    // no_space if pages are missing, corruption_detected if its size changed.
    virtual Status check_reserved(const Handle&, std::uint64_t) { return {}; }
    // Releases the memory of these bytes; they are then zero and not reserved.
    virtual Status discard(const Handle& segment, std::uint64_t offset, std::uint64_t size) = 0;
    // Asks for huge pages under `size` reserved bytes at `data`, both multiples of kHugePage.
    // not_supported, with the reason, if the system does not provide them.
    virtual Status use_huge_pages(std::byte* data, std::uint64_t size) = 0;
    // Makes a segment read-only for handles opened from now on, or writable again. A segment
    // without a name becomes read-only for all, permanently: it must have been created with
    // to_be_sealed and must not be mapped for writing; making it writable again is not_supported.
    virtual Status set_read_only(const std::string& name, bool read_only) = 0;
    virtual Result<Segment> open_segment(const std::string& name, AccessMode access) = 0;
    // Releases the memory at once, even if idle clients still map it, and removes the name. A
    // missing segment is not an error. A segment other than `expected` is left alone:
    // security_violation. Without `expected` it works like remove_unused_segment().
    virtual Status remove_segment(const std::string& name, const FileIdentity& expected) = 0;
    // Removes a segment if the kernel confirms that no process has it open or mapped; otherwise
    // region_in_use. For segments that another manager may have created.
    virtual Status remove_unused_segment(const std::string& name, const FileIdentity& expected) {
        return remove_segment(name, expected);
    }
    // Drops an unknown segment without a name: processes that hold it keep it.
    virtual Status forget_segment(const std::string& name) = 0;
    // Supervises the descriptor keeper: replaces it if it ended, and sends it all descriptors. Call
    // about once a second.
    virtual Keeping tend_keeper() { return {}; }
    virtual Result<SegmentInfo> inspect_segment(const std::string& name) = 0;
    // Every segment whose name begins with `prefix`.
    virtual Result<std::vector<SegmentInfo>> list_segments(std::string_view prefix) = 0;
    virtual Result<SegmentSpace> space() = 0;
    // The visible processes that map the segment or have it open; evidence for cleanup.
    virtual Result<std::vector<std::int64_t>> users_of(const FileIdentity& segment) = 0;

    virtual Result<ProcessInfo> process(std::int64_t pid) = 0;
    virtual Result<Handle> watch(std::int64_t pid) = 0;
    virtual Result<Credentials> peer(const Handle& socket) = 0;
};

}  // namespace snakepit::shm
