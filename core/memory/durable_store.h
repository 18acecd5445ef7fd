// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "layout/registry_layout.h"

namespace snakepit::shm {

// The description of a durable region: a copy of its slot. It is a separate file and not a header
// of the contents, because everyone who may write the contents could change it.
struct DurableRecord {
    std::uint64_t magic;
    std::uint32_t version;
    std::uint32_t reserved;
    layout::SlotFixed fixed;
    layout::SlotBody body;
    layout::MetadataCell metadata;
    layout::NameCell name;
    std::uint64_t padding[7];
    std::uint64_t checksum;
};

// The descriptions of durable regions: <directory>/<region id>.region. Service thread only.
class DurableStore {
  public:
    explicit DurableStore(std::string directory) : directory_(std::move(directory)) {}

    static DurableRecord describe(const layout::SlotFixed& fixed, const layout::SlotBody& body,
                                  const char* metadata, std::string_view name);
    // Replaces the description atomically and durably: after this returned, a power failure does
    // not undo it. Any thread, one at a time for one region.
    Status save(const DurableRecord& record) const;
    Status save(const layout::SlotFixed& fixed, const layout::SlotBody& body, const char* metadata,
                std::string_view name) const {
        return save(describe(fixed, body, metadata, name));
    }
    bool has(const RegionId& id) const;
    // Call before the contents are removed, so that they are never restored partially.
    Status forget(const RegionId& id) const;
    // At start: every readable description. `damaged` gets the names of the others. Remains of an
    // interrupted save are removed.
    std::vector<DurableRecord> all(std::vector<std::string>& damaged) const;

  private:
    std::string path_of(const RegionId& id) const {
        return directory_ + "/" + id.str() + ".region";
    }
    std::string directory_;
};

}  // namespace snakepit::shm
