// SPDX-License-Identifier: MIT
#include "survey/linux/tree/members.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_set>

#include <fmt/format.h>

#include "base/time.h"
#include "survey/linux/proc_files.h"

namespace snakepit::shm::survey {

namespace {

// Pids are reused only after all others, so within this time a pid still identifies its process.
constexpr std::int64_t kRecentMs = 2'000;
// After this time the kernel's record of a process has been read, and an ending one has ended.
constexpr std::int64_t kSettledMs = 1'000;

struct StatLine {
    std::int64_t parent = 0;
    bool runs = false;  // also when only its first thread has ended
    bool first_thread_ended = false;
    std::int64_t started = 0;
    std::string program;
};

// "pid (name) state ppid …": the name may hold anything; the start is the 22nd field.
std::optional<StatLine> read_stat(std::int64_t pid) {
    const auto text = read_file(AT_FDCWD, fmt::format("/proc/{}/stat", pid).c_str());
    if (!text) return std::nullopt;
    const auto open = text->find('('), close = text->rfind(')');
    if (open == text->npos || close == text->npos || close + 3 > text->size()) return std::nullopt;
    StatLine line;
    line.program = text->substr(open + 1, close - open - 1);
    const char state = (*text)[close + 2];
    std::string_view rest(*text);
    rest.remove_prefix(close + 3);
    line.parent = take_number(rest);
    for (int field = 5; field < 20; ++field) (void)take_number(rest);
    line.first_thread_ended = state == 'Z' || state == 'X';
    line.runs = !line.first_thread_ended || take_number(rest) > 1;
    rest = std::string_view(*text).substr(close + 3);
    for (int field = 4; field < 22; ++field) (void)take_number(rest);
    line.started = take_number(rest);
    return line;
}

// Not another process with its pid. A process whose end was not reported still has it.
bool is_it(const StatLine& line, const Member& member) {
    return member.started == 0 ? member.ended_at == 0 : line.started == member.started;
}

}  // namespace

Members::Members(std::int64_t pid, std::int64_t other_child) : other_child_(other_child) {
    auto& first = add(pid, 0);
    first.origin_known = first.reported = true;
}

Member& Members::add(std::int64_t pid, std::uint64_t parent, bool look) {
    auto& member = all_[++last_];
    by_pid_[pid] = last_;
    member.pid = pid;
    member.parent = parent;
    member.found_at = now_ms();
    if (parent != 0) member.program = all_.at(parent).program;
    const auto line = look ? read_stat(pid) : std::nullopt;
    if (!line) return member;
    member.started = line->started;
    member.program = line->program;
    return member;
}

void Members::forked(std::int64_t pid, std::int64_t parent) {
    const auto from = reported_at(parent);
    const auto known = by_pid_.find(pid);
    auto& member = known != by_pid_.end() && !all_.at(known->second).reported
                       ? all_.at(known->second)
                       : add(pid, from, false);
    member.parent = from;
    member.origin_known = member.reported = true;
}

void Members::named(std::int64_t pid, std::string name) {
    all_.at(reported_at(pid)).program = std::move(name);
}

void Members::exited(std::int64_t pid) {
    auto& member = all_.at(reported_at(pid));
    if (member.ended_at == 0) member.ended_at = now_ms();
}

std::uint64_t Members::at(std::int64_t pid) const {
    const auto found = by_pid_.find(pid);
    if (found == by_pid_.end()) return 0;
    const auto& member = all_.at(found->second);
    if (member.ended_at == 0 || now_ms() - member.ended_at < kRecentMs) return found->second;
    const auto line = read_stat(pid);
    return line && is_it(*line, member) ? found->second : 0;
}

std::uint64_t Members::find(std::int64_t pid) {
    if (const auto known = at(pid); known != 0 || pid <= 0) return known;
    for (auto line = read_stat(pid); line && line->parent > 1; line = read_stat(line->parent)) {
        const auto above = at(line->parent);
        if (above == 0 && line->parent != ::getpid()) continue;
        // The processes in between need not be recorded.
        add(pid, above).origin_known = above != 0;
        return last_;
    }
    return 0;
}

std::uint64_t Members::reported_at(std::int64_t pid) {
    if (const auto found = by_pid_.find(pid); found != by_pid_.end()) return found->second;
    add(pid, 0);
    return last_;
}

void Members::find_children(std::int64_t pid, std::vector<std::int64_t>& found) const {
    const auto threads = open_directory(AT_FDCWD, fmt::format("/proc/{}/task", pid).c_str());
    if (!threads) return;
    while (const auto* entry = ::readdir(threads.get())) {
        if (entry->d_name[0] == '.') continue;
        const auto text =
            read_file(::dirfd(threads.get()), fmt::format("{}/children", entry->d_name).c_str());
        std::string_view rest(text ? *text : std::string_view());
        for (auto child = take_number(rest); child > 0; child = take_number(rest))
            found.push_back(child);
    }
}

std::vector<std::int64_t> Members::walk() {
    std::vector<std::int64_t> found, fresh;
    // Their parents; none for our own children, whose original parent is unknown.
    std::vector<std::uint64_t> parents;
    find_children(::getpid(), found);
    std::erase(found, other_child_);
    parents.resize(found.size());
    for (std::size_t next = 0; next < found.size(); ++next) {
        const auto pid = found[next];
        if (at(pid) == 0) {
            add(pid, parents[next]).origin_known = parents[next] != 0;
            fresh.push_back(pid);
        }
        find_children(pid, found);
        parents.resize(found.size(), at(pid));
    }
    note_ended(found);
    forget();
    return fresh;
}

// The kernel's list may omit a child while its siblings exit, so check again.
void Members::note_ended(const std::vector<std::int64_t>& found) {
    const std::unordered_set<std::int64_t> there(found.begin(), found.end());
    for (auto& [number, member] : all_) {
        const auto holder = by_pid_.find(member.pid);
        const bool listed =
            there.contains(member.pid) && holder != by_pid_.end() && holder->second == number;
        if (listed && member.started == 0)
            if (const auto line = read_stat(member.pid)) member.started = line->started;
        if (member.ended_at == 0 && listed) continue;
        if (member.ended_at != 0 && (!listed || now_ms() - member.ended_at < kSettledMs)) continue;
        const auto line = read_stat(member.pid);
        const bool runs = line && line->runs && is_it(*line, member);
        if (!runs && member.ended_at == 0) member.ended_at = now_ms();
        if (!runs || member.ended_at == 0) continue;
        member.ended_at = 0;
        // It executed a program with more privileges, which ends the kernel's records.
        member.reported = member.reported && line->first_thread_ended;
    }
}

void Members::forget() {
    const auto now = now_ms();
    const auto forgettable = [now](const Member& member) {
        return member.ended_at != 0 && now - member.ended_at > 2 * kRecentMs &&
               !member.used_segments;
    };
    for (auto& [number, member] : all_)
        while (member.parent != 0) {
            const auto& parent = all_.at(member.parent);
            if (!forgettable(parent)) break;
            member.origin_known = member.origin_known && parent.origin_known;
            member.parent = parent.parent;
        }
    std::erase_if(by_pid_, [&](const auto& entry) { return forgettable(all_.at(entry.second)); });
    std::erase_if(all_, [&](const auto& entry) { return forgettable(entry.second); });
}

bool Members::has_threads(std::int64_t pid) {
    constexpr nlink_t kOfFirst = 3;
    struct stat info {};
    return ::stat(fmt::format("/proc/{}/task", pid).c_str(), &info) == 0 &&
           info.st_nlink > kOfFirst;
}

bool Members::can_walk() {
    return ::access("/proc/thread-self/children", R_OK) == 0;
}

bool Members::any_unreported() const {
    return std::any_of(all_.begin(), all_.end(), [now = now_ms()](const auto& entry) {
        const auto& member = entry.second;
        return !member.reported && member.ended_at == 0 && now - member.found_at > kSettledMs;
    });
}

void Members::refresh(std::uint64_t number) {
    auto& member = all_.at(number);
    const auto line = member.ended_at == 0 ? read_stat(member.pid) : std::nullopt;
    if (line && is_it(*line, member)) member.program = line->program;
}

std::vector<std::uint64_t> Members::living() const {
    std::vector<std::uint64_t> out;
    for (const auto& [pid, number] : by_pid_) {
        const auto line = read_stat(pid);
        if (line && line->runs && is_it(*line, all_.at(number))) out.push_back(number);
    }
    std::sort(out.begin(), out.end());
    return out;
}

bool Members::may_descend(std::uint64_t number, std::uint64_t ancestor) const {
    for (auto at = number; at != ancestor; at = all_.at(at).parent)
        if (all_.at(at).parent == 0) return !all_.at(at).origin_known;
    return true;
}

}  // namespace snakepit::shm::survey
