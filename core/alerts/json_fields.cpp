// SPDX-License-Identifier: MIT
#include "alerts/json_fields.h"

#include <QJsonDocument>
#include <QJsonParseError>
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/units.h"

namespace snakepit::shm {

namespace {

constexpr double kExact = 9007199254740992.0;  // 2^53: whole numbers up to here are exact

std::string std_text(const QJsonValue& value) {
    return value.toString().toStdString();
}

}  // namespace

Result<QJsonObject> JsonFields::parse(std::string_view json, std::string_view what,
                                      ErrorCode code) {
    QJsonParseError problem;
    const auto bytes = QByteArray::fromRawData(json.data(), static_cast<qsizetype>(json.size()));
    const auto document = QJsonDocument::fromJson(bytes, &problem);
    if (problem.error != QJsonParseError::NoError) {
        const auto before = json.substr(0, static_cast<std::size_t>(problem.offset));
        const auto line = std::count(before.begin(), before.end(), '\n') + 1;
        const auto column = before.size() - (before.rfind('\n') + 1) + 1;
        return fail(code,
                    fmt::format("{}: line {}, column {}: {}", what, line, column,
                                problem.errorString().toStdString()),
                    "correct its syntax: it is one JSON object");
    }
    if (!document.isObject())
        return fail(code, fmt::format("{}: it is no JSON object", what), R"(write {"name": …})");
    return document.object();
}

tl::unexpected<Error> JsonFields::wrong(const char* name, std::string_view what,
                                        std::string remedy) const {
    return fail(code_, fmt::format("{}: '{}': {}", what_, name, what), std::move(remedy));
}

Status JsonFields::only(std::initializer_list<const char*> known) const {
    for (auto it = object_.begin(); it != object_.end(); ++it) {
        const auto key = it.key().toStdString();
        if (std::any_of(known.begin(), known.end(), [&](const char* k) { return key == k; }))
            continue;
        std::string choices;
        for (const auto* k : known) choices += choices.empty() ? k : std::string(", ") + k;
        return wrong(key.substr(0, 80).c_str(), "there is no such field",
                     "remove it, or write one of " + choices);
    }
    return {};
}

Status JsonFields::text(const char* name, std::string& out) const {
    if (!has(name)) return {};
    if (!value(name).isString()) return wrong(name, "this is no text", "write it in quotes");
    out = std_text(value(name));
    return {};
}

Status JsonFields::line(const char* name, std::string& out, std::size_t longest) const {
    SHM_TRY(text(name, out));
    if (out.size() > longest)
        return wrong(name, "this is too long", fmt::format("write at most {} bytes", longest));
    const bool control = std::any_of(out.begin(), out.end(),
                                     [](char c) { return static_cast<unsigned char>(c) < ' '; });
    if (control) return wrong(name, "there is a control character in it", "write it in one line");
    return {};
}

Status JsonFields::flag(const char* name, bool& out) const {
    if (!has(name)) return {};
    if (!value(name).isBool())
        return wrong(name, "this is not true or false", "write true or false, without quotes");
    out = value(name).toBool();
    return {};
}

Status JsonFields::number(const char* name, double& out) const {
    if (!has(name)) return {};
    if (!value(name).isDouble() || !std::isfinite(value(name).toDouble()))
        return wrong(name, "this is no number", "write a number, without quotes");
    out = value(name).toDouble();
    return {};
}

Status JsonFields::whole(const char* name, std::uint64_t& out) const {
    if (!has(name)) return {};
    const auto number = value(name).toDouble(-1);
    if (number < 0 || number > kExact || number != std::floor(number))
        return wrong(name, "this is no whole number", "write 0, 1, 2 …, without quotes");
    out = static_cast<std::uint64_t>(number);
    return {};
}

Status JsonFields::duration(const char* name, std::int64_t& out) const {
    if (!has(name)) return {};
    const auto remedy = R"(write milliseconds, or "500ms", "30s", "5m", "2h")";
    if (value(name).isString()) {
        const auto parsed = parse_duration(std_text(value(name)));
        if (!parsed) return wrong(name, "this is no duration", remedy);
        out = *parsed;
        return {};
    }
    std::uint64_t millis = 0;
    if (!whole(name, millis)) return wrong(name, "this is no duration", remedy);
    out = static_cast<std::int64_t>(millis);
    return {};
}

Status JsonFields::time(const char* name, Timestamp& out) const {
    if (!has(name)) return {};
    if (value(name).isNull()) {
        out = {};
        return {};
    }
    const auto parsed = from_rfc3339(std_text(value(name)));
    if (!parsed)
        return wrong(name, "this is no time", R"(write one as "2026-11-22T22:17:35Z", or null)");
    out = *parsed;
    return {};
}

}  // namespace snakepit::shm
