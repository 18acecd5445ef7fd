// SPDX-License-Identifier: MIT
#include "diagnostics/redaction.h"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <sstream>
#include <vector>

#include <QJsonArray>

#include <fmt/format.h>

namespace snakepit::shm {

namespace {

enum class Keep : std::uint8_t { all, first_word, nothing };

// The key of a System V segment identifies it; it is not secret.
bool is_segment_key(const QJsonObject& object, const QString& name) {
    return name == QLatin1String("key") && object[name].isDouble() &&
           object[QLatin1String("kind")] == QLatin1String("sysv");
}

Keep keep(std::string_view key, bool metadata) {
    std::string name(key);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (metadata && name == "metadata") return Keep::nothing;
    if (is_secret_name(name)) return Keep::nothing;
    const auto contains = [&](const char* word) { return name.find(word) != std::string::npos; };
    constexpr std::array command{"command", "cmdline", "argument", "argv", "exec"};
    if (name == "args" || std::any_of(command.begin(), command.end(), contains))
        return Keep::first_word;
    return Keep::all;
}

std::string redacted_text(std::string_view text, Keep how) {
    if (text.empty()) return {};
    if (how == Keep::nothing) return std::string(kRedacted);
    if (how == Keep::first_word) {
        const auto end = text.find_first_of(" \t\n");
        if (end == std::string_view::npos) return redacted_url(text);
        return fmt::format("{} {}", redacted_url(text.substr(0, end)), kRedacted);
    }
    return redacted_url(text);
}

QJsonValue redacted_value(const QJsonValue& value, Keep how, bool metadata);

QJsonArray redacted_array(const QJsonArray& array, Keep how, bool metadata) {
    QJsonArray out;
    for (const auto& value : array) {
        const bool later = how == Keep::first_word && !out.isEmpty() && value.isString();
        out.append(redacted_value(value, later ? Keep::nothing : how, metadata));
    }
    return out;
}

QJsonValue redacted_value(const QJsonValue& value, Keep how, bool metadata) {
    if (value.isArray()) return redacted_array(value.toArray(), how, metadata);
    if (how == Keep::nothing && !value.isNull() && !value.isBool())
        return QString::fromLatin1(kRedacted.data(), static_cast<qsizetype>(kRedacted.size()));
    if (value.isObject()) return redacted(value.toObject(), metadata);
    if (value.isString())
        return QString::fromStdString(redacted_text(value.toString().toStdString(), how));
    return value;
}

void redact(toml::table& table);

void redact(toml::array& array, Keep how) {
    bool first = true;
    for (auto& node : array) {
        if (auto* inner = node.as_table()) {
            redact(*inner);
        } else if (auto* list = node.as_array()) {
            redact(*list, how);
        } else if (auto* text = node.as_string()) {
            const bool later = how == Keep::first_word && !first;
            *text = redacted_text(text->get(), later ? Keep::nothing : how);
        }
        first = false;
    }
}

// Whatever its type. Flags and empty strings stay.
bool goes_whole(const toml::node& node, Keep how) {
    const auto* text = node.as_string();
    return how == Keep::nothing && !node.is_boolean() && !(text && text->get().empty());
}

void redact(toml::table& table) {
    std::vector<std::string> whole;
    for (auto&& [key, node] : table) {
        const auto how = keep(key.str(), false);
        if (goes_whole(node, how))
            whole.emplace_back(key.str());
        else if (auto* inner = node.as_table())
            redact(*inner);
        else if (auto* list = node.as_array())
            redact(*list, how);
        else if (auto* text = node.as_string())
            *text = redacted_text(text->get(), how);
    }
    for (const auto& key : whole) table.insert_or_assign(key, std::string(kRedacted));
}

}  // namespace

QJsonObject redacted(const QJsonObject& document, bool metadata) {
    QJsonObject out;
    for (auto it = document.begin(); it != document.end(); ++it) {
        const auto how =
            is_segment_key(document, it.key()) ? Keep::all : keep(it.key().toStdString(), metadata);
        out.insert(it.key(), redacted_value(*it, how, metadata));
    }
    return out;
}

Result<std::string> redacted_toml(const std::string& text) {
    try {
        auto table = toml::parse(text);
        redact(table);
        std::ostringstream out;
        out << toml::toml_formatter(table) << '\n';
        return out.str();
    } catch (const toml::parse_error& error) {
        return fail(ErrorCode::configuration_invalid,
                    fmt::format("invalid TOML: line {}, {}", error.source().begin.line,
                                error.description()));
    }
}

}  // namespace snakepit::shm
