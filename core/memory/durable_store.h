// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "layout/registry_layout.h"

namespace snakepit::shm {

// What is kept of a durable region beside its contents: a copy of its slot. It stands in a file of
// its own and not in the contents' header, because whoever may write the contents could write
// there.
struct DurableRecord {
    std::uint64_t magic;
    std::uint32_t version;
    std::uint32_t reserved;
    layout::SlotFixed fixed;
    layout::SlotBody body;
    layout::MetadataCell metadata;
    std::uint64_t padding[7];
    std::uint64_t checksum;
};

// The descriptions of durable regions: <directory>/<region id>.region. Service thread only.
class DurableStore {
  public:
    explicit DurableStore(std::string directory) : directory_(std::move(directory)) {}

    static DurableRecord describe(const layout::SlotFixed& fixed, const layout::SlotBody& body,
                                  const char* metadata);
    // Replaces the description as one step that a power cut does not undo once this returned. Any
    // thread, one at a time for one region.
    Status save(const DurableRecord& record) const;
    Status save(const layout::SlotFixed& fixed, const layout::SlotBody& body,
                const char* metadata) const {
        return save(describe(fixed, body, metadata));
    }
    bool has(const RegionId& id) const;
    // Before the contents go, so that they never come back half.
    Status forget(const RegionId& id) const;
    // At start: every description that can be read. `damaged` gets the names of those that cannot;
    // what a save that was cut off left is removed.
    std::vector<DurableRecord> all(std::vector<std::string>& damaged) const;

  private:
    std::string path_of(const RegionId& id) const {
        return directory_ + "/" + id.str() + ".region";
    }
    std::string directory_;
};

}  // namespace snakepit::shm
