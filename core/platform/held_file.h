// SPDX-License-Identifier: MIT
// Small files in a directory that everybody may write to, held by a lock while a process lives.
//
// The lock is an open-file-description lock. The descriptor is closed, and a mapping that children
// do not inherit keeps the description: the lock ends with this process image, whatever ends it,
// and no fork, keeper or command that is run gets it.
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

    // Makes an empty file of mode 0600 and locks it. Needs an inode, but no page of memory.
    static Result<HeldFile> create(const std::string& directory, const std::string& name);
    // Locks a file that is there. Nothing: somebody else holds it, or it went meanwhile.
    static std::optional<HeldFile> take(const std::string& directory, const std::string& name);

    bool valid() const { return mapping_.valid(); }
    const std::string& name() const { return name_; }
    // Whether the name still leads to this file.
    bool named() const;
    // Replaces the contents. no_space leaves an empty file.
    Status write(std::string_view text) const;
    // Removes the name, if it is still this file's, and lets go.
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
    bool held = false;      // somebody holds it, in whatever namespace; perhaps this process
    std::string text;       // at most kMostText bytes
};

struct SmallFiles {
    std::vector<SmallFile> files;
    bool complete = true;  // false: the directory could not be read to its end
};

inline constexpr std::size_t kMostText = 8192;

// The regular files of `uid` whose names begin with `prefix`. Everything else of such a name
// (links, pipes, directories, other users' files) is passed by. Takes no lock, follows nothing,
// never waits.
SmallFiles list_small_files(const std::string& directory, const std::string& prefix,
                            std::uint32_t uid);

}  // namespace snakepit::shm
