// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include <QJsonObject>

#include "layout/registry_reader.h"

namespace snakepit::shm::cli {

enum class SortKey : std::uint8_t { size, references, age, used };

// What the terminal monitor knows, kept up to date from the registry file.
class TopFrame {
  public:
    TopFrame(std::string instance, RegistryReader reader)
        : instance_(std::move(instance)), reader_(std::move(reader)) {}

    void refresh();
    // Lines of text for a screen of this size; `lines` 0: every region.
    std::string text(SortKey key, std::size_t columns, std::size_t lines) const;
    QJsonObject document(SortKey key) const;

  private:
    std::vector<const RegionRow*> sorted(SortKey key) const;
    std::string header() const;
    std::string rates() const;

    std::string instance_;
    RegistryReader reader_;
    std::unordered_map<std::uint32_t, RegionRow> rows_;
    std::vector<ClientInfo> clients_;
    std::vector<layout::Sample> samples_;  // oldest first, at most a minute
};

}  // namespace snakepit::shm::cli
