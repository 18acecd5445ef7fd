// SPDX-License-Identifier: GPL-3.0-or-later
// The rules that raise alerts, and the silences.
#pragma once

#include "alerts/alert.h"
#include "ui/models/keyed_table.h"

namespace snakepit::shm::ui {

enum RuleColumn : int {
    kRuleTitle,
    kRuleEnabled,
    kRuleSeverity,
    kRuleCondition,
    kRuleGroup,
    kRuleOrigin,
    kRuleName,
    kRuleColumns,
};

class AlertRuleModel : public KeyedTable<AlertRule, std::string> {
  public:
    using KeyedTable::KeyedTable;

  protected:
    std::span<const Column<AlertRule>> columns() const override;
    QVariant cell(int number, int column, int role) const override;
    std::string key(const AlertRule& rule) const override { return rule.name; }
    int compare_rows(const AlertRule& a, const AlertRule& b) const override;
};

enum SilenceColumn : int {
    kSilenceRule,
    kSilenceSubject,
    kSilenceUntil,
    kSilenceBy,
    kSilenceComment,
    kSilenceMade,
    kSilenceId,
    kSilenceColumns,
};

class SilenceModel : public KeyedTable<AlertSilence, std::uint64_t> {
  public:
    using KeyedTable::KeyedTable;

  protected:
    std::span<const Column<AlertSilence>> columns() const override;
    std::uint64_t key(const AlertSilence& silence) const override { return silence.id; }
};

}  // namespace snakepit::shm::ui
