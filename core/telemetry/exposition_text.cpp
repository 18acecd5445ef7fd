// SPDX-License-Identifier: MIT
// The two text formats, and the choice between them.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

#include "telemetry/exposition.h"

namespace snakepit::shm {

namespace {

constexpr std::array<std::string_view, 3> kUnits{"bytes", "seconds", "ratio"};
constexpr std::string_view kOpenMetrics = "application/openmetrics-text";

void append_escaped(std::string& out, std::string_view text, bool quotes) {
    for (const char c : text) {
        if (c == '\n') {
            out += "\\n";
            continue;
        }
        if (c == '\\' || (quotes && c == '"')) out += '\\';
        out += c;
    }
}

std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    constexpr double kExact = 9007199254740992.0;  // 2^53
    if (value == std::floor(value) && std::abs(value) < kExact)
        return fmt::format("{}", static_cast<std::int64_t>(value));
    return fmt::format("{}", value);
}

using Labels = std::vector<std::pair<std::string, std::string>>;

void append_point(std::string& out, std::string_view name, const Labels& labels, double value) {
    out += name;
    char before = '{';
    for (const auto& [label, text] : labels) {
        out += before;
        out.append(label).append("=\"");
        append_escaped(out, text, true);
        out += '"';
        before = ',';
    }
    if (!labels.empty()) out += '}';
    fmt::format_to(std::back_inserter(out), " {}\n", number(value));
}

std::string_view type_name(FamilyKind kind, ExpositionFormat format) {
    switch (kind) {
        case FamilyKind::gauge:
            break;
        case FamilyKind::counter:
            return "counter";
        case FamilyKind::histogram:
            return "histogram";
        case FamilyKind::info:
            return format == ExpositionFormat::openmetrics ? "info" : "gauge";
    }
    return "gauge";
}

// The name in HELP and TYPE: in the classic format with its suffix.
std::string described_name(const MetricFamily& family, ExpositionFormat format) {
    const bool bare =
        format == ExpositionFormat::openmetrics || family.kind == FamilyKind::histogram;
    return bare ? family.name : family.name_of({});
}

void append_description(std::string& out, const MetricFamily& family, ExpositionFormat format) {
    const bool open = format == ExpositionFormat::openmetrics;
    const auto name = described_name(family, format);
    out.append("# HELP ").append(name).append(" ");
    append_escaped(out, family.help, open);
    fmt::format_to(std::back_inserter(out), "\n# TYPE {} {}\n", name,
                   type_name(family.kind, format));
    if (!open) return;
    for (const auto unit : kUnits)
        if (name.ends_with(fmt::format("_{}", unit)))
            fmt::format_to(std::back_inserter(out), "# UNIT {} {}\n", name, unit);
}

// The start of a point's counting: one line for each set of labels, after its last point.
void append_created(std::string& out, const MetricFamily& family, const FamilyPoint& point) {
    const bool last = family.kind == FamilyKind::counter || point.suffix == "_count";
    if (family.created.micros == 0 || !last) return;
    append_point(out, family.name + "_created", point.labels,
                 static_cast<double>(family.created.micros) / 1e6);
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Returns the part of `text` before the next `separator`, and removes both.
std::string_view take_part(std::string_view& text, char separator) {
    const auto end = std::min(text.find(separator), text.size());
    const auto part = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
}

struct Wish {
    std::string_view type;
    double quality = 1;
};

Wish parse_wish(std::string_view range) {
    Wish wish{take_part(range, ';')};
    while (!range.empty()) {
        const auto parameter = take_part(range, ';');
        if (!parameter.starts_with("q=")) continue;
        const auto digits = parameter.substr(2);
        // Not a number: not acceptable.
        if (std::from_chars(digits.data(), digits.data() + digits.size(), wish.quality).ec !=
            std::errc())
            wish.quality = 0;
    }
    return wish;
}

}  // namespace

std::string_view content_type(ExpositionFormat format) {
    return format == ExpositionFormat::openmetrics
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}

ExpositionFormat negotiate(std::string_view accept) {
    double open = 0, plain = 0;
    while (!accept.empty()) {
        const auto wish = parse_wish(take_part(accept, ','));
        if (wish.type == kOpenMetrics)
            open = std::max(open, wish.quality);
        else if (wish.type == "text/plain" || wish.type == "text/*" || wish.type == "*/*")
            plain = std::max(plain, wish.quality);
    }
    return open > 0 && open >= plain ? ExpositionFormat::openmetrics : ExpositionFormat::classic;
}

std::string write_families(const std::vector<MetricFamily>& families, ExpositionFormat format) {
    std::string out;
    for (const auto& family : families) {
        append_description(out, family, format);
        for (const auto& point : family.points) {
            append_point(out, family.name_of(point), point.labels, point.value);
            if (format == ExpositionFormat::openmetrics) append_created(out, family, point);
        }
    }
    if (format == ExpositionFormat::openmetrics) out += "# EOF\n";
    return out;
}

}  // namespace snakepit::shm
