// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/region.h"
#include "base/result.h"
#include "layout/registry_layout.h"
#include "platform/mapped_file.h"

namespace snakepit::shm {

// A slot as it was at one moment.
struct SlotCopy {
    std::uint64_t word = 0;  // Control::encode
    layout::SlotFixed fixed;
    layout::SlotBody body[2];

    layout::Control control() const { return layout::Control::decode(word); }
    const layout::SlotBody& current() const { return body[control().body]; }
    RegionId id() const { return {fixed.id_micros, fixed.id_random}; }
    bool named() const { return fixed.checksum == layout::checksum_of(fixed); }
    // Every part has the checksum it was written with.
    bool intact() const;
};

// The raw parts of a registry, for checks that RegistryReader does not make. Only reads; a manager
// may be writing it. One thread.
class RegistryFile {
  public:
    // As RegistryReader::open.
    static Result<RegistryFile> open(const std::string& path);

    const layout::RegistryView<const std::byte>& view() const { return view_; }
    std::string instance() const;
    bool of_this_boot() const;
    std::uint32_t frontier() const;
    // Empty while it changes too fast.
    std::optional<SlotCopy> slot(std::uint32_t index) const;
    std::uint64_t word(std::uint32_t index) const {
        return view_.slot(index).control.load(std::memory_order_acquire);
    }
    std::vector<layout::ClientRow> clients() const;

  private:
    MappedFile file_;
    layout::RegistryView<const std::byte> view_;
};

}  // namespace snakepit::shm
