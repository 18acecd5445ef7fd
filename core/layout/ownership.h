// SPDX-License-Identifier: MIT
// Who owns a segment, where several managers of one instance name share a directory of segments:
// containers, users, other runtime directories.
//
// Each registry has a tag, 32 bits of its random epoch, and each segment's name ends in a number
// whose upper half is the tag of its registry. Each manager holds a mark: a file in the directory
// of segments whose name has the registry's epoch, locked for as long as the manager lives. A mark
// that is held means: keep. One that is not held says that a manager is dead, and not that it will
// not be started again; its segments are nobody's only when its registry is proved lost. Everything
// in the directory is a hint that somebody else may have written, and only ever adds a reason to
// keep.
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

// The number in what follows "snakepit_<instance>_" in a segment's name; nothing in other names.
std::optional<std::uint64_t> number_of(std::string_view name_end);

// Our own mark: .snakepit_<instance>@<user>-<epoch>-<random>. One thread.
class OwnershipMark {
  public:
    OwnershipMark() = default;
    // Takes the mark of an earlier manager of this registry, or makes one. Never fails: what is
    // wrong is in problem(), and tend() tries again.
    OwnershipMark(std::string directory, const InstancePaths& paths, std::uint32_t uid,
                  std::uint64_t epoch);

    // Once a second: makes what could not be made, and again what somebody removed.
    void tend();
    // Empty while the mark stands and says everything.
    const std::string& problem() const { return problem_; }
    const std::string& name() const { return file_.name(); }
    // Orderly end with nothing left.
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
    us,         // our registry's, whatever it knows of it
    nobody,     // of a dead manager whose registry is proved lost
    running,    // of another manager, which lives
    may_return  // of a dead manager that may be started again, or nothing is known of its owner
};

// The marks of one instance name and user, as they were at one moment.
class Ownership {
  public:
    // `own_mark`: the name of ours; empty, for who holds none: every mark of `own_epoch`.
    static Ownership read(const std::string& directory, const std::string& instance,
                          std::uint32_t uid, std::uint64_t own_epoch,
                          const std::string& own_mark = {});

    // By the tag in a segment's name.
    Owner owner(std::uint32_t tag);
    bool marked(std::uint32_t tag) const { return marks_.contains(tag); }

    // True when a living manager has a registry with the epoch of the one in `paths`, in another
    // directory: ours is a copy of it, and its regions are that manager's.
    static bool copied(const std::string& directory, const InstancePaths& paths, std::uint32_t uid);

    // Removes the marks of dead managers of which nothing is left: no segment has their tag. Marks
    // of earlier releases, which say nothing of life, stay while `unmarked` segments are left, or
    // the registry they name is there.
    void remove_dead(const std::unordered_set<std::uint32_t>& tags_left, bool unmarked) const;

    // What a mark's text says.
    struct Place {
        std::string view;
        DirectoryId directory;
        std::string registry;  // path
    };
    static std::string format(const Place& place);
    // Nothing where any of it is missing or not as format() writes it.
    static std::optional<Place> parse(std::string_view text);

  private:
    struct Mark {
        std::string name;
        std::uint64_t epoch = 0;
        bool held = false;
        std::optional<Place> place;
        std::optional<bool> lost;  // once it was asked
    };
    bool lost(Mark& mark) const;

    std::string directory_, view_;
    std::uint64_t own_epoch_ = 0;
    std::multimap<std::uint32_t, Mark> marks_;  // others', by tag
    std::map<std::string, std::string> old_;    // of earlier releases; the value: a registry's path
    bool complete_ = true;
};

}  // namespace snakepit::shm
