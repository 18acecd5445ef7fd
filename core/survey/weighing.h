// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "survey/evidence.h"

namespace snakepit::shm::survey {

// The questions about one segment, in order (evidence.cpp). Who could find it again, or may know
// it: weighing_reach.cpp.
class Weighing {
  public:
    Weighing(HostSegment& segment, const Setting& setting, const Origin* origin)
        : segment_(segment), setting_(setting), origin_(origin) {
        constexpr std::size_t kUsual = 6;
        out_.sentences.reserve(kUsual);
    }

    Evidence run();

  private:
    template <typename... Args>
    void say(fmt::format_string<Args...> text, Args&&... args) {
        out_.sentences.push_back(fmt::format(text, std::forward<Args>(args)...));
    }
    bool system_v() const { return segment_.kind == SegmentKind::system_v; }
    bool everything_was_seen() const {
        return setting_.complete && setting_.outermost && setting_.all_listed;
    }

    void recognise_program();
    bool has_another_name();
    void take_recorded_maker();
    void ask_for_creator();
    void tell_creator(const ProcessFacts& process);
    bool belongs_to_us();
    bool is_used();
    void tell_users();
    void ask_whether_it_can_be_found();
    void ask_for_program();
    void ask_for_history();
    std::string living(std::int64_t pid) const;
    void look_for_numbers();
    void ask_who_may_know_it();
    bool may_have_other_ids(const Access& access);
    void ask_for_administrator();
    void ask_whether_it_was_passed_on();
    void tell_times();

    HostSegment& segment_;
    const Setting& setting_;
    const Origin* origin_;
    const KnownProgram* known_ = nullptr;
    Evidence out_;
};

}  // namespace snakepit::shm::survey
