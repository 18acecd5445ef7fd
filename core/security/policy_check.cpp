// SPDX-License-Identifier: MIT
#include "security/policy_check.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "platform/process.h"

namespace snakepit::shm {

namespace {

// Interpreters: as `program` they stand for all users who may start them.
constexpr std::array<std::string_view, 17> kInterpreters{
    "python", "perl", "ruby", "bash", "dash", "sh",  "zsh",  "ksh",     "fish",
    "node",   "java", "lua",  "php",  "beam", "awk", "gawk", "ld-linux"};

bool interpreter(std::string_view path) {
    auto name = path.substr(path.rfind('/') + 1);
    return std::any_of(kInterpreters.begin(), kInterpreters.end(), [&](std::string_view known) {
        if (!name.starts_with(known)) return false;
        // "python3.11" and "beam.smp", but not "shred".
        return name.size() == known.size() ||
               std::string_view("0123456789.-").find(name[known.size()]) != std::string_view::npos;
    });
}

// The file itself, or a directory on its path, that a user other than root and its owner may
// change. Empty: none.
std::string exchangeable(const std::string& path) {
    for (auto part = path; !part.empty(); part.resize(part.rfind('/'))) {
        struct stat info {};
        if (::stat(part.c_str(), &info) != 0) return {};
        // Sticky: other users may add files to such a directory, but not replace them.
        const bool open =
            (info.st_mode & 022) != 0 && !(S_ISDIR(info.st_mode) && (info.st_mode & S_ISVTX) != 0);
        if (open) return part;
    }
    return {};
}

class Checker {
  public:
    Checker(const Policy& policy, NameResolver& names, const PolicyReport* report)
        : policy_(policy), names_(names), report_(report) {}

    std::vector<PolicyFinding> run() {
        if (policy_.permissions.other != Permission::none)
            found("permissions.other",
                  fmt::format(
                      "all users of the host may {} it",
                      policy_.permissions.other == Permission::read_write ? "change" : "read"),
                  "name a group instead");
        for (std::size_t i = 0; i < policy_.rules.size(); ++i)
            rule(policy_.rules[i], fmt::format("rules[{}]", i));
        if (policy_.require_encryption && report_ && report_->id != RegionId{} &&
            report_->level == SecurityLevel::standard)
            found("require_encryption", "the region is not encrypted",
                  "allocate a new one with the security level high or maximum");
        return std::move(findings_);
    }

  private:
    void found(std::string where, std::string problem, std::string remedy) {
        findings_.push_back({std::move(where), std::move(problem), std::move(remedy)});
    }

    void no_match(std::string where, std::string problem, std::string remedy) {
        findings_.push_back({std::move(where), std::move(problem), std::move(remedy), true});
    }

    void rule(const PolicyRule& rule, const std::string& where) {
        if (rule.for_everybody())
            found(where, "it has no condition, so it applies to all users of the host",
                  "name a user, a group or a program");
        if (!rule.user.empty() && !names_.user(rule.user))
            no_match(where + ".user", fmt::format("unknown user '{}'", rule.user),
                     "correct it, or create that user");
        if (!rule.group.empty() && !names_.group(rule.group))
            no_match(where + ".group", fmt::format("unknown group '{}'", rule.group),
                     "correct it, or create that group");
        if (!rule.program.empty()) program(rule, where + ".program");
        if (rule.process != 0) process(rule, where + ".process");
    }

    void program(const PolicyRule& rule, const std::string& where) {
        const auto there = names_.program(rule.program);
        if (!there)
            return no_match(where, fmt::format("the program {} does not exist", rule.program),
                            "correct the path");
        if (const auto open = exchangeable(there->path); !open.empty())
            found(where, fmt::format("other users can write {}, and so replace the program", open),
                  fmt::format("chmod go-w {}", open));
        if (interpreter(there->path))
            found(where,
                  fmt::format("{} runs any script: the rule applies to all users who may start it",
                              there->path),
                  rule.user.empty() && rule.group.empty()
                      ? "name a user or a group too"
                      : "build the program as an executable of its own");
        if (report_ && !report_->sees_programs)
            found(where,
                  "the manager cannot see which programs other users run, so the rule applies to "
                  "its own user only",
                  "give the manager CAP_SYS_PTRACE");
    }

    void process(const PolicyRule& rule, const std::string& where) {
        const auto info = inspect_process(rule.process);
        if (!info && info.error().code == ErrorCode::permission_denied) return;  // not known
        const bool there = info && !info->zombie &&
                           (rule.process_start == 0 || rule.process_start == info->start_time);
        if (!there)
            no_match(where, fmt::format("process {} is gone", rule.process), "remove the rule");
    }

    const Policy& policy_;
    NameResolver& names_;
    const PolicyReport* report_;
    std::vector<PolicyFinding> findings_;
};

}  // namespace

std::vector<PolicyFinding> check_policy(const Policy& policy, NameResolver& names,
                                        const PolicyReport* report) {
    return Checker(policy, names, report).run();
}

}  // namespace snakepit::shm
