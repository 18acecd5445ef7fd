// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/models/configuration.h"
#include "ui/models/keyed_table.h"

namespace snakepit::shm::ui {

enum SettingColumn : int {
    kSettingKey,
    kSettingValue,
    kSettingActive,
    kSettingOrigin,
    kSettingStandard,
    kSettingMeaning,
    kSettingColumns,
};

// The keys of a configuration, in the order of their names before a column is chosen.
class ConfigurationModel : public KeyedTable<Setting, std::string> {
  public:
    using KeyedTable::KeyedTable;
    // Only keys whose name or meaning has all of these words.
    void set_words(const QString& words);

  protected:
    std::span<const Column<Setting>> columns() const override;
    std::string key(const Setting& setting) const override { return setting.key; }
    bool wanted(const Setting& setting) const override;
    int compare_rows(const Setting& a, const Setting& b) const override {
        return a.key.compare(b.key);
    }

  private:
    QStringList words_;
};

// The running manager uses another value than the file has.
bool differs_from_active(const Setting& setting);

}  // namespace snakepit::shm::ui
