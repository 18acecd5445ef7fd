// SPDX-License-Identifier: MIT
#include "output.h"

#include <poll.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <QJsonArray>
#include <QJsonDocument>

#include "base/time.h"
#include "base/units.h"
#include "json.h"
#include "json/human_values.h"
#include "terminal.h"

namespace snakepit::shm::cli {

namespace {

struct Display {
    std::size_t columns = 0;
    bool color = false;
};

Display& display() {
    static Display display;
    return display;
}

bool uses_color(const std::string& when) {
    if (when != "auto") return when == "always";
    const auto value = [](const char* name) {
        const auto* found = std::getenv(name);
        return std::string_view(found ? found : "");
    };
    return terminal_columns() > 0 && value("NO_COLOR").empty() && value("TERM") != "dumb";
}

// A table without titles: a row for each member.
void add_facts(const QString& prefix, const QJsonObject& object, Table& out) {
    for (auto it = object.begin(); it != object.end(); ++it) {
        const auto name = prefix.isEmpty() ? it.key() : prefix + "." + it.key();
        if (it->isObject()) {
            add_facts(name, it->toObject(), out);
        } else {
            out.add({name.toStdString(), human_value(prefix, it.key(), *it)});
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
    return sanitized_json({bytes.constData(), static_cast<std::size_t>(bytes.size())});
}

// Lines that are longer than the terminal is wide are wrapped between words.
std::string for_terminal(std::string_view text, std::size_t width) {
    std::string out;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = text.substr(0, end);
        const auto pieces = columns(line) > width ? wrapped(line, width)
                                                  : std::vector<std::string>{std::string(line)};
        for (std::size_t i = 0; i < pieces.size(); ++i) out += (i > 0 ? "\n" : "") + pieces[i];
        if (end < text.size()) out += '\n';
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

}  // namespace

void adapt_output(const Context& context) {
    display() = {terminal_columns(), uses_color(context.color)};
}

std::size_t output_columns() {
    return display().columns;
}

bool output_is_terminal() {
    return display().columns > 0;
}

bool output_has_color() {
    return display().color;
}

void print(std::string_view text) {
    const auto safe = sanitized_lines(text);
    write(display().columns > 0 ? for_terminal(safe, display().columns) : safe);
}

void print(std::span<const Toned> pieces) {
    std::string out;
    for (const auto& piece : pieces) out += toned(piece.text, piece.tone, display().color);
    write(out + '\n');
}

void print(const Table& table) {
    write(table.str(display().columns, display().color));
}

void print_raw(std::string_view text) {
    write(std::string(text));
}

void clear_screen() {
    write("\x1b[H\x1b[2J\x1b[3J");
}

void print_json(const QJsonObject& object, Layout layout) {
    write(json_text(object, layout) + (layout == Layout::one_line ? "\n" : ""));
}

void print_error(std::string_view text) {
    (void)std::fwrite(text.data(), 1, text.size(), stderr);
}

void print_error_json(const QJsonObject& object) {
    print_error(json_text(object, Layout::one_line) + "\n");
}

void print_note(const Context& context, std::string_view text) {
    if (!context.json) print_error(fmt::format("snakepit-shm: {}\n", sanitized(text)));
}

OutputFile standard_output() {
    return *OutputFile::begin("-");
}

Status output_written() {
    return output_state();
}

bool output_is_read(int timeout_ms) {
    if (!output_state()) return false;
    pollfd output{1, 0, 0};
    return ::poll(&output, 1, timeout_ms) <= 0;
}

void forgive_output() {
    output_state() = {};
}

int report_error(const Context& context, const Error& error) {
    return report_errors(context, {&error, 1});
}

int report_errors(const Context& context, std::span<const Error> errors) {
    if (errors.empty()) return kDone;
    if (!context.json) {
        for (const auto& error : errors)
            print_error(fmt::format("snakepit-shm: {}\n", sanitized_lines(error.sentence())));
        return exit_status_of(errors.back());
    }
    auto document = error_json(errors.front());
    if (errors.size() > 1) {
        QJsonArray all;
        for (const auto& error : errors) all.append(error_json(error).value("error"));
        document.insert("errors", all);
    }
    print_error_json(document);
    return exit_status_of(errors.back());
}

Table facts_of(const QJsonObject& object) {
    Table out({"", ""});
    add_facts({}, object, out);
    return out;
}

std::string age(Timestamp then) {
    if (then.micros == 0) return "-";
    return format_duration(std::max<std::int64_t>(0, (now().micros - then.micros) / 1000));
}

}  // namespace snakepit::shm::cli
