// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/alert_rule_model.h"

#include <QObject>
#include <array>

#include "ui/models/alert_text.h"
#include "ui/models/compare.h"
#include "ui/models/format.h"
#include "ui/models/moment.h"

namespace snakepit::shm::ui {

namespace {

constexpr std::array<ColumnTraits, kRuleColumns> kRuleTraits{{
    {"title", "Rule", false},
    {"enabled", "Watched", false},
    {"severity", "Severity", false},
    {"condition", "Condition", false},
    {"group", "One alert for", false},
    {"origin", "From", false},
    {"name", "Name", false},
}};
constexpr std::array<ColumnTraits, kSilenceColumns> kSilenceTraits{{
    {"rule", "Rule", false},
    {"subject", "About", false},
    {"until", "Until", false},
    {"by", "By", false},
    {"comment", "Why", false},
    {"made_at", "Since", true},
    {"id", "No.", true},
}};

QString text_of(const AlertRule& rule, int column) {
    switch (column) {
        case kRuleTitle:
            return rule_title(rule);
        case kRuleEnabled:
            return rule.enabled ? QObject::tr("on") : QObject::tr("off");
        case kRuleSeverity:
            return severity_title(rule.severity);
        case kRuleCondition:
            return QString::fromStdString(condition_text(rule));
        case kRuleGroup:
            return group_title(rule.group);
        case kRuleOrigin:
            return rule.built_in ? QObject::tr("default set") : QObject::tr("configured");
        default:
            return QString::fromStdString(rule.name);
    }
}

Tone tone_in(const AlertRule& rule, int column) {
    if (column == kRuleEnabled) return rule.enabled ? Tone::good : Tone::neutral;
    if (column != kRuleSeverity) return Tone::none;
    return rule.enabled ? severity_tone(rule.severity) : Tone::neutral;
}

QString text_of(const AlertSilence& silence, int column) {
    switch (column) {
        case kSilenceRule:
            return silence.rule.empty() ? QObject::tr("every rule")
                                        : QString::fromStdString(silence.rule);
        case kSilenceSubject:
            return silence.subject.empty() ? QObject::tr("whatever it is about")
                                           : QString::fromStdString(silence.subject);
        case kSilenceUntil:
            if (silence.until.micros == 0) return QObject::tr("it is resolved");
            // A manager ends them in time; of one that was gone a bundle may have such.
            if (silence.until <= shown_now())
                return QObject::tr("%1, over").arg(clock_text(silence.until).section(u'.', 0, 0));
            return QObject::tr("%1, in %2")
                .arg(clock_text(silence.until).section(u'.', 0, 0),
                     duration_text((silence.until.micros - shown_now().micros) / 1000));
        case kSilenceBy:
            return QString::fromStdString(silence.by);
        case kSilenceComment:
            return QString::fromStdString(silence.comment);
        case kSilenceMade:
            return since_text(silence.made_at, shown_now());
        default:
            return QString::number(silence.id);
    }
}

QVariant exported(const AlertSilence& silence, int column) {
    switch (column) {
        case kSilenceRule:
            return QString::fromStdString(silence.rule);
        case kSilenceSubject:
            return QString::fromStdString(silence.subject);
        case kSilenceUntil:
            return QString::fromStdString(to_rfc3339(silence.until));
        case kSilenceMade:
            return QString::fromStdString(to_rfc3339(silence.made_at));
        case kSilenceId:
            return QVariant::fromValue<qulonglong>(silence.id);
        default:
            return text_of(silence, column);
    }
}

}  // namespace

int AlertRuleModel::compare(const AlertRule& a, const AlertRule& b, int column) const {
    if (column == kRuleSeverity) return order_of(a.severity, b.severity);
    if (column >= 0) return QString::localeAwareCompare(text_of(a, column), text_of(b, column));
    // The gravest first, those that are off last.
    if (a.enabled != b.enabled) return a.enabled ? -1 : 1;
    const int order = order_of(b.severity, a.severity);
    return order != 0 ? order : QString::localeAwareCompare(rule_title(a), rule_title(b));
}

std::span<const ColumnTraits> AlertRuleModel::columns() const {
    return kRuleTraits;
}

QVariant AlertRuleModel::cell(int number, int column, int role) const {
    const auto* rule = row(number);
    switch (role) {
        case Qt::DisplayRole:
        case kSortRole:
            return text_of(*rule, column);
        case kExportRole:
            return column == kRuleEnabled ? QVariant(rule->enabled) : text_of(*rule, column);
        case kToneRole:
            return static_cast<int>(tone_in(*rule, column));
        case kMonospaceRole:
            return column == kRuleCondition || column == kRuleName;
        case kMutedRole:
            return !rule->enabled || column == kRuleOrigin;
        case Qt::ToolTipRole:
            return column == kRuleTitle ? QString::fromStdString(rule->remedy)
                                        : text_of(*rule, column);
        default:
            return {};
    }
}

int SilenceModel::compare(const AlertSilence& a, const AlertSilence& b, int column) const {
    switch (column) {
        case kSilenceUntil:
            return order_of(a.until, b.until);
        case kSilenceMade:
            return order_of(b.made_at, a.made_at);  // as an age
        case -1:
        case kSilenceId:
            return order_of(a.id, b.id);
        default:
            return QString::localeAwareCompare(text_of(a, column), text_of(b, column));
    }
}

std::span<const ColumnTraits> SilenceModel::columns() const {
    return kSilenceTraits;
}

QVariant SilenceModel::cell(int number, int column, int role) const {
    const auto* silence = row(number);
    switch (role) {
        case Qt::DisplayRole:
            return text_of(*silence, column);
        case kSortRole:
        case kExportRole:
            return exported(*silence, column);
        case kMutedRole:
            return (column == kSilenceRule && silence->rule.empty()) ||
                   (column == kSilenceSubject && silence->subject.empty());
        case Qt::ToolTipRole:
            return exported(*silence, column);
        default:
            return {};
    }
}

}  // namespace snakepit::shm::ui
