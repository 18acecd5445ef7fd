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
//   FIELD OP VALUE with OP one of = != > >= < <= (numbers, sizes, durations) or : (contains, or
//   is); a bare word, found in the id, owner process, worker, session, state, metadata or the names
//   and process ids of the holders, whatever its case; either of them after '-' : what must not
//   match. Quotes keep spaces together.
// FIELDS: id size actual owner pid uid refs accesses state cleanup security placement worker
// session
//         holder age idle meta; policy is another name of cleanup. `age` and `idle` are durations
//         (age>10m). `holder` is a process id, or part of the name of a process that holds the
//         region or of its worker.
// Thread-safe once parsed.
class RegionFilter {
  public:
    // An unknown field, an operator the field does not have or a value that is not of its kind is
    // invalid_argument and says which part, so that it can be shown under the line while typing.
    static Result<RegionFilter> parse(std::string_view text);

    bool matches(const RegionInfo& region, Timestamp at) const;
    // The same with search_text(region) prepared once, for those who match the same region often.
    bool matches(const RegionInfo& region, Timestamp at, std::string_view prepared) const;
    // What a bare word is looked for in: lower case, its parts on lines of their own.
    static std::string search_text(const RegionInfo& region);
    bool empty() const { return terms_.empty(); }
    // True if the answer for an unchanged region changes with the clock.
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
