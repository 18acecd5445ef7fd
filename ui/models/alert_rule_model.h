// SPDX-License-Identifier: GPL-3.0-or-later
// What alerts are raised for, and what nobody is told of.
#pragma once

#include "alerts/alert.h"
#include "ui/models/column_traits.h"
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

class AlertRuleModel : public ColumnModel<KeyedTable<AlertRule, std::string>> {
  public:
    using ColumnModel::ColumnModel;

  protected:
    std::span<const ColumnTraits> columns() const override;
    QVariant cell(int number, int column, int role) const override;
    std::string key(const AlertRule& rule) const override { return rule.name; }
    int compare(const AlertRule& a, const AlertRule& b, int column) const override;
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

class SilenceModel : public ColumnModel<KeyedTable<AlertSilence, std::uint64_t>> {
  public:
    using ColumnModel::ColumnModel;

  protected:
    std::span<const ColumnTraits> columns() const override;
    QVariant cell(int number, int column, int role) const override;
    std::uint64_t key(const AlertSilence& silence) const override { return silence.id; }
    int compare(const AlertSilence& a, const AlertSilence& b, int column) const override;
};

}  // namespace snakepit::shm::ui
