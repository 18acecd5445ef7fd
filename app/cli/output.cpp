// SPDX-License-Identifier: MIT
#include "output.h"

#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include <QJsonArray>
#include <QJsonDocument>

#include "base/time.h"
#include "base/units.h"
#include "json.h"

namespace snakepit::shm::cli {

namespace {

bool is_size(const QString& group, const QString& key) {
    return key.contains("bytes") || key.contains("size") || key.endsWith("memory") ||
           group.endsWith("space");
}

std::string value_text(const QString& group, const QString& key, const QJsonValue& value) {
    if (value.isNull() || value.isUndefined()) return "-";
    if (value.isBool()) return value.toBool() ? "yes" : "no";
    if (value.isDouble()) {
        const auto number = value.toDouble();
        if (is_size(group, key) && number >= 0)
            return format_size(static_cast<std::uint64_t>(number));
        return value.toVariant().toString().toStdString();
    }
    if (value.isArray()) {
        QStringList parts;
        for (const auto& item : value.toArray())
            parts += item.isObject()
                         ? QString(QJsonDocument(item.toObject()).toJson(QJsonDocument::Compact))
                         : item.toVariant().toString();
        return parts.isEmpty() ? "none" : parts.join(", ").toStdString();
    }
    return value.toString().toStdString();
}

void flatten(const QString& prefix, const QJsonObject& object,
             std::vector<std::pair<std::string, std::string>>& out) {
    for (auto it = object.begin(); it != object.end(); ++it) {
        const auto name = prefix.isEmpty() ? it.key() : prefix + "." + it.key();
        if (it->isObject()) {
            flatten(name, it->toObject(), out);
        } else {
            out.emplace_back(name.toStdString(), value_text(prefix, it.key(), *it));
        }
    }
}

// The first failure; later ones follow from it.
Status& output_state() {
    static Status state;
    return state;
}

void write(const std::string& text) {
    if (!output_state()) return;
    auto written = standard_output().write(text);
    if (!written) output_state() = std::move(written);
}

std::string json_text(const QJsonObject& object, Layout layout) {
    const auto bytes = QJsonDocument(object).toJson(
        layout == Layout::indented ? QJsonDocument::Indented : QJsonDocument::Compact);
    return harmless_json({bytes.constData(), static_cast<std::size_t>(bytes.size())});
}

}  // namespace

void print(std::string_view text) {
    write(harmless_lines(text));
}

void print_json(const QJsonObject& object, Layout layout) {
    write(json_text(object, layout) + (layout == Layout::one_line ? "\n" : ""));
}

void print_error(std::string_view text) {
    (void)std::fwrite(text.data(), 1, text.size(), stderr);
}

OutputFile standard_output() {
    return *OutputFile::begin("-");
}

Status output_written() {
    return output_state();
}

void forgive_output() {
    output_state() = {};
}

bool interactive() {
    return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
}

int report_error(const Context& context, const Error& error) {
    return report_errors(context, {&error, 1});
}

int report_errors(const Context& context, std::span<const Error> errors) {
    if (errors.empty()) return kDone;
    if (!context.json) {
        for (const auto& error : errors)
            print_error(fmt::format("snakepit-shm: {}\n", harmless_lines(error.sentence())));
        return exit_status_of(errors.back());
    }
    auto document = error_json(errors.front());
    if (errors.size() > 1) {
        QJsonArray all;
        for (const auto& error : errors) all.append(error_json(error).value("error"));
        document.insert("errors", all);
    }
    print_error(json_text(document, Layout::one_line) + "\n");
    return exit_status_of(errors.back());
}

Table::Table(std::vector<std::string> titles) : titles_(std::move(titles)) {
    for (auto& title : titles_) {
        right_.push_back(title.ends_with('>'));
        if (right_.back()) title.pop_back();
    }
}

void Table::add(std::vector<std::string> cells) {
    rows_.push_back(std::move(cells));
}

std::string Table::str(std::size_t width) const {
    std::vector<std::size_t> widths;
    for (const auto& title : titles_) widths.push_back(columns(title));
    for (const auto& row : rows_)
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], columns(row[i]));

    const auto line = [&](const std::vector<std::string>& cells) {
        std::string out;
        for (std::size_t i = 0; i < cells.size(); ++i) {
            if (i > 0) out += "  ";
            out += fitted(cells[i], widths[i], right_[i]);
        }
        if (width > 0) out = fitted(out, width);
        out.erase(out.find_last_not_of(' ') + 1);
        return out + '\n';
    };
    auto out = line(titles_);
    for (const auto& row : rows_) out += line(row);
    return out;
}

std::string lines_of(const QJsonObject& object) {
    std::vector<std::pair<std::string, std::string>> lines;
    flatten({}, object, lines);
    std::size_t width = 0;
    for (const auto& [key, value] : lines) width = std::max(width, columns(key));
    std::string out;
    for (const auto& [key, value] : lines)
        out += fitted(key, width) + "  " + harmless(value) + '\n';
    return out;
}

std::string age(Timestamp then) {
    if (then.micros == 0) return "-";
    return format_duration(std::max<std::int64_t>(0, (now().micros - then.micros) / 1000));
}

}  // namespace snakepit::shm::cli
