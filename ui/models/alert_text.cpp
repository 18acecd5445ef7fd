// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/alert_text.h"

#include <QObject>
#include <array>
#include <tuple>

#include "base/ids.h"
#include "base/units.h"
#include "ui/models/format.h"

namespace snakepit::shm::ui {

namespace {

// A metric that counts what is recorded as events of a kind.
struct Counted {
    const char* metric;
    EventKind kind;
};
constexpr std::array kCounted{
    Counted{"refusals_total", EventKind::refused},
    Counted{"allocation_failures_total", EventKind::allocation_failed},
    Counted{"deadlocks_total", EventKind::deadlock},
    Counted{"lock_timeouts_total", EventKind::lock_timed_out},
    Counted{"orphan_regions", EventKind::owner_gone},
    Counted{"orphan_bytes", EventKind::owner_gone},
    Counted{"quarantined_regions", EventKind::quarantined},
    Counted{"damaged_regions", EventKind::damaged},
    Counted{"suspect_regions", EventKind::lock_broken},
    Counted{"events_lost_total", EventKind::gap},
};

QString plain(double number) {
    return QString::number(number, 'g', 12);
}

auto rank(const Alert& alert) {
    const auto place = alert.state == Alert::State::firing    ? 0
                       : alert.state == Alert::State::pending ? 1
                                                              : 2;
    const auto severity = place == 2 ? 0 : -static_cast<int>(alert.severity);
    const auto taken_on = place == 0 && !needs_someone(alert) ? 1 : 0;
    const auto latest = place == 2 ? alert.resolved_at.micros : alert.since.micros;
    return std::tuple(place, severity, taken_on, -latest, alert.id);
}

Result<double> expected(const char* what, const QString& text, const char* example) {
    return fail(ErrorCode::invalid_argument,
                std::string("expected ") + what + " instead of '" + text.toStdString() + "'",
                std::string("write it as ") + example);
}

}  // namespace

QString severity_title(AlertSeverity severity) {
    return to_qstring(to_string(severity));
}

Severity severity_of(AlertSeverity severity) {
    return severity == AlertSeverity::critical  ? Severity::bad
           : severity == AlertSeverity::warning ? Severity::caution
                                                : Severity::info;
}

QString alert_state_title(Alert::State state) {
    return to_qstring(to_string(state));
}

QString group_title(AlertGroup group) {
    return group == AlertGroup::none ? QObject::tr("one for all")
                                     : QObject::tr("each %1").arg(to_qstring(to_string(group)));
}

QString alert_title(const Alert& alert) {
    return QString::fromStdString(alert.title.empty() ? alert.rule : alert.title);
}

QString rule_title(const AlertRule& rule) {
    return QString::fromStdString(rule.title.empty() ? rule.name : rule.title);
}

QString subject_text(const std::string& subject) {
    return subject.empty() ? QObject::tr("this instance") : QString::fromStdString(subject);
}

Severity severity_of(const Alert& alert) {
    if (alert.state == Alert::State::resolved) return Severity::good;
    if (alert.state == Alert::State::pending) return Severity::neutral;
    return severity_of(alert.severity);
}

QStringList alert_marks(const Alert& alert) {
    QStringList marks;
    if (!alert.acknowledged_by.empty()) marks << QObject::tr("acknowledged");
    if (alert.silenced) marks << QObject::tr("silenced");
    if (alert.flapping) marks << QObject::tr("flapping");
    return marks;
}

bool needs_someone(const Alert& alert) {
    return alert.state == Alert::State::firing && alert.acknowledged_by.empty() && !alert.silenced;
}

bool worse(const Alert& a, const Alert& b) {
    return rank(a) < rank(b);
}

std::optional<EventKind> related_events(const AlertRule& rule) {
    if (rule.event) return rule.event;
    for (const auto& counted : kCounted)
        if (rule.metric == counted.metric) return counted.kind;
    return std::nullopt;
}

bool is_about_region(const Alert& alert) {
    return RegionId::parse(alert.subject).has_value();
}

QString threshold_text(double threshold, std::string_view unit) {
    if (unit == "ratio") return plain(threshold * 100) + u" %"_s;
    if (unit == "seconds")
        return threshold < 1 ? plain(threshold * 1000) + u" ms"_s : plain(threshold) + u" s"_s;
    if (unit != "bytes") return plain(threshold);
    const auto bytes = static_cast<std::uint64_t>(std::max(0.0, threshold));
    const auto text = format_size(bytes);
    const auto again = parse_size(text);
    return again && *again == bytes ? QString::fromStdString(text) : plain(threshold);
}

Result<double> parse_threshold(const QString& text, std::string_view unit) {
    auto words = text.trimmed();
    if (unit == "bytes") {
        SHM_ASSIGN(const auto bytes, parse_size(words.toStdString()));
        return static_cast<double>(bytes);
    }
    // Divided, not multiplied by a fraction: "85 %" is 0.85 to the last bit.
    double times = 1, part = 1;
    const auto take_unit = [&words](QStringView name) {
        if (!words.endsWith(name)) return false;
        words.chop(name.size());
        return true;
    };
    if (unit == "ratio" && take_unit(u"%")) part = 100;
    if (unit == "seconds") {
        if (take_unit(u"ms")) {
            part = 1e3;
        } else if (take_unit(u"µs")) {
            part = 1e6;
        } else if (take_unit(u"m")) {
            times = 60;
        } else if (take_unit(u"h")) {
            times = 3600;
        } else {
            take_unit(u"s");
        }
    }
    bool read = false;
    const double number = words.trimmed().toDouble(&read);
    if (read) return number * times / part;
    if (unit == "ratio") return expected("a percentage", text, "90 %");
    if (unit == "seconds") return expected("a time", text, "250 ms or 5 s");
    // A comma for a point is what people mean most often.
    const auto pointed = QString(words).replace(u',', u'.').toStdString();
    QString::fromStdString(pointed).toDouble(&read);
    return expected("a number", text, read ? pointed.c_str() : "3");
}

QString period_text(std::int64_t millis) {
    static constexpr std::array<std::pair<const char*, std::int64_t>, 4> kUnits{
        {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}}};
    if (millis == 0) return u"0s"_s;
    for (const auto& [name, worth] : kUnits)
        if (millis % worth == 0) return QString::number(millis / worth) + QLatin1String(name);
    return u"%1ms"_s.arg(millis);
}

QString acknowledge_words(const std::vector<std::uint64_t>& ids, const QString& comment) {
    auto words = u"alerts ack"_s;
    for (const auto id : ids) words += u" %1"_s.arg(id);
    if (!comment.isEmpty()) words += u" --comment "_s + shell_word(comment);
    return words;
}

QString silence_words(const AlertSilence& silence, std::int64_t for_ms) {
    auto words = u"alerts silence"_s;
    const auto add = [&words](const char* option, const std::string& value) {
        if (!value.empty()) words += u" %1 %2"_s.arg(QLatin1String(option), shell_word(value));
    };
    add("--rule", silence.rule);
    add("--subject", silence.subject);
    words += for_ms > 0 ? u" --for "_s + period_text(for_ms) : u" --until-resolved"_s;
    add("--comment", silence.comment);
    return words;
}

QString unsilence_words(std::uint64_t id) {
    return u"alerts unsilence %1"_s.arg(id);
}

QString set_rule_words(const AlertRule& rule) {
    return u"alerts rules set - <<< "_s + shell_word(to_json(rule));
}

QString switch_rule_words(const AlertRule& rule) {
    return u"alerts rules %1 %2"_s.arg(rule.enabled ? u"enable"_s : u"disable"_s,
                                       shell_word(rule.name));
}

}  // namespace snakepit::shm::ui
