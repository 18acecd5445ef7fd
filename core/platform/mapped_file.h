// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm {

// Owns one shared mapping; the descriptor may be closed. Move-only.
class Mapping {
  public:
    enum class Access : std::uint8_t { read_only, read_write };

    Mapping() = default;
    // Maps `size` bytes of `handle` from `offset` on, a whole number of pages. With `inherit` false
    // a forked child does not get the mapping (MADV_DONTFORK); failing that is an error, because
    // liveness locks depend on it.
    static Result<Mapping> map(const Handle& handle, std::size_t size, Access access,
                               bool inherit = false, std::uint64_t offset = 0);

    // A second mapping of the same memory that cannot be written through; needs no descriptor.
    Result<Mapping> read_only_twin() const;

    // Whether a child that is forked from now on gets the mapping.
    Status let_inherit(bool inherit) const;
    // Replaces a part of a mapping, whole pages, by memory that cannot be accessed.
    static void forbid(std::byte* data, std::size_t size);

    Mapping(Mapping&& other) noexcept;
    Mapping& operator=(Mapping&& other) noexcept;
    ~Mapping() { reset(); }

    std::byte* data() const { return data_; }
    std::size_t size() const { return size_; }
    bool valid() const { return data_ != nullptr; }
    void reset();
    // Drops the mapping without unmapping it, for a forked child, which did not inherit it.
    void abandon() {
        data_ = nullptr;
        size_ = 0;
    }

  private:
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

// The identity of an open file.
struct FileIdentity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};
Result<FileIdentity> identity_of(const Handle& handle);

// Size in bytes, as it is now.
Result<std::uint64_t> size_of(const Handle& handle);

// Reserves pages of any file, whose size stays; retried when a signal interrupts.
Status reserve_pages(const Handle& handle, std::uint64_t offset, std::uint64_t size);

// Makes a file `end` bytes long if it is shorter. `size`: what it was known to have, and has
// afterwards. A file that has less was cut by somebody and must not look whole again:
// corruption_detected.
Status extend_file(const Handle& handle, std::uint64_t& size, std::uint64_t end);

// How many bytes a file may have.
struct FileSizes {
    std::uint64_t least = 0, most = 0;
};

// A file and its mapping. The mapping has room for the largest size, so that it stays where it is
// when the file grows; what lies behind the file's end must not be touched.
class MappedFile {
  public:
    MappedFile() = default;

    // Opens or creates `path` (mode 0600, links not followed) with exactly `size` bytes, sparse,
    // mapped read-write. `created`: it was created. A file of another size, owner or kind is
    // corruption_detected.
    static Result<MappedFile> open_or_create(const std::string& path, FileSizes sizes,
                                             bool& created);
    // Maps an existing file of at least the least size; no_manager when there is none.
    static Result<MappedFile> open_read_only(const std::string& path, FileSizes sizes);

    // Reserves the bytes, so that accessing them never faults; no_space if the file system is full.
    Status reserve(std::uint64_t offset, std::uint64_t size);
    // Makes the file `end` bytes long if it is shorter; see extend_file.
    Status extend(std::uint64_t end) { return extend_file(handle_, size_, end); }
    // Its size when it was opened or last extended.
    std::uint64_t size() const { return size_; }

    std::byte* data() const { return mapping_.data(); }
    bool valid() const { return mapping_.valid(); }
    const FileIdentity& identity() const { return identity_; }
    const Handle& handle() const { return handle_; }
    // True if `path` now refers to another file. A path that does not exist is not "replaced".
    bool replaced(const std::string& path) const;

  private:
    Handle handle_;
    Mapping mapping_;
    FileIdentity identity_;
    std::uint64_t size_ = 0;
};

// A part of a file that may contain data.
struct DataRange {
    std::uint64_t offset = 0, size = 0;  // bytes
};
// The data ranges of a file's bytes from `from` up to `end`, in order, in whole pages. On a tmpfs,
// reserved pages that were never accessed are not included.
std::vector<DataRange> data_ranges(const Handle& handle, std::uint64_t end, std::uint64_t from = 0);
// Takes the memory of these bytes of a mapping, whose file is a tmpfs's or a memfd: it is charged
// to this process, and is data from now on. Nobody else may write to them meanwhile. False: there
// is not enough, or the file was cut.
bool take_pages(std::byte* data, std::uint64_t size);

}  // namespace snakepit::shm
