// SPDX-License-Identifier: MIT
// Processes that never ran, for judging segments.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "survey/process_view.h"
#include "survey/system_view.h"

namespace snakepit::shm::test {

inline constexpr std::int64_t kSecond = 1'000'000;
inline constexpr std::uint32_t kUser = 1234;
inline constexpr Timestamp kNow{1'800'000'000 * kSecond};

struct MadeProcess {
    std::int64_t pid = 0;
    std::string name;
    survey::SoftwareSet software = 0;
    std::uint32_t uid = kUser;
    std::int64_t inner = 0;  // its number in a container that shares the files; 0: in none
    bool readable = true;
    std::int64_t started = 0;  // see ProcessFacts
};

class MadeProcesses final : public survey::ProcessView {
  public:
    std::vector<MadeProcess> all;
    bool hidden = false;  // others may be there that are not listed

    survey::ProcessFacts find(std::int64_t pid) const override {
        const auto found = std::find_if(all.begin(), all.end(),
                                        [pid](const auto& process) { return process.pid == pid; });
        if (found == all.end()) return {pid, hidden ? Life::not_told : Life::gone, {}, 0, false};
        if (!found->readable) return {pid, Life::not_told, {}, 0, false};
        return {pid, Life::lives, found->name, 0, false, found->started};
    }
    bool is_listed(std::int64_t pid) const override {
        return std::any_of(all.begin(), all.end(),
                           [pid](const auto& process) { return process.pid == pid; });
    }
    survey::Found find_in_containers(std::uint64_t, std::int64_t pid) const override {
        for (const auto& process : all)
            if (process.inner != 0 && process.inner == pid)
                return {survey::Answer::yes, process.pid, process.name, false};
        return {survey::Answer::no, 0, {}, false};
    }
    survey::Found anyone(const survey::Access& access) const override {
        for (const auto& process : all)
            if (access.everybody ||
                std::count(access.users.begin(), access.users.end(), process.uid) > 0)
                return {survey::Answer::yes, process.pid, process.name, false};
        return {none(), 0, {}, false};
    }
    survey::Found find_software(std::uint32_t uid, survey::SoftwareSet software) const override {
        survey::Found out{none(), 0, {}, false};
        for (const auto& process : all) {
            if (uid != 0 && process.uid == 0 && (process.software & software) != 0)
                out = {out.answer, process.pid, process.name, false};
            if (uid != 0 && process.uid != uid) continue;
            if (!process.readable) out.answer = survey::Answer::not_told;
            if (process.readable && (process.software & software) != 0)
                return {survey::Answer::yes, process.pid, process.name, false};
        }
        return out;
    }

    survey::Found find_administrator() const override {
        for (const auto& process : all)
            if (process.uid == 0 &&
                (process.software & set_of(survey::Software::system_service)) == 0)
                return {survey::Answer::yes, process.pid, process.name, false};
        return {none(), 0, {}, false};
    }

  private:
    survey::Answer none() const { return hidden ? survey::Answer::not_told : survey::Answer::no; }
};

// Answers that a test sets.
class MadeSystem final : public survey::SystemView {
  public:
    std::string ids, later, kernel;
    survey::Answer ended = survey::Answer::not_told;

    std::string other_ids(std::uint64_t) const override { return ids; }
    std::string later_ids(const survey::Access&) const override { return later; }
    std::string use_without_process(const HostSegment&) const override { return kernel; }
    survey::Answer circle_ended(const survey::RecordedProcess&) const override { return ended; }
};

}  // namespace snakepit::shm::test
