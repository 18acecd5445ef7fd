// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/configuration_model.h"

#include <algorithm>

#include "ui/literals.h"

namespace snakepit::shm::ui {

namespace {

using Row = const Setting&;

QString active_text(Row setting) {
    return setting.active ? setting_text(setting, *setting.active) : QObject::tr("unknown");
}

constexpr std::array kTable{
    column<Setting>(
        "key", "Key", [](Row s) -> auto& { return s.key; })
        .in_monospace(),
    column<Setting>("value", "Value", [](Row s) { return setting_text(s, s.value); })
        .muted_if([](Row s) { return !s.in_file; })
        .with_value_as_tip(),
    column<Setting>("in_effect", "In effect", [](Row s) { return active_text(s); })
        .with_about("The value that the running manager uses", 130)
        .as_chip([](Row s) { return differs_from_active(s) ? Severity::caution : Severity::none; })
        .with_tip([](Row s) -> QVariant {
            if (!differs_from_active(s)) return {};
            return s.waits
                       ? QObject::tr("The value in the file takes effect when the manager starts.")
                       : QObject::tr("The manager has not read the file since it was changed.");
        }),
    column<Setting>("origin", "From",
                    [](Row s) { return s.in_file ? QObject::tr("file") : QObject::tr("default"); })
        .sorted_by([](Row s) { return SortKey::of(s.in_file); })
        .muted_if([](Row s) { return !s.in_file; }),
    column<Setting>("default", "Default", [](Row s) { return setting_text(s, s.standard); })
        .muted_if([](Row) { return true; }),
    column<Setting>("meaning", "Meaning", [](Row s) { return s.meaning; }).with_value_as_tip(),
};
static_assert(kTable.size() == kSettingColumns);

}  // namespace

bool differs_from_active(const Setting& setting) {
    return setting.active && *setting.active != setting.value;
}

void ConfigurationModel::set_words(const QString& words) {
    words_ = words.split(u' ', Qt::SkipEmptyParts);
    refilter();
}

bool ConfigurationModel::wanted(const Setting& setting) const {
    const auto key = QString::fromStdString(setting.key);
    return std::all_of(words_.begin(), words_.end(), [&](const QString& word) {
        return key.contains(word, Qt::CaseInsensitive) ||
               setting.meaning.contains(word, Qt::CaseInsensitive);
    });
}

std::span<const Column<Setting>> ConfigurationModel::columns() const {
    return kTable;
}

}  // namespace snakepit::shm::ui
