// SPDX-License-Identifier: MIT
// The language of every filter line: "size>1MiB owner:python state:orphan refs=0 words…".
//
// A line is a conjunction of terms. A term is
//   FIELD OP VALUE   OP is one of = != > >= < <= (numbers, sizes, durations) or : (contains, or
//   equals) WORD             found anywhere in the row's search text, whatever its case
// and '-' before a term selects what does not match it. Quotes keep spaces together.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/region.h"
#include "base/result.h"

namespace snakepit::shm {

enum class FilterKind : std::uint8_t { text, number, size, duration };
enum class FilterOp : std::uint8_t {
    equal,
    not_equal,
    less,
    less_equal,
    greater,
    greater_equal,
    contains
};

struct FilterTerm {
    int field = -1;  // -1: any text
    FilterOp op = FilterOp::contains;
    bool negated = false;
    double number = 0;
    std::string text;  // lower case
    bool holds(double value) const;
    bool holds(std::string_view value) const;  // whatever its case
};

// The values that a field can have; null: any text.
using FilterValues = std::span<const std::string_view> (*)();

struct FilterName {
    std::string_view name;
    FilterKind kind;
    FilterValues values = nullptr;
};
// What Filter<Row>::parse does. `unknown_is_word`: a field that is not known, before ':', is text.
Result<std::vector<FilterTerm>> parse_filter(std::string_view line,
                                             std::span<const FilterName> fields,
                                             bool unknown_is_word);
std::string lower_case(std::string_view text);  // ASCII

// A field by its name: its kind follows from its accessor. Durations are in milliseconds.
template <typename Row>
struct FilterField {
    using Text = std::string (*)(const Row&);
    using Number = double (*)(const Row&);
    using Duration = double (*)(const Row&, Timestamp);
    using Any = bool (*)(const Row&, const FilterTerm&);  // of several values

    constexpr FilterField(std::string_view field, Text get) : name(field), text(get) {}
    constexpr FilterField(std::string_view field, FilterValues all, Text get)
        : name(field), values(all), text(get) {}
    constexpr FilterField(std::string_view field, FilterKind what, Number get)
        : name(field), kind(what), number(get) {}
    constexpr FilterField(std::string_view field, Duration get)
        : name(field), kind(FilterKind::duration), duration(get) {}
    constexpr FilterField(std::string_view field, Any matches) : name(field), any(matches) {}

    std::string_view name;
    FilterKind kind = FilterKind::text;
    FilterValues values = nullptr;
    Text text = nullptr;
    Number number = nullptr;
    Duration duration = nullptr;
    Any any = nullptr;
};

// What there is to know of a row: `fields()`, a std::span<const FilterField<Row>>,
// `search_text(row)`, in lower case, and `kUnknownIsWord`, see parse_filter().
template <typename Row>
struct FilterTraits;

// Thread-safe once parsed.
template <typename Row>
class Filter {
    using Traits = FilterTraits<Row>;

  public:
    // An unknown field, an operator the field does not have, a value of another kind or one that
    // the field can never have is invalid_argument and names the part, so that it can be shown
    // under the line while typing.
    static Result<Filter> parse(std::string_view line) {
        std::vector<FilterName> names;
        for (const auto& field : Traits::fields())
            names.push_back({field.name, field.kind, field.values});
        Filter filter;
        SHM_ASSIGN(filter.terms_, parse_filter(line, names, Traits::kUnknownIsWord));
        return filter;
    }
    // What a bare word is searched in.
    static std::string search_text(const Row& row) { return Traits::search_text(row); }

    bool matches(const Row& row, Timestamp at) const {
        const bool searches = std::any_of(terms_.begin(), terms_.end(),
                                          [](const auto& term) { return term.field < 0; });
        return matches(row, at, searches ? search_text(row) : std::string());
    }
    // With search_text(row) prepared once, for rows that are matched often.
    bool matches(const Row& row, Timestamp at, std::string_view prepared) const {
        return std::all_of(terms_.begin(), terms_.end(), [&](const FilterTerm& term) {
            return term_matches(term, row, at, prepared) != term.negated;
        });
    }
    bool empty() const { return terms_.empty(); }
    // True if the answer for an unchanged row changes with the clock.
    bool depends_on_time() const {
        return std::any_of(terms_.begin(), terms_.end(), [](const FilterTerm& term) {
            return term.field >= 0 && field_of(term).duration != nullptr;
        });
    }

  private:
    static const FilterField<Row>& field_of(const FilterTerm& term) {
        return Traits::fields()[static_cast<std::size_t>(term.field)];
    }
    static bool term_matches(const FilterTerm& term, const Row& row, Timestamp at,
                             std::string_view prepared) {
        if (term.field < 0) return prepared.find(term.text) != std::string_view::npos;
        const auto& field = field_of(term);
        if (field.text) return term.holds(field.text(row));
        if (field.any) return field.any(row, term);
        return term.holds(field.number ? field.number(row) : field.duration(row, at));
    }

    std::vector<FilterTerm> terms_;
};

// "policy" is an older name of "cleanup". "holder" is the process id of a process that holds the
// region, or its name or its worker's. A bare word is found in the id, name, owner process, worker,
// session, state, metadata and the names and process ids of the holders.
template <>
struct FilterTraits<RegionInfo> {
    static constexpr bool kUnknownIsWord = false;
    static std::span<const FilterField<RegionInfo>> fields();
    static std::string search_text(const RegionInfo& region);
};
using RegionFilter = Filter<RegionInfo>;

}  // namespace snakepit::shm
