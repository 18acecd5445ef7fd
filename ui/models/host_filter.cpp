// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/host_filter.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "base/units.h"
#include "ui/models/host_text.h"

namespace snakepit::shm::ui {

namespace {

enum class Kind { words, size, number };

std::string user_names_of(const HostSegment& segment) {
    std::string out;
    for (const auto& user : segment.users)
        out += user.program + ' ' + std::to_string(user.pid) + ' ';
    return out;
}

std::string all_names(const HostSegment& segment) {
    std::string out = segment.name;
    for (const auto& name : segment.names) out += ' ' + name;
    return out;
}

struct Field {
    std::string_view name;
    Kind kind;
    std::string (*text)(const HostSegment&);
    double (*number)(const HostSegment&);
};

constexpr std::array kFields{
    Field{"kind", Kind::words,
          [](const HostSegment& s) { return kind_title(s.kind).toStdString(); }, nullptr},
    Field{"name", Kind::words, [](const HostSegment& s) { return s.label + ' ' + all_names(s); },
          nullptr},
    Field{"program", Kind::words, [](const HostSegment& s) { return s.program; }, nullptr},
    Field{"owner", Kind::words, [](const HostSegment& s) { return s.user; }, nullptr},
    Field{"creator", Kind::words,
          [](const HostSegment& s) { return creator_text(s).toStdString(); }, nullptr},
    Field{"user", Kind::words, user_names_of, nullptr},
    Field{"container", Kind::words, [](const HostSegment& s) { return s.container; }, nullptr},
    Field{"verdict", Kind::words,
          [](const HostSegment& s) { return verdict_title(s.verdict).toStdString(); }, nullptr},
    Field{"size", Kind::size, nullptr,
          [](const HostSegment& s) { return static_cast<double>(s.size); }},
    Field{"resident", Kind::size, nullptr,
          [](const HostSegment& s) { return static_cast<double>(s.resident); }},
    Field{"pid", Kind::number, nullptr,
          [](const HostSegment& s) { return static_cast<double>(s.creator.pid); }},
    Field{"users", Kind::number, nullptr,
          [](const HostSegment& s) { return static_cast<double>(s.users.size()); }},
    Field{"mode", Kind::number, nullptr,
          [](const HostSegment& s) { return static_cast<double>(s.mode); }},
    Field{"confidence", Kind::number, nullptr,
          [](const HostSegment& s) { return static_cast<double>(s.confidence); }},
};

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

// "left over" and "in use" are one word in a line: left_over, in-use.
std::string joined(std::string text) {
    std::replace(text.begin(), text.end(), '_', ' ');
    return text;
}

bool compare(double a, const std::string& op, double b) {
    if (op == "=") return a == b;
    if (op == "!=") return a != b;
    if (op == ">") return a > b;
    if (op == ">=") return a >= b;
    return op == "<" ? a < b : a <= b;
}

std::string all_fields() {
    std::string names;
    for (const auto& field : kFields)
        names += (names.empty() ? "" : ", ") + std::string(field.name);
    return names;
}

Result<double> number_of(const Field& field, std::string_view value) {
    if (field.kind == Kind::size) {
        SHM_ASSIGN(const auto size, parse_size(value));
        return static_cast<double>(size);
    }
    double number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error == std::errc() && end == value.data() + value.size()) return number;
    return fail(ErrorCode::invalid_argument, "'" + std::string(value) + "' is not a number",
                "write a number behind " + std::string(field.name));
}

}  // namespace

Result<HostFilter::Term> HostFilter::parse_term(std::string_view word) {
    Term term;
    if (word.size() > 1 && word.front() == '-') term.negated = true, word.remove_prefix(1);
    const auto at = word.find_first_of(":=!<>");
    // A name may have a colon in it: "sysv:4711" is a word.
    const auto* field = std::find_if(kFields.begin(), kFields.end(), [&](const Field& f) {
        return at != std::string_view::npos && f.name == word.substr(0, at);
    });
    if (at == std::string_view::npos || at == 0 || (field == kFields.end() && word[at] == ':')) {
        term.text = lower(std::string(word));
        return term;
    }
    if (field == kFields.end())
        return fail(ErrorCode::invalid_argument,
                    "there is no field '" + std::string(word.substr(0, at)) + "'",
                    "use one of " + all_fields());
    term.field = static_cast<int>(field - kFields.begin());
    const bool two = at + 1 < word.size() && word[at + 1] == '=' && word[at] != ':';
    term.op = std::string(word.substr(at, two ? 2 : 1));
    const auto value = word.substr(at + term.op.size());
    const bool right = field->kind == Kind::words ? term.op == ":" || term.op == "="
                                                  : term.op != ":" && term.op != "!";
    if (!right || value.empty())
        return fail(ErrorCode::invalid_argument,
                    "'" + std::string(word) + "' is not finished or does not fit " +
                        std::string(field->name),
                    field->kind == Kind::words ? "write verdict:left_over" : "write size>1MiB");
    if (field->kind == Kind::words) {
        term.text = joined(lower(std::string(value)));
    } else {
        SHM_ASSIGN(term.number, number_of(*field, value));
    }
    return term;
}

Result<HostFilter> HostFilter::parse(std::string_view text) {
    HostFilter filter;
    while (!text.empty()) {
        const auto end = std::min(text.find(' '), text.size());
        if (end > 0) {
            SHM_ASSIGN(auto term, parse_term(text.substr(0, end)));
            filter.terms_.push_back(std::move(term));
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return filter;
}

bool HostFilter::term_matches(const Term& term, const HostSegment& segment,
                              std::string_view prepared) {
    if (term.field < 0) return prepared.find(term.text) != std::string_view::npos;
    const auto& field = kFields[static_cast<std::size_t>(term.field)];
    if (field.kind != Kind::words) return compare(field.number(segment), term.op, term.number);
    const auto text = joined(lower(field.text(segment)));
    return term.op == "=" ? text == term.text : text.find(term.text) != std::string::npos;
}

bool HostFilter::matches(const HostSegment& segment, std::string_view prepared) const {
    return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
        return term_matches(term, segment, prepared) != term.negated;
    });
}

std::string HostFilter::search_text(const HostSegment& segment) {
    std::string text;
    for (const auto& part :
         {all_names(segment), segment.label, segment.program, segment.user, segment.container,
          segment.creator.program, kind_title(segment.kind).toStdString(),
          verdict_title(segment.verdict).toStdString(), user_names_of(segment)})
        text += part + '\n';
    return lower(std::move(text));
}

}  // namespace snakepit::shm::ui
