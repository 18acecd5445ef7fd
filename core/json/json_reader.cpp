// SPDX-License-Identifier: MIT
#include "json/json_reader.h"

#include <QJsonDocument>
#include <QJsonParseError>
#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/units.h"

namespace snakepit::shm {

namespace {

constexpr double kExact = 9007199254740992.0;  // 2^53: whole numbers up to here are exact
constexpr std::size_t kLongestQuoted = 80;

}  // namespace

Result<JsonReader> JsonReader::parse(std::string_view json, std::string_view source,
                                     ErrorCode code) {
    QJsonParseError problem;
    const auto bytes = QByteArray::fromRawData(json.data(), static_cast<qsizetype>(json.size()));
    const auto document = QJsonDocument::fromJson(bytes, &problem);
    if (problem.error != QJsonParseError::NoError) {
        const auto before = json.substr(0, static_cast<std::size_t>(std::max(0, problem.offset)));
        const auto line = std::count(before.begin(), before.end(), '\n') + 1;
        const auto column = before.size() - (before.rfind('\n') + 1) + 1;
        return fail(
            code,
            fmt::format("{}:{}:{}: {}", source, line, column, problem.errorString().toStdString()),
            "correct the JSON syntax");
    }
    if (!document.isObject())
        return fail(code, fmt::format("{}: expected a JSON object", source), R"(write {"…": …})");
    return JsonReader(document.object(), source, code);
}

std::string JsonReader::path_of(std::string_view name) const {
    return fmt::format("{}{}{}", path_, path_.empty() || name.empty() ? "" : ".", name);
}

tl::unexpected<Error> JsonReader::wrong(std::string_view name, std::string_view what,
                                        std::string remedy) const {
    const auto path = path_of(name);
    return fail(code_,
                path.empty() ? fmt::format("{}: {}", source_, what)
                             : fmt::format("{}: '{}': {}", source_, path, what),
                std::move(remedy));
}

Status JsonReader::only(std::initializer_list<const char*> known) const {
    for (auto it = object_.begin(); it != object_.end(); ++it) {
        const auto key = it.key().toStdString();
        if (std::any_of(known.begin(), known.end(), [&](const char* k) { return key == k; }))
            continue;
        return wrong(
            key.substr(0, kLongestQuoted), "unknown field",
            known.size() == 0 ? "remove it" : fmt::format("use one of {}", fmt::join(known, ", ")));
    }
    return {};
}

Status JsonReader::require(std::initializer_list<const char*> names) const {
    for (const auto* name : names)
        if (!has(name)) return wrong(name, "missing field", "add it");
    return {};
}

Status JsonReader::text(const char* name, std::string& out) const {
    if (!has(name)) return {};
    if (!value(name).isString()) return wrong(name, "expected a string", "write it in quotes");
    out = value(name).toString().toStdString();
    return {};
}

Status JsonReader::line(const char* name, std::string& out, std::size_t longest) const {
    SHM_TRY(text(name, out));
    if (out.size() > longest)
        return wrong(name, "the string is too long", fmt::format("use at most {} bytes", longest));
    const bool control = std::any_of(out.begin(), out.end(),
                                     [](char c) { return static_cast<unsigned char>(c) < ' '; });
    if (control) return wrong(name, "the string has a control character", "write one line");
    return {};
}

Status JsonReader::flag(const char* name, bool& out) const {
    if (!has(name)) return {};
    if (!value(name).isBool())
        return wrong(name, "expected true or false", "write true or false, without quotes");
    out = value(name).toBool();
    return {};
}

Status JsonReader::number(const char* name, double& out) const {
    if (!has(name)) return {};
    if (!value(name).isDouble() || !std::isfinite(value(name).toDouble()))
        return wrong(name, "expected a number", "write a number, without quotes");
    out = value(name).toDouble();
    return {};
}

Status JsonReader::whole(const char* name, std::int64_t& out, std::int64_t least) const {
    if (!has(name)) return {};
    const auto number = value(name).toDouble(NAN);
    if (!(number >= static_cast<double>(least)) || number > kExact || number != std::floor(number))
        return wrong(name, fmt::format("expected a whole number, {} or more", least),
                     "write it without quotes");
    out = static_cast<std::int64_t>(number);
    return {};
}

Status JsonReader::whole(const char* name, std::uint64_t& out) const {
    auto number = static_cast<std::int64_t>(out);
    SHM_TRY(whole(name, number, 0));
    out = static_cast<std::uint64_t>(number);
    return {};
}

Status JsonReader::whole(const char* name, std::uint32_t& out) const {
    std::int64_t number = out;
    SHM_TRY(whole(name, number, 0));
    if (number > UINT32_MAX) return wrong(name, "the number is too large", "lower it");
    out = static_cast<std::uint32_t>(number);
    return {};
}

Status JsonReader::duration(const char* name, std::int64_t& out) const {
    const auto parsed = parse_duration(value(name).toString().toStdString());
    if (value(name).isString() && parsed)
        out = *parsed;
    else if (!whole(name, out, 0))
        return wrong(name, "expected a duration",
                     R"(write milliseconds, or "500ms", "30s", "5m", "2h")");
    return {};
}

Status JsonReader::time(const char* name, Timestamp& out) const {
    if (!has(name)) return {};
    const auto parsed =
        value(name).isNull() ? Timestamp{} : from_rfc3339(value(name).toString().toStdString());
    if (!parsed)
        return wrong(name, "expected a time", R"(write it as "2026-11-22T22:17:35Z", or null)");
    out = *parsed;
    return {};
}

Result<JsonReader> JsonReader::child(const char* name) const {
    if (has(name) && !value(name).isObject())
        return wrong(name, "expected an object", R"(write {"…": …})");
    return JsonReader(value(name).toObject(), source_, code_, path_of(name));
}

Result<std::vector<JsonReader>> JsonReader::children(const char* name) const {
    if (has(name) && !value(name).isArray())
        return wrong(name, "expected a list", "write [{…}, {…}]");
    std::vector<JsonReader> out;
    for (const auto& entry : value(name).toArray()) {
        const auto path = fmt::format("{}[{}]", path_of(name), out.size());
        out.push_back(JsonReader(entry.toObject(), source_, code_, path));
        if (!entry.isObject()) return out.back().wrong({}, "expected an object", "write {…}");
    }
    return out;
}

}  // namespace snakepit::shm
