// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/filter.h"
#include "survey/host_survey.h"

namespace snakepit::shm {

// The host's segments, in the language of base/filter.h. A name may have a colon in it:
// "sysv:4711" is a word.
template <>
struct FilterTraits<HostSegment> {
    static constexpr bool kUnknownIsWord = true;
    static std::span<const FilterField<HostSegment>> fields();
    static std::string search_text(const HostSegment& segment);
};

namespace ui {
using HostFilter = Filter<HostSegment>;
}  // namespace ui

}  // namespace snakepit::shm
