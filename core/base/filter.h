// SPDX-License-Identifier: MIT
// The language of the filter line: "size>1MiB owner:python state:orphan refs=0 words…".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/region.h"
#include "base/result.h"

namespace snakepit::shm {

// A conjunction of terms. A term is
//   FIELD OP VALUE, with OP one of = != > >= < <= (numbers, sizes, durations) or : (contains, or
//   equals); or a bare word, searched ignoring case in the id, owner process, worker, session,
//   state, metadata, and the names and process ids of the holders; or one of these after '-', which
//   must not match. Quotes keep spaces together.
// FIELDS: id size actual owner pid uid refs accesses state policy security placement worker session
//         age idle meta. `age` and `idle` are durations (age>10m).
// Thread-safe once parsed.
class RegionFilter {
  public:
    // invalid_argument for an unknown field, an operator that the field does not support, or a
    // value of the wrong kind. The message names that part, so that it can be shown below the input
    // line.
    static Result<RegionFilter> parse(std::string_view text);

    bool matches(const RegionInfo& region, Timestamp at) const;
    // The same with a prepared search_text(region), for callers that match a region often.
    bool matches(const RegionInfo& region, Timestamp at, std::string_view prepared) const;
    // The text in which bare words are searched: lower case, one part a line.
    static std::string search_text(const RegionInfo& region);
    bool empty() const { return terms_.empty(); }
    // True if the answer for an unchanged region depends on the time.
    bool depends_on_time() const;

  private:
    enum class Op : std::uint8_t {
        equal,
        not_equal,
        less,
        less_equal,
        greater,
        greater_equal,
        contains
    };
    struct Term {
        int field = -1;  // -1: any text
        Op op = Op::contains;
        bool negated = false;
        double number = 0;
        std::string text;  // lower case
    };
    static Result<Term> parse_term(std::string_view token);
    // `prepared` may be null.
    static bool term_matches(const Term& term, const RegionInfo& region, Timestamp at,
                             const std::string_view* prepared);

    std::vector<Term> terms_;
};

}  // namespace snakepit::shm
