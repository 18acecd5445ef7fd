// SPDX-License-Identifier: MIT
#include "base/filter.h"

#include <charconv>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/units.h"

namespace snakepit::shm {

namespace {

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

std::string joined(std::span<const FilterName> fields) {
    std::string names;
    for (const auto& field : fields) names += (names.empty() ? "" : " ") + std::string(field.name);
    return names;
}

Result<double> parse_number(FilterKind kind, std::string_view text) {
    if (kind == FilterKind::size) {
        SHM_ASSIGN(const auto bytes, parse_size(text));
        return static_cast<double>(bytes);
    }
    if (kind == FilterKind::duration) {
        SHM_ASSIGN(const auto millis, parse_duration(text));
        return static_cast<double>(millis);
    }
    double number = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || rest != text.data() + text.size())
        return refuse(fmt::format("expected a number instead of '{}'", text),
                      "write digits, such as pid=4711");
    return number;
}

// Takes an operator off the front.
std::optional<FilterOp> take_operator(std::string_view& text) {
    static constexpr std::array<std::pair<std::string_view, FilterOp>, 7> kOperators{
        {{">=", FilterOp::greater_equal},
         {"<=", FilterOp::less_equal},
         {"!=", FilterOp::not_equal},
         {"=", FilterOp::equal},
         {">", FilterOp::greater},
         {"<", FilterOp::less},
         {":", FilterOp::contains}}};
    for (const auto& [sign, op] : kOperators) {
        if (!text.starts_with(sign)) continue;
        text.remove_prefix(sign.size());
        return op;
    }
    return std::nullopt;
}

// Of a field with fixed values: one of them, or with ':' a part of one.
Status check_value(const FilterName& field, const FilterTerm& term) {
    if (!field.values) return {};
    const auto values = field.values();
    const bool possible = std::any_of(values.begin(), values.end(), [&](std::string_view value) {
        const auto lower = lower_case(value);
        return term.op == FilterOp::contains ? lower.find(term.text) != lower.npos
                                             : lower == term.text;
    });
    if (possible) return {};
    return refuse(fmt::format("'{}' is not a value of '{}'", term.text, field.name),
                  fmt::format("use {}", fmt::join(values, ", ")));
}

Result<FilterTerm> parse_term(std::string_view token, std::span<const FilterName> fields,
                              bool unknown_is_word) {
    FilterTerm term;
    if (token.size() > 1 && token.front() == '-') {
        term.negated = true;
        token.remove_prefix(1);
    }
    const auto at = std::min(token.find_first_of(":=!<>"), token.size());
    const auto name = lower_case(token.substr(0, at));
    const auto found = std::find_if(fields.begin(), fields.end(),
                                    [&](const auto& field) { return field.name == name; });
    const bool known = found != fields.end();
    if (at == 0 || at == token.size() || (!known && unknown_is_word && token[at] == ':')) {
        term.text = lower_case(token);
        return term;
    }
    if (!known) return refuse(fmt::format("unknown field '{}'", name), "use " + joined(fields));
    term.field = static_cast<int>(found - fields.begin());
    auto value = token.substr(at);
    const auto op = take_operator(value);
    if (!op) return refuse(fmt::format("'{}' has no operator", token), "use = != > >= < <= or :");
    if (value.empty())
        return refuse(fmt::format("'{}' has no value", token), "write one after the operator");
    term.op = *op;
    if (found->kind == FilterKind::text) {
        if (*op != FilterOp::contains && *op != FilterOp::equal && *op != FilterOp::not_equal)
            return refuse(fmt::format("'{}' is a text field", name), "use :, = or != with it");
        term.text = lower_case(value);
        SHM_TRY(check_value(*found, term));
        return term;
    }
    SHM_ASSIGN(term.number, parse_number(found->kind, value));
    if (term.op == FilterOp::contains) term.op = FilterOp::equal;
    return term;
}

double bytes(std::uint64_t count) {
    return static_cast<double>(count);
}

double millis_since(Timestamp then, Timestamp at) {
    return static_cast<double>(at.micros - then.micros) / 1000.0;
}

template <typename T>
std::string name_of(T value) {
    return std::string(to_string(value));
}

// Whether one of the holders matches; with != whether none does.
bool any_holder(const RegionInfo& region, const FilterTerm& term) {
    auto wanted = term;
    if (term.op == FilterOp::not_equal) wanted.op = FilterOp::equal;
    const bool found = std::any_of(
        region.references.begin(), region.references.end(), [&](const RegionReference& holder) {
            return fmt::format("{}", holder.pid) == term.text || wanted.holds(holder.process) ||
                   wanted.holds(holder.worker);
        });
    return found == (term.op != FilterOp::not_equal);
}

using Region = const RegionInfo&;
using Field = FilterField<RegionInfo>;

constexpr std::array kRegionFields{
    Field{"id", [](Region r) { return r.id.str(); }},
    Field{"name", [](Region r) { return r.name; }},
    Field{"size", FilterKind::size, [](Region r) { return bytes(r.size); }},
    Field{"actual", FilterKind::size, [](Region r) { return bytes(r.actual_size); }},
    Field{"owner", [](Region r) { return r.owner_process; }},
    Field{"pid", FilterKind::number, [](Region r) { return static_cast<double>(r.owner_pid); }},
    Field{"uid", FilterKind::number, [](Region r) { return static_cast<double>(r.owner_uid); }},
    Field{"refs", FilterKind::number,
          [](Region r) { return static_cast<double>(r.reference_count); }},
    Field{"accesses", FilterKind::number,
          [](Region r) { return static_cast<double>(r.access_count); }},
    Field{"state", region_state_names, [](Region r) { return name_of(r.state); }},
    Field{"cleanup", cleanup_policy_names, [](Region r) { return name_of(r.cleanup_policy); }},
    Field{"policy", cleanup_policy_names, [](Region r) { return name_of(r.cleanup_policy); }},
    Field{"owner_end", owner_end_names, [](Region r) { return name_of(r.owner_end); }},
    Field{"security", security_level_names, [](Region r) { return name_of(r.security_level); }},
    Field{"placement", placement_names, [](Region r) { return name_of(r.placement); }},
    Field{"worker", [](Region r) { return r.worker; }},
    Field{"holder", any_holder},
    Field{"session", [](Region r) { return r.session; }},
    Field{"age", [](Region r, Timestamp at) { return millis_since(r.created_at, at); }},
    Field{"idle", [](Region r, Timestamp at) { return millis_since(r.last_accessed, at); }},
    Field{"meta", [](Region r) { return r.metadata; }},
};

}  // namespace

std::string lower_case(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return out;
}

Result<std::vector<FilterTerm>> parse_filter(std::string_view line,
                                             std::span<const FilterName> fields,
                                             bool unknown_is_word) {
    std::vector<FilterTerm> terms;
    for (const auto& token : split(line)) {
        SHM_ASSIGN(auto term, parse_term(token, fields, unknown_is_word));
        terms.push_back(std::move(term));
    }
    return terms;
}

bool FilterTerm::holds(std::string_view value) const {
    const auto lower = lower_case(value);
    if (op == FilterOp::contains) return lower.find(text) != std::string::npos;
    return (lower == text) == (op == FilterOp::equal);
}

bool FilterTerm::holds(double value) const {
    switch (op) {
        case FilterOp::not_equal:
            return value != number;
        case FilterOp::less:
            return value < number;
        case FilterOp::less_equal:
            return value <= number;
        case FilterOp::greater:
            return value > number;
        case FilterOp::greater_equal:
            return value >= number;
        default:
            return value == number;
    }
}

std::span<const FilterField<RegionInfo>> FilterTraits<RegionInfo>::fields() {
    return kRegionFields;
}

std::string FilterTraits<RegionInfo>::search_text(const RegionInfo& r) {
    auto text = fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}", r.id.str(), r.name, r.owner_process,
                            r.worker, r.session, to_string(r.state), r.metadata);
    for (const auto& holder : r.references)
        fmt::format_to(std::back_inserter(text), "\n{} {} {}", holder.process, holder.pid,
                       holder.worker);
    return lower_case(text);
}

}  // namespace snakepit::shm
