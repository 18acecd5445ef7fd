// SPDX-License-Identifier: MIT
#include "security/policy_text.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <utility>

#include <fmt/format.h>

#include "json/json_reader.h"
#include "json/json_values.h"

namespace snakepit::shm {

namespace {

Status read_permissions(const JsonReader& policy, PermissionSet& out) {
    SHM_ASSIGN(const auto json, policy.child("permissions"));
    SHM_TRY(json.only({"owner", "group", "other"}));
    const std::pair<const char*, Permission*> classes[] = {
        {"owner", &out.owner}, {"group", &out.group}, {"other", &out.other}};
    for (const auto& [name, permission] : classes) {
        if (!json.has(name)) continue;
        const auto parsed = parse_permission(json.value(name).toString().toStdString());
        if (!parsed)
            return json.wrong(name, "expected a permission", R"(use "rw", "ro" or "none")");
        *permission = *parsed;
    }
    return {};
}

// A user or a group: its name, or its number.
Status read_name(const JsonReader& rule, const char* member, std::string& out) {
    if (!rule.has(member)) return {};
    const auto value = rule.value(member);
    if (value.isDouble()) {
        std::uint32_t number = UINT32_MAX;
        if (!rule.whole(member, number) || number == UINT32_MAX)
            return rule.wrong(member, "expected a name or a number", "write \"alice\" or 1000");
        out = std::to_string(number);
        return {};
    }
    out = value.toString().toStdString();
    if (out.empty() || out.find('\0') != std::string::npos)
        return rule.wrong(member, "expected a name or a number", "write \"alice\" or 1000");
    return {};
}

Status read_rights(const JsonReader& rule, Rights& out) {
    constexpr auto kRemedy = R"(write a list of "read", "write" and "manage")";
    const auto list = rule.value("allow");
    if (!list.isArray()) return rule.wrong("allow", "expected a list", kRemedy);
    for (const auto& entry : list.toArray()) {
        const auto right = parse_right(entry.toString().toStdString());
        if (!right)
            return rule.wrong(
                "allow", fmt::format("unknown right '{}'", entry.toString().left(40).toStdString()),
                kRemedy);
        out.add(*right);
    }
    return {};
}

Result<PolicyRule> read_rule(const JsonReader& json, std::string_view source) {
    SHM_TRY(json.only({"user", "group", "program", "process", "process_start", "allow"}));
    PolicyRule rule;
    SHM_TRY(read_name(json, "user", rule.user));
    SHM_TRY(read_name(json, "group", rule.group));
    SHM_TRY(json.text("program", rule.program));
    if (json.has("program") && rule.program.empty())  // it would match any program
        return json.wrong("program", "the path is empty", "name a program, or omit the member");
    SHM_TRY(json.whole("process", rule.process, 1));
    SHM_TRY(json.whole("process_start", rule.process_start, -1));
    SHM_TRY(read_rights(json, rule.allow));
    SHM_TRY(check_rule(rule, fmt::format("{}: {}", source, json.path_of({}))));
    return rule;
}

// A mistyped condition would make a rule match more than was meant: unknown members are errors.
Result<Policy> read_policy(const JsonReader& json, std::string_view source) {
    SHM_TRY(json.only({"permissions", "rules", "require_encryption", "audit"}));
    Policy policy;
    SHM_TRY(read_permissions(json, policy.permissions));
    SHM_ASSIGN(const auto rules, json.children("rules"));
    if (rules.size() > kMaxPolicyRules)
        return json.wrong(
            "rules", fmt::format("too many rules ({})", rules.size()),
            fmt::format("use at most {}; a group covers many users", kMaxPolicyRules));
    for (const auto& one : rules) {
        SHM_ASSIGN(auto rule, read_rule(one, source));
        policy.rules.push_back(std::move(rule));
    }
    SHM_TRY(json.flag("require_encryption", policy.require_encryption));
    SHM_TRY(json.flag("audit", policy.audit));
    return policy;
}

QJsonObject subject_json(const PolicyClient& client) {
    const auto& who = client.subject;
    QJsonArray groups;
    for (const auto group : who.groups) groups.append(static_cast<qint64>(group));
    QJsonObject out{{"pid", static_cast<qint64>(who.credentials.pid)},
                    {"uid", static_cast<qint64>(who.credentials.uid)},
                    {"gid", static_cast<qint64>(who.credentials.gid)},
                    {"groups", groups},
                    {"start_time", static_cast<qint64>(who.start_time)},
                    {"process", text(client.process)},
                    {"worker", text(client.worker)},
                    {"holds", client.holds},
                    {"references", number(client.references)},
                    {"access", text(to_string(client.access))}};
    if (who.program)
        out.insert("program", QJsonObject{{"path", text(who.program->path)},
                                          {"device", QString::number(who.program->file.device)},
                                          {"inode", QString::number(who.program->file.inode)}});
    return out;
}

PolicyClient client_of(const QJsonObject& object) {
    PolicyClient out;
    auto& who = out.subject;
    const auto number = [&](const char* key) {
        return static_cast<std::int64_t>(object[key].toDouble());
    };
    who.credentials = {number("pid"), static_cast<std::uint32_t>(number("uid")),
                       static_cast<std::uint32_t>(number("gid"))};
    for (const auto& group : object["groups"].toArray())
        who.groups.push_back(static_cast<std::uint32_t>(group.toDouble()));
    who.start_time = number("start_time");
    if (const auto program = object["program"].toObject(); !program.isEmpty())
        who.program = Executable{program["path"].toString().toStdString(),
                                 {program["device"].toString().toULongLong(),
                                  program["inode"].toString().toULongLong()}};
    out.process = object["process"].toString().toStdString();
    out.worker = object["worker"].toString().toStdString();
    out.holds = object["holds"].toBool();
    out.references = static_cast<std::uint64_t>(number("references"));
    out.access = parse_access_mode(object["access"].toString().toStdString())
                     .value_or(AccessMode::read_only);
    return out;
}

QJsonArray names_json(const std::vector<std::string>& names) {
    QJsonArray out;
    for (const auto& name : names) out.append(text(name));
    return out;
}

std::vector<std::string> names_of(const QJsonValue& value) {
    std::vector<std::string> out;
    for (const auto& name : value.toArray()) out.push_back(name.toString().toStdString());
    return out;
}

}  // namespace

Result<Policy> parse_policy(std::string_view text, std::string_view source) {
    if (text.size() > kMaxPolicyBytes)
        return fail(ErrorCode::policy_invalid,
                    fmt::format("{}: too long ({} bytes)", source, text.size()),
                    fmt::format("use at most {} bytes", kMaxPolicyBytes));
    SHM_ASSIGN(const auto json, JsonReader::parse(text, source, ErrorCode::policy_invalid));
    return read_policy(json, source);
}

std::string to_json(const PolicyReport& report) {
    const auto policy = to_json(report.policy);
    QJsonArray clients;
    for (const auto& client : report.clients) clients.append(subject_json(client));
    return QJsonDocument(
               QJsonObject{
                   {"region_id",
                    report.id == RegionId{} ? QJsonValue() : QJsonValue(text(report.id.str()))},
                   {"policy", QJsonDocument::fromJson(QByteArray::fromStdString(policy)).object()},
                   {"own_policy", report.own},
                   {"readable", report.readable},
                   {"policy_in_effect", report.in_effect},
                   {"note", text(report.note)},
                   {"owner_uid", static_cast<qint64>(report.owner_uid)},
                   {"owner_gid", static_cast<qint64>(report.owner_gid)},
                   {"security_level", text(to_string(report.level))},
                   {"shares_memory", report.shares_memory},
                   {"administrators", names_json(report.roles.administrators)},
                   {"operators", names_json(report.roles.operators)},
                   {"service_uid", static_cast<qint64>(report.service_uid)},
                   {"sees_programs", report.sees_programs},
                   {"clients", clients}})
        .toJson(QJsonDocument::Compact)
        .toStdString();
}

Result<PolicyReport> parse_policy_report(std::string_view json) {
    constexpr std::string_view kSource = "the manager's answer";
    SHM_ASSIGN(const auto reader, JsonReader::parse(json, kSource, ErrorCode::policy_invalid));
    const auto& object = reader.object();
    PolicyReport out;
    if (const auto id = object["region_id"].toString(); !id.isEmpty()) {
        SHM_ASSIGN(out.id, RegionId::parse(id.toStdString()));
    }
    SHM_ASSIGN(const auto policy, reader.child("policy"));
    SHM_ASSIGN(out.policy, read_policy(policy, kSource));
    out.own = object["own_policy"].toBool();
    out.readable = object["readable"].toBool();
    out.in_effect = object["policy_in_effect"].toBool();
    out.note = object["note"].toString().toStdString();
    out.owner_uid = static_cast<std::uint32_t>(object["owner_uid"].toDouble());
    out.owner_gid = static_cast<std::uint32_t>(object["owner_gid"].toDouble());
    out.level = parse_security_level(object["security_level"].toString().toStdString())
                    .value_or(SecurityLevel::standard);
    out.shares_memory = object["shares_memory"].toBool();
    out.roles = {names_of(object["administrators"]), names_of(object["operators"])};
    out.service_uid = static_cast<std::uint32_t>(object["service_uid"].toDouble());
    out.sees_programs = object["sees_programs"].toBool();
    for (const auto& client : object["clients"].toArray())
        out.clients.push_back(client_of(client.toObject()));
    return out;
}

}  // namespace snakepit::shm
