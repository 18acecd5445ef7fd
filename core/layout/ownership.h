// SPDX-License-Identifier: MIT
// Determines the owner of a segment when several managers of one instance name share a directory of
// segments: in containers, for other users, with other runtime directories.
//
// Each registry has a tag, 32 bits of its random epoch, and each segment's name ends in a number
// whose upper half is the tag of its registry. Each manager holds a mark: a file in the directory
// of segments whose name has the registry's epoch, locked for as long as the manager lives. A held
// mark means: keep. A mark that is not held means that its manager is dead, but it may be started
// again: its segments are stale only if its registry is proved lost. Everything in the directory is
// a hint that another process may have written, so it can only add a reason to keep.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/paths.h"
#include "base/result.h"
#include "platform/file_system.h"
#include "platform/held_file.h"

namespace snakepit::shm {

// The number of an arena or a region of the registry `epoch`.
constexpr std::uint64_t tagged(std::uint64_t epoch, std::uint64_t random) {
    return epoch << 32 | (random & 0xFFFFFFFFU);
}
constexpr std::uint32_t tag_of(std::uint64_t number) {
    return static_cast<std::uint32_t>(number >> 32);
}

// The number in the part of a segment's name after "snakepit_<instance>_"; empty for other names.
std::optional<std::uint64_t> number_of(std::string_view name_end);

// Our own mark: .snakepit_<instance>@<user>-<epoch>-<random>. One thread.
class OwnershipMark {
  public:
    OwnershipMark() = default;
    // Takes over the mark of an earlier manager of this registry, or creates one. Never fails:
    // problem() describes a failure, and tend() retries.
    OwnershipMark(std::string directory, const InstancePaths& paths, std::uint32_t uid,
                  std::uint64_t epoch);

    // Once a second: creates what could not be created before, or was removed.
    void tend();
    // Empty while the mark exists and is complete.
    const std::string& problem() const { return problem_; }
    const std::string& name() const { return file_.name(); }
    // For an orderly exit that leaves no segments.
    void remove() { file_.remove(); }

  private:
    void adopt(std::uint32_t uid);
    Status make();

    std::string directory_, prefix_, text_;
    HeldFile file_;
    bool written_ = false;
    std::string problem_;
};

enum class Owner : std::uint8_t {
    us,         // belongs to our registry, whether it is recorded there or not
    nobody,     // belongs to a dead manager whose registry is proved lost
    running,    // belongs to another, live manager
    may_return  // belongs to a dead manager that may restart, or its owner is unknown
};

// A snapshot of the marks of one instance name and user.
class Ownership {
  public:
    // `own_mark`: the name of our mark; empty if we hold none: every mark of `own_epoch`.
    static Ownership read(const std::string& directory, const std::string& instance,
                          std::uint32_t uid, std::uint64_t own_epoch,
                          const std::string& own_mark = {});

    // By the tag in a segment's name.
    Owner owner(std::uint32_t tag);
    bool marked(std::uint32_t tag) const { return marks_.contains(tag); }

    // True if a live manager uses a registry with the same epoch as the one in `paths`, in another
    // directory: ours is a copy, and its regions belong to that manager.
    static bool copied(const std::string& directory, const InstancePaths& paths, std::uint32_t uid);

    // Removes the marks of dead managers that left no segment with their tag. Marks of earlier
    // releases, which are not locked, stay while `unmarked` segments are left or their registry
    // exists.
    void remove_dead(const std::unordered_set<std::uint32_t>& tags_left, bool unmarked) const;

    // The contents of a mark.
    struct Place {
        std::string view;
        DirectoryId directory;
        std::string registry;  // path
    };
    static std::string format(const Place& place);
    // Empty if a part is missing or not in the form that format() writes.
    static std::optional<Place> parse(std::string_view text);

  private:
    struct Mark {
        std::string name;
        std::uint64_t epoch = 0;
        bool held = false;
        std::optional<Place> place;
        std::optional<bool> lost;  // cached after the first query
    };
    bool lost(Mark& mark) const;

    std::string directory_, view_;
    std::uint64_t own_epoch_ = 0;
    std::multimap<std::uint32_t, Mark> marks_;  // of other managers, by tag
    std::map<std::string, std::string> old_;    // of earlier releases; the value: a registry's path
    bool complete_ = true;
};

}  // namespace snakepit::shm
