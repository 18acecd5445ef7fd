// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "survey/host_survey.h"

namespace snakepit::shm::ui {

// One line that says which segments are wanted, written as the filter of regions is: words that are
// found anywhere, and FIELD OP VALUE with
//   kind name program owner creator user container verdict   with ":" (contains)
//   size resident pid users mode confidence                  with = != > >= < <=
// Either of them after '-' is what must not match. A conjunction. Thread-safe once parsed.
class HostFilter {
  public:
    // invalid_argument says which part is wrong, for under the line while one types.
    static Result<HostFilter> parse(std::string_view text);

    // `prepared`: search_text(segment), made once.
    bool matches(const HostSegment& segment, std::string_view prepared) const;
    static std::string search_text(const HostSegment& segment);
    bool empty() const { return terms_.empty(); }

  private:
    struct Term {
        int field = -1;  // -1: anywhere
        std::string op = ":";
        bool negated = false;
        double number = 0;
        std::string text;  // lower case
    };
    static Result<Term> parse_term(std::string_view word);
    static bool term_matches(const Term& term, const HostSegment& segment,
                             std::string_view prepared);

    std::vector<Term> terms_;
};

}  // namespace snakepit::shm::ui
