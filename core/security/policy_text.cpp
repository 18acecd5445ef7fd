// SPDX-License-Identifier: MIT
#include "security/policy_text.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QJsonParseError>
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace snakepit::shm {

namespace {

QString text(std::string_view utf8) {
    return QString::fromUtf8(utf8.data(), static_cast<qsizetype>(utf8.size()));
}

tl::unexpected<Error> wrong(std::string_view source, std::string_view where, std::string_view what,
                            std::string remedy) {
    return fail(ErrorCode::policy_invalid, fmt::format("{}: {}: {}", source, where, what),
                std::move(remedy));
}

// Members that are not known are errors: a mistyped condition would make a rule wider than meant.
Status only(const QJsonObject& object, std::initializer_list<const char*> known,
            std::string_view source, std::string_view where) {
    for (auto it = object.begin(); it != object.end(); ++it) {
        const auto key = it.key().toStdString();
        if (std::any_of(known.begin(), known.end(), [&](const char* k) { return key == k; }))
            continue;
        std::string choices;
        for (const auto* k : known) choices += choices.empty() ? k : std::string(", ") + k;
        return wrong(source, where, fmt::format("it has no member '{}'", key.substr(0, 80)),
                     "write one of " + choices);
    }
    return {};
}

Status read_permissions(const QJsonValue& value, std::string_view source, PermissionSet& out) {
    if (!value.isObject())
        return wrong(source, "permissions", "this is no object",
                     R"(write {"owner":"rw","group":"none","other":"none"})");
    const auto object = value.toObject();
    SHM_TRY(only(object, {"owner", "group", "other"}, source, "permissions"));
    const auto read = [&](const char* key, Permission& permission) -> Status {
        if (!object.contains(key)) return {};
        const auto parsed = parse_permission(object[key].toString().toStdString());
        if (!parsed)
            return wrong(source, fmt::format("permissions.{}", key), "this is no permission",
                         R"(write "rw", "ro" or "none")");
        permission = *parsed;
        return {};
    };
    SHM_TRY(read("owner", out.owner));
    SHM_TRY(read("group", out.group));
    return read("other", out.other);
}

// A user or a group: text, or a number as it stands.
Status read_name(const QJsonValue& value, std::string_view source, const std::string& where,
                 std::string& out) {
    if (value.isString() && !value.toString().isEmpty()) {
        out = value.toString().toStdString();
    } else if (value.isDouble() && value.toDouble() >= 0 && value.toDouble() < 4294967295.0 &&
               value.toDouble() == std::floor(value.toDouble())) {
        out = std::to_string(static_cast<std::uint32_t>(value.toDouble()));
    } else {
        return wrong(source, where, "this is neither a name nor a number",
                     "write \"alice\" or 1000");
    }
    if (out.find('\0') != std::string::npos)
        return wrong(source, where, "a name has no zero in it", "write the name alone");
    return {};
}

Status read_number(const QJsonValue& value, std::string_view source, const std::string& where,
                   std::int64_t least, std::int64_t& out) {
    constexpr double kExact = 9007199254740992.0;  // what a JSON number holds exactly
    const auto number = value.toDouble(NAN);
    if (!(number >= static_cast<double>(least)) || number > kExact || number != std::floor(number))
        return wrong(source, where, "this is no whole number of its kind",
                     "write the process id as a number");
    out = static_cast<std::int64_t>(number);
    return {};
}

Status read_rights(const QJsonValue& value, std::string_view source, const std::string& where,
                   Rights& out) {
    const auto remedy = R"(write a list of "read", "write" and "manage")";
    if (!value.isArray()) return wrong(source, where, "this is no list", remedy);
    for (const auto& entry : value.toArray()) {
        const auto right = parse_right(entry.toString().toStdString());
        if (!right)
            return wrong(
                source, where,
                fmt::format("there is no right '{}'", entry.toString().left(40).toStdString()),
                remedy);
        out.add(*right);
    }
    return {};
}

Result<PolicyRule> read_rule(const QJsonValue& value, std::string_view source,
                             const std::string& where) {
    if (!value.isObject())
        return wrong(source, where, "a rule is an object",
                     R"(write {"user":"alice","allow":["read"]})");
    const auto object = value.toObject();
    SHM_TRY(only(object, {"user", "group", "program", "process", "process_start", "allow"}, source,
                 where));
    PolicyRule rule;
    const auto has = [&](const char* key) { return object.contains(key); };
    if (has("user")) SHM_TRY(read_name(object["user"], source, where + ".user", rule.user));
    if (has("group")) SHM_TRY(read_name(object["group"], source, where + ".group", rule.group));
    if (has("program")) {
        if (!object["program"].isString())
            return wrong(source, where + ".program", "this is no path", "write it in quotes");
        rule.program = object["program"].toString().toStdString();
        // Empty would mean any program, which nobody writes like that.
        if (rule.program.empty())
            return wrong(source, where + ".program", "the path is empty",
                         "name a program, or leave the member out");
    }
    if (has("process"))
        SHM_TRY(read_number(object["process"], source, where + ".process", 1, rule.process));
    if (has("process_start"))
        SHM_TRY(read_number(object["process_start"], source, where + ".process_start", -1,
                            rule.process_start));
    SHM_TRY(read_rights(object["allow"], source, where + ".allow", rule.allow));
    SHM_TRY(check_rule(rule, fmt::format("{}: {}", source, where)));
    return rule;
}

Status read_flag(const QJsonObject& object, const char* key, std::string_view source, bool& out) {
    if (!object.contains(key)) return {};
    if (!object[key].isBool())
        return wrong(source, key, "this is not true or false", "write true or false");
    out = object[key].toBool();
    return {};
}

Result<QJsonObject> object_of(std::string_view json, std::string_view source) {
    QJsonParseError problem;
    const auto document = QJsonDocument::fromJson(
        QByteArray(json.data(), static_cast<qsizetype>(json.size())), &problem);
    if (document.isObject()) return document.object();
    if (problem.error == QJsonParseError::NoError)
        return fail(ErrorCode::policy_invalid, fmt::format("{}: this is no JSON object", source),
                    R"(write {"permissions":{...},"rules":[...]})");
    const auto at = std::min(json.size(), static_cast<std::size_t>(std::max(problem.offset, 0)));
    const auto before = json.substr(0, at);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const auto column =
        at - (before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1);
    return fail(
        ErrorCode::policy_invalid,
        fmt::format("{}:{}:{}: {}", source, line, column + 1, problem.errorString().toStdString()),
        "correct the JSON");
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
                    {"holds", client.holds},
                    {"references", static_cast<qint64>(client.references)},
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

Result<Policy> policy_from(const QJsonObject& object, std::string_view source) {
    SHM_TRY(only(object, {"permissions", "rules", "require_encryption", "audit"}, source, "here"));
    Policy policy;
    if (object.contains("permissions"))
        SHM_TRY(read_permissions(object["permissions"], source, policy.permissions));
    if (object.contains("rules") && !object["rules"].isArray())
        return wrong(source, "rules", "this is no list", "write [ {...}, {...} ]");
    const auto rules = object["rules"].toArray();
    if (static_cast<std::size_t>(rules.size()) > kMaxPolicyRules)
        return wrong(source, "rules", fmt::format("there are {} of them", rules.size()),
                     fmt::format("write at most {}; groups say more in one", kMaxPolicyRules));
    for (qsizetype i = 0; i < rules.size(); ++i) {
        SHM_ASSIGN(auto rule, read_rule(rules[i], source, fmt::format("rules[{}]", i)));
        policy.rules.push_back(std::move(rule));
    }
    SHM_TRY(read_flag(object, "require_encryption", source, policy.require_encryption));
    SHM_TRY(read_flag(object, "audit", source, policy.audit));
    return policy;
}

Result<Policy> parse_policy(std::string_view json, std::string_view source) {
    if (json.size() > kMaxPolicyBytes)
        return fail(ErrorCode::policy_invalid,
                    fmt::format("{}: it has {} bytes", source, json.size()),
                    fmt::format("write at most {}", kMaxPolicyBytes));
    SHM_ASSIGN(const auto object, object_of(json, source));
    return policy_from(object, source);
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
    SHM_ASSIGN(const auto object, object_of(json, "the manager's answer"));
    PolicyReport out;
    if (const auto id = object["region_id"].toString(); !id.isEmpty()) {
        SHM_ASSIGN(out.id, RegionId::parse(id.toStdString()));
    }
    SHM_ASSIGN(out.policy, policy_from(object["policy"].toObject(), "the manager's answer"));
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
