// SPDX-License-Identifier: MIT
// host, host clean: the shared memory of everybody on this host. No manager is asked.
#include <algorithm>
#include <memory>

#include "command.h"
#include "diagnostics/host_json.h"
#include "host.h"
#include "host_output.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

struct HostWords {
    std::vector<std::string> names;
    bool all = false;
    std::string verdict;
    SurveyOptions options;
};

// Memory without a name needs nobody's attention while there are so many of it.
bool shown(const HostSegment& segment, const HostWords& words) {
    if (!words.verdict.empty()) return words.verdict == to_string(segment.verdict);
    return words.all || (segment.kind != SegmentKind::memfd && !segment.unlinked);
}

void choose(HostSurvey& survey, const HostWords& words, bool json) {
    auto& segments = survey.segments;
    const auto drop = [&](const HostSegment& segment) {
        if (!words.names.empty())
            return std::none_of(words.names.begin(), words.names.end(),
                                [&](const auto& name) { return is_meant(segment, name); });
        return !shown(segment, words) && (!json || !words.verdict.empty());
    };
    segments.erase(std::remove_if(segments.begin(), segments.end(), drop), segments.end());
    sort_by_interest(segments);
    if (!json) return;
    std::transform(segments.begin(), segments.end(), segments.begin(), in_unicode);
}

Result<int> run_details(const Context& context, const HostWords& words, HostSurvey survey) {
    choose(survey, words, context.json);
    if (survey.segments.empty())
        return fail(ErrorCode::region_not_found, "no segment of this host has this name",
                    "list all with 'snakepit-shm host --all'");
    if (context.json) {
        print_json(host_json(survey));
    } else {
        for (const auto& segment : survey.segments) print(host_details(segment));
    }
    return kDone;
}

Result<int> run_host(const Context& context, const HostWords& words) {
    SHM_ASSIGN(auto survey, survey_host(words.options));
    if (!words.names.empty()) return run_details(context, words, std::move(survey));
    if (context.json) {
        choose(survey, words, true);
        print_json(host_json(survey));
        return kDone;
    }
    auto listed = survey;
    choose(listed, words, false);
    if (!listed.segments.empty()) print(host_table(listed.segments));
    print(host_summary(survey, listed.segments));
    return kDone;
}

void add_place(CLI::App* command, SurveyOptions& options) {
    command->add_option("--shm-path", options.shm_path,
                        "The directory of POSIX segments (default: /dev/shm)");
}

}  // namespace

void add_host(CLI::App& app, Context& context) {
    auto* command = add_command(app, context, "host",
                                "Show all shared memory of this host, whoever created it, and what "
                                "was left over; needs no manager. Not covered: semaphores and "
                                "message queues of System V");
    auto words = std::make_shared<HostWords>();
    command->add_option("name", words->names,
                        "Show everything about these segments (System V also by key: 0x5157)");
    command->add_flag("--all", words->all, "Include unnamed (memfd) segments");
    command
        ->add_option("--verdict", words->verdict,
                     "Show only these: in_use, ours, kept, left_over, unknown")
        ->check(CLI::IsMember({"in_use", "ours", "kept", "left_over", "unknown"}));
    command->add_flag("--quick", words->options.quick,
                      "Skip what takes long: descriptors that wait in sockets");
    add_place(command, words->options);

    auto* clean = add_command(*command, context, "clean",
                              "Remove what was left over for certain, or the segments named; "
                              "never what is in use");
    auto chosen = std::make_shared<CleanWords>();
    clean->add_option("name", chosen->names, "Remove these segments, named as 'host' shows them");
    auto* dry_run =
        clean->add_flag("--dry-run", chosen->dry_run, "Show what would be removed, and why");
    clean->add_flag("--yes", chosen->yes, "Do not ask")->excludes(dry_run);
    clean->add_flag("--force", chosen->force,
                    "Remove the segments named even if their creator may be running; never what is "
                    "in use");
    add_place(clean, words->options);
    // The parser calls the inner command's first, then the outer one's.
    command->callback([&context, words, clean, chosen] {
        context.action = [&context, words, chosen, cleans = clean->parsed()] {
            return cleans ? run_host_clean(context, *chosen, words->options)
                          : run_host(context, *words);
        };
    });
}

}  // namespace snakepit::shm::cli
