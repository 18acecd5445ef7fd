// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "layout/registry_reader.h"
#include "ui/models/sorted_index.h"

namespace snakepit::shm::ui {

// Names a region for as long as it lives; a slot that is used again has another generation.
struct RegionKey {
    Slot slot = 0;
    std::uint64_t generation = 0;
    friend auto operator<=>(const RegionKey&, const RegionKey&) = default;
};

struct RegionEntry {
    RegionRow row;
    std::string search;         // prepared for RegionFilter
    std::int64_t appeared = 0;  // monotonic milliseconds; 0: it was there when we first looked
    RegionKey key() const { return {row.slot, row.generation}; }
};

// Every region the registry shows, by slot. Any number of models index it. GUI thread.
class RegionStore : public QObject {
    Q_OBJECT
  public:
    explicit RegionStore(QObject* parent = nullptr) : QObject(parent) {}

    // `now`: monotonic milliseconds.
    void apply(RegistryDelta delta, std::int64_t now);

    std::size_t size() const { return size_; }
    // Slots below it may hold a region.
    Slot frontier() const { return static_cast<Slot>(entries_.size()); }
    const RegionEntry* at(Slot slot) const {
        return slot < entries_.size() ? entries_[slot].get() : nullptr;
    }
    const RegionEntry* find(const RegionKey& key) const;
    const RegionEntry* find(const RegionId& id) const;

  Q_SIGNALS:
    // Before they go: the entries can still be read.
    void removing(const std::vector<Slot>& slots);
    // After: `inserted` are new, `updated` hold new values. No slot is in both.
    void changed(const std::vector<Slot>& inserted, const std::vector<Slot>& updated);

  private:
    std::vector<Slot> leaving(const RegistryDelta& delta) const;

    std::vector<std::unique_ptr<RegionEntry>> entries_;
    std::size_t size_ = 0;
    bool first_ = true;
};

}  // namespace snakepit::shm::ui
