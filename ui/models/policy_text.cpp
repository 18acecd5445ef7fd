// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/policy_text.h"

#include <QObject>
#include <QRegularExpression>
#include <algorithm>
#include <array>

#include "security/name_resolver.h"
#include "ui/models/format.h"

namespace snakepit::shm::ui {

namespace {

const char* short_name(Permission permission) {
    return permission == Permission::read_write  ? "rw"
           : permission == Permission::read_only ? "ro"
                                                 : "none";
}

// An option separates conditions with commas, and has no form for all users.
bool fits_option(const PolicyRule& rule) {
    const auto plain = [](const std::string& value) {
        return value.find_first_of(",:=") == std::string::npos;
    };
    return !rule.for_everybody() && plain(rule.user) && plain(rule.group) && plain(rule.program);
}

QString allow_option(const PolicyRule& rule) {
    QStringList conditions, rights;
    const auto add = [&](const char* key, const std::string& value) {
        if (!value.empty()) conditions << u"%1=%2"_s.arg(QLatin1String(key), to_qstring(value));
    };
    add("user", rule.user);
    add("group", rule.group);
    add("program", rule.program);
    if (rule.process != 0) conditions << u"process=%1"_s.arg(rule.process);
    for (const auto right : {Right::read, Right::write, Right::manage})
        if (rule.allow.has(right)) rights << to_qstring(to_string(right));
    return u" --allow "_s + shell_word(conditions.join(u',') + u':' + rights.join(u','));
}

bool gives(Permission permission, Right right) {
    if (right == Right::manage) return false;
    return permission >= (right == Right::write ? Permission::read_write : Permission::read_only);
}

}  // namespace

QString permission_title(Permission permission) {
    return permission == Permission::read_write  ? QObject::tr("read and write")
           : permission == Permission::read_only ? QObject::tr("read")
                                                 : QObject::tr("nothing");
}

QString rights_text(Rights rights) {
    QStringList words;
    if (rights.has(Right::write))
        words << QObject::tr("read and write");
    else if (rights.has(Right::read))
        words << QObject::tr("read");
    if (rights.has(Right::manage)) words << QObject::tr("manage");
    return words.join(u", "_s);
}

QString conditions_text(const PolicyRule& rule) {
    QStringList words;
    if (!rule.user.empty()) words << QObject::tr("user %1").arg(to_qstring(rule.user));
    if (!rule.group.empty()) words << QObject::tr("group %1").arg(to_qstring(rule.group));
    if (!rule.program.empty()) words << QObject::tr("program %1").arg(to_qstring(rule.program));
    if (rule.process != 0)
        words << (rule.process_start < 0
                      ? QObject::tr("process %1 from an earlier boot").arg(rule.process)
                      : QObject::tr("process %1").arg(rule.process));
    return words.isEmpty() ? QObject::tr("all users") : words.join(u", "_s);
}

QString owner_title(const PolicyReport& report) {
    return QObject::tr("owner %1").arg(QString::fromStdString(user_name(report.owner_uid)));
}

QString group_title(const PolicyReport& report) {
    return QObject::tr("group %1").arg(QString::fromStdString(group_name(report.owner_gid)));
}

QStringList who_may(Right right, const PolicyReport& report, const Policy& policy) {
    QStringList out;
    if (right == Right::manage || gives(policy.permissions.owner, right))
        out << owner_title(report);
    if (gives(policy.permissions.group, right)) out << group_title(report);
    if (gives(policy.permissions.other, right)) out << QObject::tr("all users");
    for (const auto& rule : policy.rules)
        if (rule.allow.has(right)) out << conditions_text(rule);
    return out;
}

QString reason_text(const Verdict& verdict, const Policy& policy) {
    const std::array classes{QObject::tr("owner's permission"), QObject::tr("group's permission"),
                             QObject::tr("others' permission")};
    switch (verdict.source) {
        case Source::permission:
            return classes[std::min<std::size_t>(verdict.index, 2)];
        case Source::rule:
            if (verdict.index < policy.rules.size())
                return QObject::tr("rule %1: %2")
                    .arg(verdict.index + 1)
                    .arg(conditions_text(policy.rules[verdict.index]));
            break;
        case Source::owner:
            return QObject::tr("owns the region");
        case Source::role:
            return QObject::tr("by role");
        case Source::nothing:
            return QObject::tr("not allowed");
        default:
            break;
    }
    return QString::fromStdString(explain(verdict));
}

QString role_title(Role role) {
    return to_qstring(to_string(role));
}

QString place_text(const std::string& where) {
    static const QRegularExpression rule(u"^rules\\[(\\d+)\\](?:\\.(\\w+))?$"_s);
    const auto text = QString::fromStdString(where);
    const auto match = rule.match(text);
    if (match.hasMatch()) {
        const auto place = QObject::tr("Rule %1").arg(match.captured(1).toInt() + 1);
        return match.captured(2).isEmpty() ? place : u"%1, %2"_s.arg(place, match.captured(2));
    }
    if (text == u"permissions.other") return QObject::tr("Permission of others");
    if (text == u"require_encryption") return QObject::tr("Encryption");
    return text;
}

QString finding_text(const PolicyFinding& finding) {
    return u"%1: %2."_s.arg(capitalised(to_qstring(finding.problem)), to_qstring(finding.remedy));
}

QString policy_command(const RegionId& id, const Policy& policy) {
    const auto words = u"policy set %1"_s.arg(QString::fromStdString(id.str()));
    if (!std::all_of(policy.rules.begin(), policy.rules.end(), fits_option))
        return words + u" - <<< "_s + shell_word(to_json(policy));
    const auto& may = policy.permissions;
    auto out =
        words + u" --permissions owner=%1,group=%2,other=%3"_s.arg(
                    QLatin1String(short_name(may.owner)), QLatin1String(short_name(may.group)),
                    QLatin1String(short_name(may.other)));
    for (const auto& rule : policy.rules) out += allow_option(rule);
    if (policy.require_encryption) out += u" --require-encryption"_s;
    if (policy.audit) out += u" --audit"_s;
    return out;
}

}  // namespace snakepit::shm::ui
