// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "layout/signals_layout.h"
#include "platform/backend.h"
#include "registry/region_registry.h"

namespace snakepit::shm {

// Where the signal words of regions are (layout/signals_layout.h). Memory without a name, whose
// size nobody can change, kept across restarts by the descriptor keeper.
//
// A pooled region has its word in a file of its user: nobody but that user's processes is ever
// granted a pooled region, so nobody else gets the file. Every other region has a page of its own,
// which nobody gets but those who are granted this region. So whoever may change a word either was
// granted its region, or is a process of its user.
//
// Words are made when they are first asked for. Service thread only.
class SignalStore {
  public:
    SignalStore(RegionRegistry& registry, PlatformBackend& backend);

    // At start: takes over the files of the last manager, and drops those that have no region.
    void adopt();

    // The region's word; it is made if there is none. no_space; reference_limit: the user has too
    // many regions with a page of their own.
    Result<layout::SignalWord*> word(std::uint32_t slot);
    // What a client needs to map the word: a descriptor with write access, and the word's offset.
    struct Place {
        Handle handle;
        std::uint64_t offset = 0;  // bytes
    };
    Result<Place> place(std::uint32_t slot);
    // Null: the region has none yet.
    layout::SignalWord* find(std::uint32_t slot);

    // The slot became free. `uid`: its user.
    void freed(std::uint32_t slot, const RegionId& id, std::uint32_t uid);
    // Before an orderly end: drops the files of users without such a region.
    void drop_unused();

  private:
    struct File {
        std::string name;
        Mapping mapping;
        std::vector<bool> reserved;  // pages
        std::uint32_t uid = 0;
        bool fresh = false;  // made by this manager

        layout::SignalWord* at(std::uint64_t offset) const {
            return reinterpret_cast<layout::SignalWord*>(mapping.data() + offset);
        }
    };
    std::string file_of_user(std::uint32_t uid) const;
    std::string page_of(const RegionId& id) const;
    Result<File> open(const std::string& name, std::uint64_t size, std::uint32_t uid);
    Status reserve(File& file, std::uint64_t offset);
    Result<File*> file(std::uint32_t slot);
    File* find_file(std::uint32_t slot);
    std::uint64_t offset(std::uint32_t slot) const;
    std::uint64_t first_counter(std::uint32_t slot, const File& file);
    bool in_users_file(std::uint32_t slot) const { return registry_.body(slot).arena != 0; }
    layout::SignalWord* users_word(std::uint32_t slot, std::uint32_t uid);

    RegionRegistry& registry_;
    PlatformBackend& backend_;
    std::uint64_t started_at_;                                 // microseconds since 1970 UTC
    std::unordered_map<std::uint32_t, File> users_;            // by uid
    std::unordered_map<RegionId, File> pages_;                 // of regions outside arenas
    std::unordered_map<std::uint32_t, std::size_t> pages_of_;  // by uid
};

}  // namespace snakepit::shm
