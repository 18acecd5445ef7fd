// SPDX-License-Identifier: MIT
// Small files in a world-writable directory, held by a lock for the life of a process.
//
// The lock is an open-file-description lock. The descriptor is closed, and a mapping that children
// do not inherit keeps the description: the lock ends with this process image, however it ends, and
// is not inherited by forks, the keeper or commands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "platform/mapped_file.h"

namespace snakepit::shm {

class HeldFile {
  public:
    HeldFile() = default;

    // Creates an empty file of mode 0600 and locks it. Needs an inode, but no page of memory.
    static Result<HeldFile> create(const std::string& directory, const std::string& name);
    // Locks an existing file. Empty: another process holds it, or it was removed meanwhile.
    static std::optional<HeldFile> take(const std::string& directory, const std::string& name);

    bool valid() const { return mapping_.valid(); }
    const std::string& name() const { return name_; }
    // Whether the name still refers to this file.
    bool named() const;
    // Replaces the contents. no_space leaves an empty file.
    Status write(std::string_view text) const;
    // Removes the name, if it still refers to this file, and releases the lock.
    void remove();

  private:
    static std::optional<HeldFile> lock(const Handle& file, const std::string& directory,
                                        const std::string& name);
    std::string path() const { return directory_ + "/" + name_; }

    std::string directory_, name_;
    FileIdentity identity_;
    Mapping mapping_;
};

struct SmallFile {
    std::string name;
    bool readable = false;  // false: neither `held` nor `text` is known
    bool held = false;      // a process in any namespace holds it, perhaps this one
    std::string text;       // at most kMostText bytes
};

struct SmallFiles {
    std::vector<SmallFile> files;
    bool complete = true;  // false: the directory could not be read completely
};

inline constexpr std::size_t kMostText = 8192;

// The regular files of `uid` whose names begin with `prefix`. Other files with such names (links,
// pipes, directories, other users' files) are ignored. Takes no lock, follows no link, never
// blocks.
SmallFiles list_small_files(const std::string& directory, const std::string& prefix,
                            std::uint32_t uid);

}  // namespace snakepit::shm
