// SPDX-License-Identifier: MIT
#include "base/filter.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "base/units.h"

namespace snakepit::shm {

namespace {

enum class Kind : std::uint8_t { text, number, size, duration };

struct Field {
    std::string_view name;
    Kind kind;
};

constexpr std::array<Field, 18> kFields{{
    {"id", Kind::text},
    {"size", Kind::size},
    {"actual", Kind::size},
    {"owner", Kind::text},
    {"pid", Kind::number},
    {"uid", Kind::number},
    {"refs", Kind::number},
    {"accesses", Kind::number},
    {"state", Kind::text},
    {"policy", Kind::text},
    {"security", Kind::text},
    {"placement", Kind::text},
    {"worker", Kind::text},
    {"session", Kind::text},
    {"age", Kind::duration},
    {"idle", Kind::duration},
    {"cleanup", Kind::text},
    {"holder", Kind::text},
}};
constexpr int kHolder = 17;
constexpr int kMeta = static_cast<int>(kFields.size());  // "meta": text, outside the table's order

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return out;
}

std::string text_of(int field, const RegionInfo& r) {
    switch (field) {
        case 0:
            return r.id.str();
        case 3:
            return r.owner_process;
        case 8:
            return std::string(to_string(r.state));
        case 9:
        case 16:
            return std::string(to_string(r.cleanup_policy));
        case 10:
            return std::string(to_string(r.security_level));
        case 11:
            return std::string(to_string(r.placement));
        case 12:
            return r.worker;
        case 13:
            return r.session;
        default:
            return r.metadata;
    }
}

// By process id, or by the name of the process or its worker, which may be given in part.
bool is_holder(const RegionReference& holder, const std::string& word, bool in_part) {
    if (fmt::format("{}", holder.pid) == word) return true;
    const auto is = [&](const std::string& name) {
        return in_part ? lower(name).find(word) != std::string::npos : lower(name) == word;
    };
    return is(holder.process) || is(holder.worker);
}

double number_of(int field, const RegionInfo& r, Timestamp at) {
    switch (field) {
        case 1:
            return static_cast<double>(r.size);
        case 2:
            return static_cast<double>(r.actual_size);
        case 4:
            return static_cast<double>(r.owner_pid);
        case 5:
            return static_cast<double>(r.owner_uid);
        case 6:
            return static_cast<double>(r.reference_count);
        case 7:
            return static_cast<double>(r.access_count);
        case 14:
            return static_cast<double>(at.micros - r.created_at.micros) / 1000.0;
        default:
            return static_cast<double>(at.micros - r.last_accessed.micros) / 1000.0;
    }
}

Kind kind_of(int field) {
    return field == kMeta ? Kind::text : kFields[static_cast<std::size_t>(field)].kind;
}

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> tokens;
    std::string current;
    bool quoted = false, any = false;
    for (char c : text) {
        if (c == '"') {
            quoted = !quoted;
            any = true;
        } else if (c == ' ' && !quoted) {
            if (any) tokens.push_back(std::move(current));
            current.clear();
            any = false;
        } else {
            current += c;
            any = true;
        }
    }
    if (any) tokens.push_back(std::move(current));
    return tokens;
}

tl::unexpected<Error> refuse(std::string message, std::string remedy) {
    return fail(ErrorCode::invalid_argument, std::move(message), std::move(remedy));
}

std::string field_names() {
    std::string names;
    for (const auto& field : kFields) names += fmt::format("{} ", field.name);
    return names + "meta";
}

Result<double> parse_number(Kind kind, std::string_view text) {
    if (kind == Kind::size) {
        SHM_ASSIGN(const auto bytes, parse_size(text));
        return static_cast<double>(bytes);
    }
    if (kind == Kind::duration) {
        SHM_ASSIGN(const auto millis, parse_duration(text));
        return static_cast<double>(millis);
    }
    double number = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || rest != text.data() + text.size())
        return refuse(fmt::format("'{}' is not a number", text), "write digits, such as refs=0");
    return number;
}

}  // namespace

Result<RegionFilter::Term> RegionFilter::parse_term(std::string_view token) {
    Term term;
    if (token.size() > 1 && token.front() == '-') {
        term.negated = true;
        token.remove_prefix(1);
    }
    const auto at = token.find_first_of(":=!<>");
    if (at == std::string_view::npos || at == 0) {
        term.text = lower(token);
        return term;
    }
    const auto name = lower(token.substr(0, at));
    const auto found = std::find_if(kFields.begin(), kFields.end(),
                                    [&](const Field& field) { return field.name == name; });
    if (found == kFields.end() && name != "meta")
        return refuse(fmt::format("'{}' is not a field", name), "fields are " + field_names());
    term.field = static_cast<int>(found - kFields.begin());

    auto rest = token.substr(at);
    const auto take = [&](std::string_view sign, Op op) {
        if (!rest.starts_with(sign)) return false;
        term.op = op;
        rest.remove_prefix(sign.size());
        return true;
    };
    const bool known = take(">=", Op::greater_equal) || take("<=", Op::less_equal) ||
                       take("!=", Op::not_equal) || take("=", Op::equal) ||
                       take(">", Op::greater) || take("<", Op::less) || take(":", Op::contains);
    if (!known)
        return refuse(fmt::format("'{}' has no operator", token), "use = != > >= < <= or :");
    if (rest.empty())
        return refuse(fmt::format("'{}' has no value", token), "write one after the operator");

    if (kind_of(term.field) == Kind::text) {
        if (term.op != Op::contains && term.op != Op::equal && term.op != Op::not_equal)
            return refuse(fmt::format("'{}' is a text field", name), "use :, = or != with it");
        term.text = lower(rest);
        return term;
    }
    SHM_ASSIGN(term.number, parse_number(kind_of(term.field), rest));
    if (term.op == Op::contains) term.op = Op::equal;
    return term;
}

Result<RegionFilter> RegionFilter::parse(std::string_view text) {
    RegionFilter filter;
    for (const auto& token : split(text)) {
        SHM_ASSIGN(auto term, parse_term(token));
        filter.terms_.push_back(std::move(term));
    }
    return filter;
}

std::string RegionFilter::search_text(const RegionInfo& r) {
    auto text = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", r.id.str(), r.owner_process, r.worker,
                            r.session, to_string(r.state), r.metadata);
    for (const auto& holder : r.references)
        fmt::format_to(std::back_inserter(text), "\n{} {} {}", holder.process, holder.pid,
                       holder.worker);
    return lower(text);
}

bool RegionFilter::depends_on_time() const {
    return std::any_of(terms_.begin(), terms_.end(), [](const Term& term) {
        return term.field >= 0 && kind_of(term.field) == Kind::duration;
    });
}

bool RegionFilter::term_matches(const Term& term, const RegionInfo& r, Timestamp at,
                                const std::string_view* prepared) {
    if (term.field < 0) {
        if (!prepared) return search_text(r).find(term.text) != std::string::npos;
        return prepared->find(term.text) != std::string_view::npos;
    }
    if (term.field == kHolder) {
        const bool held = std::any_of(
            r.references.begin(), r.references.end(), [&](const RegionReference& holder) {
                return is_holder(holder, term.text, term.op == Op::contains);
            });
        return held == (term.op != Op::not_equal);
    }
    if (kind_of(term.field) == Kind::text) {
        const auto text = lower(text_of(term.field, r));
        if (term.op == Op::contains) return text.find(term.text) != std::string::npos;
        return (text == term.text) == (term.op == Op::equal);
    }
    const auto number = number_of(term.field, r, at);
    switch (term.op) {
        case Op::not_equal:
            return number != term.number;
        case Op::less:
            return number < term.number;
        case Op::less_equal:
            return number <= term.number;
        case Op::greater:
            return number > term.number;
        case Op::greater_equal:
            return number >= term.number;
        default:
            return number == term.number;
    }
}

bool RegionFilter::matches(const RegionInfo& region, Timestamp at) const {
    return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
        return term_matches(term, region, at, nullptr) != term.negated;
    });
}

bool RegionFilter::matches(const RegionInfo& region, Timestamp at,
                           std::string_view prepared) const {
    return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
        return term_matches(term, region, at, &prepared) != term.negated;
    });
}

}  // namespace snakepit::shm
