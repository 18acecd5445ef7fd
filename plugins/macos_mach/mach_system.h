// SPDX-License-Identifier: MIT
// The system calls of the backend and nothing else, so that tests can run what is above them on
// another system, and let each call fail.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/handle.h"
#include "platform/mapped_file.h"

namespace snakepit::shm {

// The file that stands for a named segment: POSIX shared memory of macOS cannot be listed, has no
// identity, and its mode cannot be changed.
struct SegmentRecord {
    FileIdentity identity;
    std::uint32_t uid = 0, mode = 0;
    Timestamp modified;
};

// Calls return 0 or an error number: of Mach where it says so, else errno.
class MachSystem {
  public:
    virtual ~MachSystem() = default;

    // ---- memory entries (mach_make_memory_entry_64). Mach.
    // New memory, or a handle to that of `parent` with these rights, at most those of `parent`.
    virtual int make_entry(std::uint64_t size, bool writable, const Handle* parent,
                           Handle& entry) = 0;
    virtual FileIdentity entry_identity(const Handle& entry) = 0;

    // ---- mappings of entries and of shared memory (mach_vm_map, mmap). Mach.
    virtual int map(const Handle& segment, std::uint64_t size, bool writable, std::byte*& data) = 0;
    virtual int unmap(std::byte* data, std::uint64_t size) = 0;
    // Bytes of a mapping that are in memory (mach_vm_region).
    virtual int resident(std::byte* data, std::uint64_t size, std::uint64_t& bytes) = 0;

    // ---- POSIX shared memory
    virtual int create_shared(const std::string& name, std::uint64_t size, Handle& handle) = 0;
    virtual int open_shared(const std::string& name, bool writable, Handle& handle,
                            std::uint64_t& size) = 0;
    virtual int remove_shared(const std::string& name) = 0;
    // Processes of this user that have it open (PROC_PIDFDPSHMINFO).
    virtual int users(const std::string& name, std::vector<std::int64_t>& pids) = 0;

    // ---- records of named segments
    virtual int make_directory(const std::string& path) = 0;
    virtual int create_record(const std::string& path) = 0;
    virtual int read_record(const std::string& path, SegmentRecord& record) = 0;
    virtual int change_record(const std::string& path, std::uint32_t mode) = 0;
    virtual int remove_record(const std::string& path) = 0;
    virtual int list_records(const std::string& directory, std::vector<std::string>& names) = 0;

    // Bytes of memory, and of those that are free (host_statistics64). Mach.
    virtual int memory(std::uint64_t& total, std::uint64_t& free) = 0;
};

std::unique_ptr<MachSystem> mach_system();

// Error numbers of Mach that decide something.
inline constexpr int kMachProtection = 2;     // KERN_PROTECTION_FAILURE
inline constexpr int kMachNoSpace = 3;        // KERN_NO_SPACE
inline constexpr int kMachShortage = 6;       // KERN_RESOURCE_SHORTAGE
inline constexpr int kMachInvalidRight = 17;  // KERN_INVALID_RIGHT

}  // namespace snakepit::shm
