// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/alert_rule_model.h"

#include <tuple>

#include "ui/models/alert_text.h"
#include "ui/models/commands.h"

namespace snakepit::shm::ui {

namespace {

using Rule = const AlertRule&;
using Silence = const AlertSilence&;

template <auto Show = Plain{}, typename Get>
constexpr auto rule_column(const char* key, const char* title, Get get) {
    return column<AlertRule, Show>(key, title, get).to_the_left().with_tip([](Rule r) -> QVariant {
        return Show(Get{}(r));
    });
}

template <auto Show = Plain{}, typename Get>
constexpr auto silence_column(const char* key, const char* title, Get get) {
    return column<AlertSilence, Show>(key, title, get).with_value_as_tip();
}

const std::string& title_of(Rule rule) {
    return rule.title.empty() ? rule.name : rule.title;
}

QString on_or_off(bool on) {
    return on ? QObject::tr("on") : QObject::tr("off");
}

QString rule_or_all(const std::string& rule) {
    return rule.empty() ? QObject::tr("all rules") : QString::fromStdString(rule);
}

QString subject_or_all(const std::string& subject) {
    return subject.empty() ? QObject::tr("all subjects") : QString::fromStdString(subject);
}

QString until_text(Timestamp until) {
    if (until.micros == 0) return QObject::tr("resolved");
    const auto time = clock_text(until).section(u'.', 0, 0);
    // A manager ends them in time; a bundle may have one that ran out without a manager.
    if (until <= shown_now()) return QObject::tr("%1, expired").arg(time);
    return QObject::tr("%1, in %2")
        .arg(time, duration_text((until.micros - shown_now().micros) / 1000));
}

constexpr std::array kRuleTable{
    rule_column(
        "title", "Rule", [](Rule r) -> auto& { return title_of(r); })
        .with_tip([](Rule r) { return QVariant(with_instance(QString::fromStdString(r.remedy))); }),
    rule_column<on_or_off>("enabled", "Enabled", [](Rule r) { return r.enabled; })
        .as_chip([](Rule r) { return r.enabled ? Severity::good : Severity::neutral; }),
    rule_column<severity_title>("severity", "Severity", [](Rule r) { return r.severity; })
        .as_chip([](Rule r) { return r.enabled ? severity_of(r.severity) : Severity::neutral; }),
    rule_column("condition", "Condition",
                [](Rule r) { return QString::fromStdString(condition_text(r)); })
        .in_monospace()
        .sorted_by([](Rule r) { return SortKey::of(r.metric); }),
    rule_column<group_title>("group", "One alert for", [](Rule r) { return r.group; }),
    rule_column(
        "origin", "Origin",
        [](Rule r) { return r.built_in ? QObject::tr("default") : QObject::tr("configured"); })
        .sorted_by([](Rule r) { return SortKey::of(r.built_in); })
        .muted_if([](Rule) { return true; }),
    rule_column(
        "name", "Name", [](Rule r) -> auto& { return r.name; })
        .in_monospace(),
};
static_assert(kRuleTable.size() == kRuleColumns);

constexpr std::array kSilenceTable{
    silence_column<rule_or_all>(
        "rule", "Rule", [](Silence s) -> auto& { return s.rule; })
        .muted_if([](Silence s) { return s.rule.empty(); }),
    silence_column<subject_or_all>(
        "subject", "About", [](Silence s) -> auto& { return s.subject; })
        .muted_if([](Silence s) { return s.subject.empty(); }),
    silence_column<until_text>("until", "Until", [](Silence s) { return s.until; }),
    silence_column(
        "by", "By", [](Silence s) -> auto& { return s.by; }),
    silence_column(
        "comment", "Comment", [](Silence s) -> auto& { return s.comment; }),
    age_column<AlertSilence>("made_at", "Since", [](Silence s) { return s.made_at; })
        .with_value_as_tip(),
    silence_column("id", "No.", [](Silence s) { return s.id; }),
};
static_assert(kSilenceTable.size() == kSilenceColumns);

}  // namespace

// The most severe first, those that are off last.
int AlertRuleModel::compare_rows(const AlertRule& a, const AlertRule& b) const {
    const auto by = [](Rule rule) {
        return std::tuple(!rule.enabled, -static_cast<int>(rule.severity),
                          std::string_view(title_of(rule)));
    };
    return by(a) < by(b) ? -1 : by(b) < by(a) ? 1 : 0;
}

std::span<const Column<AlertRule>> AlertRuleModel::columns() const {
    return kRuleTable;
}

QVariant AlertRuleModel::cell(int number, int column, int role) const {
    if (role == kMutedRole && !row(number)->enabled) return true;
    return KeyedTable::cell(number, column, role);
}

std::span<const Column<AlertSilence>> SilenceModel::columns() const {
    return kSilenceTable;
}

}  // namespace snakepit::shm::ui
